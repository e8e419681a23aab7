"""Accepts connections, and completes their TLS handshakes."""

from __future__ import annotations

import errno
import socket
import ssl
from typing import Any, Callable

from server_start import connection as states
from server_start.connection import Connection
from server_start.connections import READABLE, WRITABLE, Connections
from server_start.refusals import too_busy
from server_start.tls import context_of, wrap

#: New connections that are accepted before others get their turn.
PER_TURN = 16
#: Seconds without accepting, if no connection can be closed for a new one.
PAUSE = 0.1
#: The open files, or the memory for sockets, are used up.
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Acceptor:
    """Accepts connections.

    Args:
        connections: New ones are added here.
        listeners: The sockets that gunicorn listens on.
        cfg: gunicorn's configuration.
        read: Called with a connection that can be read from.
    """

    def __init__(
        self,
        connections: Connections,
        listeners: list[socket.socket],
        cfg: Any,
        read: Callable[[Connection], None],
    ) -> None:
        self._connections = connections
        self._cfg = cfg
        self._read = read
        self._tls = context_of(cfg)
        self._listeners = {listener.fileno(): listener for listener in listeners}
        self._addresses = {fd: plain_address(listener.getsockname()) for fd, listener in self._listeners.items()}
        #: When to go on after a pause; 0.0 without one.
        self.again = 0.0

    def begin(self) -> None:
        """Begin to listen."""
        for listener in self._listeners.values():
            listener.setblocking(False)
            self._connections.poll.register(listener, READABLE)

    def end(self) -> None:
        """Close the listening sockets of this worker: clients that connect now go elsewhere."""
        for listener in self._listeners.values():
            self._connections.poll.unregister(listener)
            listener.close()
        self._listeners.clear()

    def pause(self, seconds: float) -> None:
        """Accept nothing for a while; the kernel keeps the new connections."""
        for fd in self._listeners:
            self._connections.poll.modify(fd, 0)
        self.again = self._connections.now + seconds

    def go_on(self) -> None:
        """Accept again, if a pause is over."""
        if self.again and self._connections.now >= self.again:
            self.again = 0.0
            for fd in self._listeners:
                self._connections.poll.modify(fd, READABLE)

    def listens_on(self, fd: int) -> bool:
        """Return whether a file descriptor is one of the listening sockets."""
        return fd in self._listeners

    def accept(self, fd: int) -> None:
        """Accept new connections from a listening socket.

        Args:
            fd: Its file descriptor.
        """
        for _ in range(PER_TURN):
            try:
                sock, address = self._listeners[fd].accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _EXHAUSTED and not self._connections.close_quietest():
                    self.pause(PAUSE)
                    return
                continue
            if self._connections.full and not self._connections.close_quietest():
                self._refuse(sock)
                continue
            self._opened(sock, plain_address(address), self._addresses[fd])

    def _opened(self, sock: socket.socket, client: tuple[str, int], server: tuple[str, int]) -> None:
        sock.setblocking(False)
        if self._tls is None:
            connection = Connection(sock, client, server, encrypted=False)
            self._connections.add(connection)
            self._read(connection)
            return
        try:
            connection = Connection(wrap(sock, self._tls, self._cfg), client, server, encrypted=True)
        except (OSError, ValueError):  # it has gone already
            sock.close()
            return
        self._connections.add(connection)
        self.shake_hands(connection)

    def _refuse(self, sock: socket.socket) -> None:
        """Every connection waits for an answer, and no more are allowed."""
        sock.setblocking(False)
        try:
            sock.recv(1 << 16)  # what is not read would make the kernel drop the answer
        except OSError:
            pass
        try:
            if self._tls is None:
                sock.send(too_busy())
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        sock.close()

    def shake_hands(self, connection: Connection) -> None:
        """Continue the TLS handshake."""
        try:
            connection.sock.do_handshake()
        except ssl.SSLWantReadError:
            self._connections.watch(connection, READABLE)
        except ssl.SSLWantWriteError:
            self._connections.watch(connection, WRITABLE)
        except (OSError, ValueError):
            self._connections.close(connection)
        else:
            connection.state = states.READING
            self._connections.heard(connection)
            self._read(connection)


def plain_address(address: Any) -> tuple[str, int]:
    """Return a socket's address for logs and scripts.

    Args:
        address: As a socket gives it. On an IPv6 socket, IPv4 addresses begin with ``::ffff:``.

    Returns:
        The host and the port; IPv4 addresses in their own form.
    """
    if not isinstance(address, tuple):
        return str(address), 0
    host = address[0]
    if host.startswith("::ffff:") and "." in host:
        host = host[len("::ffff:") :]
    elif host == "::":
        host = "0.0.0.0"  # as scripts saw it before the server listened on IPv6
    return host, address[1]
