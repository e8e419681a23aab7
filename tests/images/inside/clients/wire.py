"""Connections and HTTP, on which tests send and receive what they want."""

import json
import socket
import ssl
import struct

#: Seconds for an answer, on a small busy machine.
PATIENCE = 60
MEGABYTE = 1000 * 1000
#: Receive buffer of the clients that read slowly, in bytes.
SMALL_BUFFER = 4096


def connect(to, small=False):
    """Open a connection; with TLS where the server has it.

    Args:
        to: ``host`` and ``port`` of the server, and ``tls``.
        small: Let the kernel receive only a few kilobytes ahead of what is read.
    """
    sock = socket.socket()
    if small:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    sock.settimeout(PATIENCE)
    sock.connect((to["host"], to.get("port", 5001)))
    if to.get("tls"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        sock = context.wrap_socket(sock)
    return sock


def plain(to):
    """Return the server's address for a client that never begins TLS."""
    return dict(to, tls=False)


def head(method="GET", path="/", version="1.1", **headers):
    """Return the head of a request. In names of headers, ``_`` stands for ``-``."""
    lines = [f"{method} {path} HTTP/{version}", "Host: x"]
    lines += ["{}: {}".format(name.replace("_", "-"), value) for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def score(body=None, **headers):
    """Return a scoring request; its body is what ``scripts/clients.py`` is asked to do."""
    content = json.dumps(body or {"do": "nothing"}).encode()
    return head("POST", "/score", Content_Length=len(content), **headers) + content


class Reader:
    """Reads answers from a connection."""

    def __init__(self, sock):
        self._sock = sock
        self._bytes = b""

    def more(self):
        """Receive some bytes.

        Raises:
            EOFError: The server has closed the connection.
        """
        received = self._sock.recv(1 << 16)
        if not received:
            raise EOFError(f"closed after {len(self._bytes)} bytes of an answer")
        self._bytes += received

    def line(self):
        while b"\n" not in self._bytes:
            self.more()
        line, _, self._bytes = self._bytes.partition(b"\n")
        return line.rstrip(b"\r").decode("latin-1")

    def exactly(self, size):
        parts = [self._bytes[:size]]
        self._bytes = self._bytes[size:]
        missing = size - len(parts[0])
        while missing:
            received = self._sock.recv(min(missing, 1 << 16))
            if not received:
                raise EOFError(f"{missing} bytes of the body are missing")
            parts.append(received)
            missing -= len(received)
        return b"".join(parts)

    def head(self):
        """Return the status and the headers (names in lower case) of the next answer."""
        status = int(self.line().split()[1])
        headers = {}
        while True:
            line = self.line()
            if not line:
                return status, headers
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()

    def answer(self, method="POST"):
        """Return the next answer: status, headers and body."""
        status, headers = self.head()
        body = b""
        if method == "HEAD" or status in (100, 204):
            pass
        elif headers.get("transfer-encoding") == "chunked":
            while True:
                size = int(self.line(), 16)
                body += self.exactly(size)
                self.line()
                if not size:
                    break
        elif "content-length" in headers:
            body = self.exactly(int(headers["content-length"]))
        else:
            body = self.rest()
        return {"status": status, "headers": headers, "body": body}

    def rest(self):
        """Return all bytes until the server closes the connection."""
        try:
            while True:
                self.more()
        except EOFError:
            rest, self._bytes = self._bytes, b""
            return rest

    def end(self):
        """Return "end" if the server closes the connection now, or the bytes that come before."""
        return self.rest().decode("latin-1") or "end"


def short(answer):
    """Return an answer as JSON data, without most of a large body."""
    return {
        "status": answer["status"],
        "body": answer["body"][:300].decode(errors="replace"),
        "size": len(answer["body"]),
        "connection": answer["headers"].get("connection", ""),
        "retry_after": answer["headers"].get("retry-after"),
    }


def half_close(sock):
    """Send nothing more, and go on receiving."""
    socket.socket.shutdown(sock, socket.SHUT_WR)  # ssl's own method ends TLS in both directions


def reset(sock):
    """Close a connection with a reset, as a client does that is killed."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
