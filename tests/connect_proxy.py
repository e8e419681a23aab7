"""A proxy for TLS connections (CONNECT, RFC 9110 section 9.3.6) that asks for a login and knows few hosts."""

from __future__ import annotations

import base64
import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping

_LONGEST_HEAD = 65536


class ConnectProxy(socketserver.ThreadingTCPServer):
    """Connects clients that give the login to the hosts that it knows; all else is refused.

    Args:
        address: The address of this machine to listen on.
        login: ``user:password``.
        hosts: ``host:port`` → the port of 127.0.0.1 that it stands for.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: str, login: str, hosts: Mapping[str, int]) -> None:
        super().__init__((address, 0), _Handler)
        self.authorization = f"Basic {base64.b64encode(login.encode()).decode()}"
        self.hosts = hosts
        #: ``host:port`` of the connections that it made, and of those that it refused.
        self.connected: list[str] = []
        self.refused: list[str] = []

    @property
    def host(self) -> str:
        host, port = self.server_address[:2]
        return f"{host!s}:{port}"


class _Handler(socketserver.StreamRequestHandler):
    server: ConnectProxy

    def handle(self) -> None:
        head = self._read_head()
        if not head.endswith(b"\r\n\r\n"):  # a client that opened several connections, and needs one
            return
        target, authorization = _parse(head)
        if authorization != self.server.authorization:
            self._refuse(target, '407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="proxy"')
        elif target not in self.server.hosts:
            self._refuse(target, "403 Forbidden")
        else:
            self.server.connected.append(target)
            with socket.create_connection(("127.0.0.1", self.server.hosts[target])) as there:
                self.connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=_copy, args=(there, self.connection), daemon=True)
                back.start()
                _copy(self.connection, there)
                back.join()

    def _read_head(self) -> bytes:
        """Read a request up to its empty line, or to the end of the connection."""
        head = b""
        while not head.endswith(b"\r\n\r\n") and len(head) < _LONGEST_HEAD:
            byte = self.connection.recv(1)  # what follows is TLS, and not for this proxy
            if not byte:
                break
            head += byte
        return head

    def _refuse(self, target: str, status: str) -> None:
        self.server.refused.append(target)
        self.connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())


def _parse(head: bytes) -> tuple[str, str]:
    """Return the host of CONNECT, empty for other requests, and the login."""
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    method, _, rest = first.partition(" ")
    return rest.partition(" ")[0] if method == "CONNECT" else "", headers.get("proxy-authorization", "")


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while content := source.recv(65536):
            target.sendall(content)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def connect_proxy(login: str, hosts: Mapping[str, int], *, address: str = "127.0.0.1") -> Iterator[ConnectProxy]:
    """Run a proxy on a free port; see `ConnectProxy`."""
    with ConnectProxy(address, login, hosts) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
