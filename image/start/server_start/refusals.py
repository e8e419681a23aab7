"""Answers to requests that do not reach the server's WSGI application, in the form of its own errors."""

from __future__ import annotations

_TOO_BUSY = b'{"message": "The server has too many requests. Try again later."}'
_TOO_LARGE = b'{"message": "The body of the request is too large for the memory of the container."}'
_FAILED = b'{"message": "An unexpected internal error occurred. Check the logs for more info."}'
_INCOMPLETE = b'{"message": "The body of the request is shorter than its Content-Length."}'


def too_busy() -> bytes:
    """Return the answer to a request for which there is no room now: status 503 with Retry-After, in seconds."""
    return _answer(b"503 Service Unavailable\r\nRetry-After: 1", _TOO_BUSY)


def too_large() -> bytes:
    """Return the answer to a request that the container's memory cannot hold: status 413."""
    return _answer(b"413 Request Entity Too Large", _TOO_LARGE)


def failed() -> bytes:
    """Return the answer to a request whose failure could not even be logged: status 500."""
    return _answer(b"500 Internal Server Error", _FAILED)


def incomplete() -> bytes:
    """Return the answer to a client that went away, or announced a wrong length: status 400."""
    return _answer(b"400 Bad Request", _INCOMPLETE)


def _answer(status: bytes, message: bytes) -> bytes:
    head = b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (status, len(message)) + message
