"""Reads requests, as far as they have arrived."""

from __future__ import annotations

import ssl
import time
from typing import Any, Callable

from server_start import connection as states
from server_start.connection import Connection
from server_start.connections import READABLE, WRITABLE, Connections
from server_start.exchange import Sink
from server_start.http_request import Head, HeadReader
from server_start.refusals import incomplete, too_busy, too_large

#: Bytes of one read.
READ_SIZE = 256 * 1024
#: Bytes of the first read of a request.
FIRST_READ_SIZE = 64 * 1024
#: Bytes of one read of a body in chunks: many small ones take long.
CHUNKED_READ_SIZE = 16 * 1024
#: Seconds after which the others get their turn.
LONGEST_TURN = 0.01
#: Bytes. Bodies up to this size are always accepted.
SMALL = 16 * 1024
#: Reads of one connection before others get their turn.
READS_PER_TURN = 16


class Receiver:
    """Reads requests.

    Args:
        connections: All connections.
        worker: gunicorn's worker.
        begin: Called with a request that has arrived completely.
        refuse: Called with the answer to a request that is not read to its end.
    """

    def __init__(
        self,
        connections: Connections,
        worker: Any,
        begin: Callable[[Connection, Head], None],
        refuse: Callable[[Connection, bytes], None],
    ) -> None:
        self._connections = connections
        self._worker = worker
        self._cfg = worker.cfg
        self._begin = begin
        self._refuse = refuse
        self.heads = HeadReader(worker.cfg)
        self._buffer = memoryview(bytearray(READ_SIZE))

    def receive(self, connection: Connection) -> bytes | None:
        """Read what has arrived.

        Returns:
            The bytes; empty at the end of the connection; None if nothing has arrived. Then the loop waits for it.
        """
        try:
            count = connection.sock.recv_into(self._buffer, self._size(connection))
        except (BlockingIOError, ssl.SSLWantReadError):
            self._connections.watch(connection, READABLE)
            return None
        except ssl.SSLWantWriteError:
            self._connections.watch(connection, WRITABLE)
            return None
        except OSError:
            return b""
        return bytes(self._buffer[:count])

    def _size(self, connection: Connection) -> int:
        """Return how many bytes to read at once."""
        if connection.head is None:
            return FIRST_READ_SIZE
        return CHUNKED_READ_SIZE if connection.head.chunked else READ_SIZE

    def read(self, connection: Connection) -> None:
        """Read a request, as far as it has arrived."""
        for _ in range(READS_PER_TURN):
            data = self.receive(connection)
            if data is None:
                return
            if not data:
                self._ended(connection)
                return
            self._connections.heard(connection)
            self.feed(connection, data)
            if connection.state != states.READING:
                return
            if not connection.encrypted and len(data) < CHUNKED_READ_SIZE:
                break  # it was all that has arrived
            if time.monotonic() - self._connections.now > LONGEST_TURN:
                break
        if connection.encrypted:
            self._connections.again.append(connection)
        self._connections.watch(connection, READABLE)

    def next_request(self, connection: Connection) -> None:
        """Wait for the next request on a connection; it may have arrived already."""
        connection.state = states.READING
        connection.raw = b""
        self._connections.heard(connection)
        if connection.buffer:
            data, connection.buffer = bytes(connection.buffer), bytearray()
            self.feed(connection, data)
            if connection.state != states.READING:
                return
        if connection.encrypted:
            self.read(connection)  # the library may have read more than it gave
        else:
            self._connections.watch(connection, READABLE)

    def discard(self, connection: Connection) -> None:
        """Drop what the client still sends, until it closes the connection."""
        for _ in range(READS_PER_TURN):
            data = self.receive(connection)
            if data is None:
                return
            if not data:
                self._connections.close(connection)
                return
        self._connections.watch(connection, READABLE)

    def feed(self, connection: Connection, data: bytes) -> None:
        """Take bytes that have arrived, and begin to answer the request if it is complete."""
        try:
            head = connection.head
            if head is None:
                read = self._head(connection, data)
                if read is None:
                    return
                head, data = read
            before = head.body.size
            try:
                connection.buffer += head.body.feed(data)
            finally:
                self._connections.held += head.body.size - before
        except Exception as error:  # noqa: BLE001 - gunicorn has many errors, and an answer to each
            sink = Sink()
            self._worker.handle_error(None, sink, connection.client, error)
            self._refuse(connection, sink.take())
            return
        if head.body.complete:
            connection.head = None
            self._begin(connection, head)
        elif self._check_room(connection, head) and head.expects_continue:
            head.expects_continue = False
            try:
                connection.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            except OSError:  # the next read reports it
                pass

    def _head(self, connection: Connection, data: bytes) -> tuple[Head, bytes] | None:
        """Return the request's head and the bytes after it, if it is complete and there is room for the body."""
        buffer = connection.buffer
        buffer += data
        read = self.heads.read(buffer, connection.seen, connection.client, connection.requests + 1)
        if read is None:
            connection.seen = len(buffer)
            return None
        connection.raw = bytes(buffer[: len(buffer) - len(read[1])])
        connection.buffer = bytearray()
        connection.seen = 0
        head = read[0]
        if not self._check_room(connection, head):
            return None
        connection.head = head
        return read

    def _check_room(self, connection: Connection, head: Head) -> bool:
        """Refuse a request if there is no memory for its body. Small ones, and a single large one, get it.

        Returns:
            False if the request is refused.
        """
        held, missing = self._connections.held, head.body.expected
        size = head.body.size + missing
        if size > self._connections.largest:
            self._refuse(connection, too_large())
            return False
        if size > SMALL and held > head.body.size and held + missing > self._connections.most_held:
            self._refuse(connection, too_busy())
            return False
        return True

    def _ended(self, connection: Connection) -> None:
        """The client has sent everything that it will send."""
        if connection.head is not None:
            self._refuse(connection, incomplete())
        else:
            self._connections.close(connection)
