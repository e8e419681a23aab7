"""One client's connection: its state, and what has arrived and is to be sent. `network.Network` works on it."""

from __future__ import annotations

import socket
from collections import deque
from typing import TYPE_CHECKING, Any

from server_start.http_request import Head

if TYPE_CHECKING:
    from server_start.exchange import Exchange

#: The TLS handshake is not complete.
HANDSHAKE = "handshake"
#: A request is being received, or the next one is awaited.
READING = "reading"
#: A request has been received and is not answered completely.
ANSWERING = "answering"
#: Everything is sent; what the client still sends is discarded, so that it gets the answer (RFC 9112, section 9.6).
LINGERING = "lingering"
CLOSED = "closed"


class Connection:
    """A client's connection.

    Args:
        sock: Non-blocking; an `ssl.SSLSocket` if it is encrypted.
        client: The client's address.
        server: The address that the client connected to.
        encrypted: It speaks TLS.
    """

    __slots__ = (
        "buffer",
        "client",
        "encrypted",
        "exchange",
        "fd",
        "head",
        "out",
        "raw",
        "requests",
        "seen",
        "server",
        "since",
        "sock",
        "state",
        "then",
        "unread",
        "watched",
    )

    def __init__(self, sock: socket.socket, client: tuple[str, int], server: tuple[str, int], encrypted: bool) -> None:
        self.sock: Any = sock
        self.fd = sock.fileno()
        self.client = client
        self.server = server
        self.encrypted = encrypted
        self.state = HANDSHAKE if encrypted else READING
        #: Requests received completely so far.
        self.requests = 0
        #: What has arrived of the next request's head, or after the current request.
        self.buffer = bytearray()
        #: How many bytes of the buffer have been looked at.
        self.seen = 0
        #: The request that is being received, once its head has arrived.
        self.head: Head | None = None
        #: The head of the current request: with it, another worker can take the request over.
        self.raw = b""
        #: The request that is being answered.
        self.exchange: Exchange | None = None
        #: What is still to be sent.
        self.out: deque[memoryview] = deque()
        #: What follows the answer's bytes: see `exchange`.
        self.then = ""
        #: The current request was not read to its end.
        self.unread = False
        #: When the client last sent or received something (`time.monotonic`).
        self.since = 0.0
        #: The events that the network loop watches for this connection.
        self.watched = 0

    @property
    def kept(self) -> bool:
        """True if it is kept alive: it had a request, and nothing of the next one has arrived."""
        return self.state == READING and self.requests > 0 and not self.buffer and self.head is None

    @property
    def untouched(self) -> bool:
        """True if the client has not sent anything yet."""
        return self.state in (HANDSHAKE, READING) and self.requests == 0 and not self.buffer and self.head is None
