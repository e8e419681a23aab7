"""Sends answers, as far as clients take them, and closes connections after the last one."""

from __future__ import annotations

import socket
import ssl
from typing import Callable

from server_start import connection as states
from server_start.connection import Connection
from server_start.connections import READABLE, WRITABLE, Connections
from server_start.exchange import CLOSE, KEEP, MORE, WAIT


class Sender:
    """Sends answers.

    Args:
        connections: All connections.
        next_request: Called with a connection that is kept for its next request.
        discard: Called with a connection whose client may still send, although it has its answer.
    """

    def __init__(
        self,
        connections: Connections,
        next_request: Callable[[Connection], None],
        discard: Callable[[Connection], None],
    ) -> None:
        self._connections = connections
        self._next_request = next_request
        self._discard = discard

    def send(self, connection: Connection, data: bytes, then: str) -> None:
        """Send the next bytes of an answer.

        Args:
            connection: The client.
            data: The bytes.
            then: What follows them: `MORE`, `WAIT`, `KEEP` or `CLOSE`.
        """
        exchange = connection.exchange
        if then not in (MORE, WAIT) and exchange is not None:
            self._connections.held -= exchange.head.body.size
            connection.exchange = None
        if connection.state == states.CLOSED:
            if then == WAIT and exchange is not None:
                exchange.client_has_gone()
            return
        connection.then = then
        if data:
            connection.out.append(memoryview(data))
            self._connections.unsent += len(data)
        self.flush(connection)
        self._connections.bound_unsent()

    def refuse(self, connection: Connection, answer: bytes) -> None:
        """Answer a request that is not read to its end, and close the connection after it."""
        self._connections.release(connection)
        connection.unread = True
        connection.state = states.ANSWERING
        self.send(connection, answer, CLOSE)

    def flush(self, connection: Connection) -> None:
        """Send what the client takes now."""
        out = connection.out
        while out:
            try:
                count = connection.sock.send(out[0])
            except (BlockingIOError, ssl.SSLWantWriteError):
                self._wait(connection, WRITABLE)
                return
            except ssl.SSLWantReadError:
                self._wait(connection, READABLE)
                return
            except OSError:
                self._connections.close(connection)
                return
            self._connections.unsent -= count
            if connection.exchange is not None:
                connection.exchange.taken += count
            if count == len(out[0]):
                out.popleft()
            else:
                out[0] = out[0][count:]
            if connection in self._connections.closable:
                self._connections.heard(connection)
        if connection.then in (MORE, WAIT):
            self._connections.watch(connection, 0)
            self._connections.closable.pop(connection, None)
            if connection.then == WAIT and connection.exchange is not None:
                connection.then = MORE
                connection.exchange.next_step()
        elif connection.then == KEEP:
            self._next_request(connection)
        else:
            self._close(connection)

    def _wait(self, connection: Connection, events: int) -> None:
        """Wait until the client takes more; from now on it counts as silent until it does."""
        self._connections.watch(connection, events)
        if connection not in self._connections.closable:
            self._connections.heard(connection)

    def _close(self, connection: Connection) -> None:
        """Close an answered connection; if the client may still send, after its end (RFC 9112, section 9.6)."""
        if not connection.unread and not connection.buffer:
            if connection.encrypted:
                try:
                    connection.sock.unwrap()  # tells the client that this is the end
                except (OSError, ValueError):
                    pass
            self._connections.close(connection)
            return
        connection.state = states.LINGERING
        connection.buffer.clear()
        self._connections.heard(connection)
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._connections.close(connection)
            return
        self._discard(connection)
