"""HTTP servers in the test process that give prepared answers, and the certificates for those that speak TLS."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import http.server
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request as the server got it."""

    method: str
    #: With the query.
    path: str
    #: Names in lower case.
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the server answers."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    #: Closes the connection without an answer instead.
    drop: bool = False
    #: The same, so that the client sees a reset (RST) and not an end.
    reset: bool = False
    #: Closes the connection after half of the body.
    half: bool = False
    #: Seconds that the body takes.
    seconds: float = 0.0


Respond = Callable[[Request], Answer]

#: Bytes of the largest body that is kept: layers are larger.
_KEPT = 1_000_000


class PreparedServer(http.server.ThreadingHTTPServer):
    """Answers with a function and keeps the requests, but not the bodies of large ones."""

    daemon_threads = True

    def __init__(self, respond: Respond) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.respond = respond
        self.requests: list[Request] = []

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that leave."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a body would wait 40 ms for the answer to its headers
    server: PreparedServer

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(method=self.command, path=self.path, headers=headers, body=self._read_body())
        is_small = len(request.body) <= _KEPT
        self.server.requests.append(request if is_small else dataclasses.replace(request, body=b""))
        answer = self.server.respond(request)
        if answer.drop or answer.reset:
            self.close_connection = True
            if answer.reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if "Content-Length" not in answer.headers:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self._write_body(answer)

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():  # trailers
            pass
        return b"".join(chunks)

    def _write_body(self, answer: Answer) -> None:
        half = len(answer.body) // 2
        self.wfile.write(answer.body[:half])
        if answer.half:
            self.close_connection = True
            return
        time.sleep(answer.seconds)
        self.wfile.write(answer.body[half:])

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_CONNECT = _answer

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Give what is no HTTP a status line too: by it the engine knows that this server does not speak TLS."""
        self.request_version = self.protocol_version
        super().send_error(code, message, explain)

    def log_message(self, *_: object) -> None:
        pass


def guarded(respond: Respond, login: str) -> Respond:
    """Answer only requests with a login, and others with status 401.

    Args:
        respond: Gives the answer to a request with the login.
        login: ``user:password``.
    """
    authorization = f"Basic {base64.b64encode(login.encode()).decode()}"

    def answer(request: Request) -> Answer:
        if request.headers.get("authorization") == authorization:
            return respond(request)
        return Answer(status=401, headers={"WWW-Authenticate": 'Basic realm="index"'})

    return answer


@contextlib.contextmanager
def serving(respond: Respond, tls: ssl.SSLContext | None = None) -> Iterator[PreparedServer]:
    """Run a server.

    Args:
        respond: Gives the answer to a request.
        tls: The server's side of TLS.
    """
    with PreparedServer(respond) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.002}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def in_turn(*answers: Answer) -> Respond:
    """Give the answers one after the other; the last one again and again."""
    remaining = list(answers)
    return lambda _: remaining.pop(0) if len(remaining) > 1 else remaining[0]


@dataclass(frozen=True, kw_only=True)
class Authority:
    """A certification authority of its own."""

    folder: Path

    @property
    def bundle(self) -> Path:
        """Its certificate, for clients."""
        return self.folder / "ca.pem"

    def own_context(self) -> ssl.SSLContext:
        """A server's side of TLS with the authority's own certificate, which is self-signed."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.bundle, self.folder / "ca.key")
        return context

    def context(
        self, name: str, subject: str, *, start: str = "20200101", end: str = "20990101", usage: str = "serverAuth"
    ) -> ssl.SSLContext:
        """A server's side of TLS.

        Args:
            name: Of the files.
            subject: What the certificate is for: ``IP:127.0.0.1``, ``DNS:other.example``.
            start: The first day, ``YYYYMMDD``.
            end: The last one.
            usage: What the certificate may be used for.
        """
        key, request, certificate = (self.folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={subject}\nextendedKeyUsage={usage}\n", encoding="utf-8")
        _openssl(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}"),
            *("-keyout", key, "-out", request),
        )
        _openssl(
            *("ca", "-batch", "-notext", "-config", self.folder / "ca.conf", "-extfile", extensions),
            *("-startdate", f"{start}000000Z", "-enddate", f"{end}000000Z", "-in", request, "-out", certificate),
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return context


def new_authority(folder: Path) -> Authority:
    """Make an authority with the openssl command, which Debian's ca-certificates brings along.

    Args:
        folder: An empty folder.
    """
    (folder / "ca.conf").write_text(
        f"[ca]\ndefault_ca = own\n[own]\ndatabase = {folder}/index.txt\nnew_certs_dir = {folder}\nrand_serial = yes\n"
        f"certificate = {folder}/ca.pem\nprivate_key = {folder}/ca.key\ndefault_md = sha256\npolicy = any\n"
        "unique_subject = no\n"
        "[any]\ncommonName = supplied\n",
        encoding="utf-8",
    )
    (folder / "index.txt").touch()
    _openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650"),
        *("-subj", "/CN=Test CA", "-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        *("-keyout", folder / "ca.key", "-out", folder / "ca.pem"),
    )
    return Authority(folder=folder)


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
