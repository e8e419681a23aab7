"""Workers share their work: one that is busy hands a request, with its connection, to one that is idle.

Clients keep their connections to one worker, so without this a request could wait although another worker is idle. The
connection is passed through a socket as a file descriptor (SCM_RIGHTS, unix(7)).
"""

from __future__ import annotations

import array
import contextlib
import marshal
import mmap
import os
import socket
import tempfile
from typing import IO, NamedTuple

#: Bytes of a body. Larger ones are not passed on: copying them would delay others.
LARGEST = 8 * 1024 * 1024
#: Bytes. A message has a limit; what is larger goes into a file in memory, whose descriptor is sent.
_LARGEST_MESSAGE = 64 * 1024
#: Workers that may run at once in addition to twice WORKER_COUNT (all are replaced at SIGHUP): a TTIN signal adds one.
SPARE = 4

#: A message without a connection: the sender is idle.
_QUESTION = b"?"
_FD = array.array("i").itemsize


class Passed(NamedTuple):
    """A connection that another worker has passed on."""

    sock: socket.socket
    #: All bytes of the request, and what the client has sent after it.
    data: bytes
    client: tuple[str, int]
    server: tuple[str, int]
    #: Requests on this connection so far, without this one.
    requests: int


class Desk:
    """One worker's place among all workers: whether it is idle, and its inbox. It is inherited through fork.

    Args:
        desks: All desks.
        number: This worker's place.
        idle: A byte for each desk: 1 while its worker is idle.
        waiting: A byte for each desk: 1 while requests wait for its worker.
    """

    def __init__(self, desks: list[Desk], number: int, idle: mmap.mmap, waiting: mmap.mmap) -> None:
        self._desks = desks
        self._number = number
        self._idle = idle
        self._waiting = waiting
        self.inbox, self.outbox = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.inbox.setblocking(False)
        self.outbox.setblocking(False)
        self.taken = False
        #: File descriptors for the next connection that is passed on, and for its bytes.
        self._spares: list[int] = []

    @property
    def alone(self) -> bool:
        """True if there is no other worker to pass requests to."""
        return len(self._desks) < 2

    def show(self, idle: bool, waiting: bool) -> None:
        """Show the other workers whether this one would begin a request at once, and whether requests wait for it."""
        self._waiting[self._number] = waiting
        self._idle[self._number] = idle

    def requests_wait(self) -> bool:
        """Return whether requests wait for another worker (or for this one)."""
        return self._waiting.find(b"\1", 0) >= 0

    def ask(self) -> None:
        """Ask the workers for whom requests wait to pass one on: each looks for idle workers."""
        other = self._waiting.find(b"\1", 0)
        while other >= 0:
            if other != self._number:
                try:
                    self._desks[other].outbox.send(_QUESTION)
                except OSError:  # its inbox is full: it will look anyway
                    pass
            other = self._waiting.find(b"\1", other + 1)

    def another_is_idle(self) -> bool:
        """Return whether another worker shows that it is idle."""
        shown = self._idle.find(b"\1", 0)
        if shown == self._number:
            shown = self._idle.find(b"\1", shown + 1)
        return shown >= 0

    def pass_on(
        self, sock: socket.socket, data: bytes, client: tuple[str, int], server: tuple[str, int], requests: int
    ) -> bool:
        """Pass a connection to an idle worker. The caller then closes its own copy of the socket.

        Args:
            sock: The connection; not encrypted.
            data: All bytes of the request, and what the client has sent after it.
            client: The client's address.
            server: The address that the client connected to.
            requests: Requests on this connection, without this one.

        Returns:
            False if no worker is idle, its inbox is full, or there is no memory for the bytes.
        """
        other = self._idle.find(b"\1", 0)
        if other == self._number:
            other = self._idle.find(b"\1", other + 1)
        if other < 0:
            return False
        self._idle[other] = 0  # only one request; the worker shows it again when it is idle again
        large = len(data) > _LARGEST_MESSAGE
        message = marshal.dumps((None if large else data, client, server, requests))
        try:
            with contextlib.ExitStack() as stack:
                descriptors = [sock.fileno()]
                if large:
                    file = stack.enter_context(_file_in_memory())
                    file.write(data)
                    file.flush()
                    descriptors.append(file.fileno())
                rights = array.array("i", descriptors)
                self._desks[other].outbox.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        except OSError:
            self._idle[other] = 1
            return False
        return True

    def receive(self) -> Passed | None:
        """Return a connection that another worker has passed to this one; None if there is none."""
        while True:
            self._close_spares()  # without free file descriptors, the kernel would close the connection
            try:
                message, control, _, _ = self.inbox.recvmsg(2 * _LARGEST_MESSAGE, socket.CMSG_SPACE(2 * _FD))
                passed = _passed(message, control)
            except OSError:
                return None
            finally:
                self.keep_spares()
            if passed is not None:
                return passed

    def drain(self) -> None:
        """Close the connections that other workers have passed to this one."""
        passed = self.receive()
        while passed is not None:
            passed.sock.close()
            passed = self.receive()
        self._close_spares()

    def keep_spares(self) -> bool:
        """Keep file descriptors for the next connection that is passed on. Returns False if there are none."""
        while len(self._spares) < 2:
            try:
                self._spares.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
            except OSError:
                return False
        return True

    def _close_spares(self) -> None:
        while self._spares:
            os.close(self._spares.pop())


def _passed(message: bytes, control: list[tuple[int, int, bytes]]) -> Passed | None:
    """Return the connection in a message; None if it has none."""
    descriptors = array.array("i")
    for level, kind, value in control:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(value[: len(value) // _FD * _FD])
    if not descriptors:
        return None
    sock = socket.socket(fileno=descriptors[0])
    sock.setblocking(False)
    data, *rest = marshal.loads(message)
    if data is None:
        if len(descriptors) < 2:  # no file descriptor was free
            sock.close()
            return None
        with open(descriptors[1], "rb") as file:
            file.seek(0)
            data = file.read()
    return Passed(sock, data, *rest)


def _file_in_memory() -> IO[bytes]:
    """Return a new file that takes no disk.

    Raises:
        OSError: There is no memory, or no file descriptor, for it.
    """
    if hasattr(os, "memfd_create"):  # since Python 3.8
        return open(os.memfd_create("request"), "w+b")
    return tempfile.TemporaryFile(dir="/dev/shm")


_desks: list[Desk] = []
_master = 0


def prepare(workers: int) -> None:
    """Create the desks. Call this in the master before gunicorn runs.

    Args:
        workers: WORKER_COUNT.
    """
    global _master
    _master = os.getpid()
    count = 2 * workers + SPARE if workers > 1 else 1
    idle, waiting = mmap.mmap(-1, count), mmap.mmap(-1, count)
    for number in range(count):
        _desks.append(Desk(_desks, number, idle, waiting))


def take() -> Desk:
    """Return a free desk for a new worker. Runs in the master, before the worker is forked."""
    desk = next((desk for desk in _desks if not desk.taken), None)
    if desk is None:  # more workers than desks: this one shares nothing
        return Desk([], 0, mmap.mmap(-1, 1), mmap.mmap(-1, 1))
    desk.taken = True
    return desk


def leave(desk: Desk) -> None:
    """Free the desk of a worker that has ended. Does nothing outside the master.

    What others have passed to that worker, and it has not taken, is closed: the clients need not wait for the next one.
    """
    if os.getpid() == _master:
        desk.show(False, False)
        desk.drain()
        desk.taken = False
