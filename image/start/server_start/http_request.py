"""Reads HTTP requests from bytes that arrive in pieces. gunicorn parses the head; this module finds where it ends.

gunicorn's own parser reads from a blocking socket, one thread for each client that is slow. Here a request is parsed
when its head is complete, and its body is collected as it arrives.
"""

from __future__ import annotations

import io
import re
from typing import Any

from gunicorn.http.body import ChunkedReader, LengthReader
from gunicorn.http.errors import (
    ChunkMissingTerminator,
    InvalidChunkSize,
    InvalidHeader,
    LimitRequestHeaders,
    NoMoreData,
)
from gunicorn.http.message import Request
from gunicorn.http.unreader import Unreader

#: The end of a head. Some clients end lines with a bare LF, which gunicorn answers or refuses by itself.
_END_OF_HEAD = re.compile(rb"\n\r?\n")
#: A chunk's size, and an extension that is ignored (RFC 9112, section 7.1).
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]*)?")
#: Bytes. nginx, in front of the original images, allowed half as many.
_LARGEST_HEAD = 64 * 1024
#: Bytes. gunicorn's own limit of a header line.
_LONGEST_CHUNK_LINE = 8190


class _Bytes(Unreader):  # type: ignore[misc]  # gunicorn has no types
    """What gunicorn's parser reads from: bytes that have arrived."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._data = data

    def chunk(self, size_hint: int | None = None) -> bytes:
        data, self._data = self._data, b""
        return data


class Head:
    """A request whose head has arrived.

    Attributes:
        request: gunicorn's request.
        body: Collects the body; it has arrived when `Body.complete` is true.
        expects_continue: The client sends the body after it got "100 Continue".
    """

    def __init__(self, request: Any) -> None:
        self.request = request
        reader = request.body.reader
        if isinstance(reader, ChunkedReader):
            self.body: Body = ChunkedBody(request.limit_request_field_size, request.max_buffer_headers)
        else:
            self.body = Body(reader.length if isinstance(reader, LengthReader) else 0)
        self.expects_continue = request.version >= (1, 1) and any(
            name == "EXPECT" and value.lower() == "100-continue" for name, value in request.headers
        )


class Body:
    """The body of a request with a Content-Length.

    Args:
        length: Its length in bytes.
    """

    def __init__(self, length: int) -> None:
        self._missing = length
        self.content = io.BytesIO()
        #: Bytes that have arrived.
        self.size = 0
        #: Bytes that are known to be still missing.
        self.expected = length

    @property
    def complete(self) -> bool:
        """True if all of it has arrived."""
        return self._missing == 0

    def feed(self, data: bytes) -> bytes:
        """Take what belongs to the body.

        Returns:
            The rest, which belongs to the next request.

        Raises:
            ParseException: The body is malformed (chunks only).
        """
        mine, rest = (data, b"") if len(data) <= self._missing else (data[: self._missing], data[self._missing :])
        self._add(mine)
        self._missing -= len(mine)
        self.expected = self._missing
        return rest

    def _add(self, data: bytes) -> None:
        self.content.write(data)
        self.size += len(data)


class ChunkedBody(Body):
    """A body that is sent in chunks (RFC 9112, section 7.1). Trailers are checked for their size and dropped.

    gunicorn's own reader cannot be used: it blocks until a chunk has arrived.

    Args:
        longest_line: The largest line with a chunk's size, in bytes.
        largest_trailer: The largest trailer section, in bytes.
    """

    def __init__(self, longest_line: int, largest_trailer: int) -> None:
        super().__init__(0)
        self._longest_line = longest_line or _LONGEST_CHUNK_LINE
        self._largest_trailer = largest_trailer
        self._buffer = b""
        self._in_trailers = False
        self._complete = False

    @property
    def complete(self) -> bool:
        """True if the last chunk and the trailers have arrived."""
        return self._complete

    def feed(self, data: bytes) -> bytes:
        """Take what belongs to the body; see `Body.feed`."""
        while data and not self._complete:
            if self._missing > 2:  # of the chunk and the CRLF after it
                mine = data[: self._missing - 2]
                self._add(mine)
                self._missing -= len(mine)
                data = data[len(mine) :]
            elif self._missing:
                self._buffer, data = self._buffer + data[: self._missing], data[self._missing :]
                self._missing = 2 - len(self._buffer)
                if not b"\r\n".startswith(self._buffer):
                    raise ChunkMissingTerminator(self._buffer)
                if not self._missing:
                    self._buffer = b""
            else:
                data = self._line(data)
        self.expected = self._missing
        return data

    def _line(self, data: bytes) -> bytes:
        """Take a line: a chunk's size or a trailer. Returns the rest."""
        end = data.find(b"\n") + 1
        self._buffer += data[:end] if end else data
        limit = self._largest_trailer if self._in_trailers else self._longest_line
        if len(self._buffer) > limit:
            if self._in_trailers:
                raise LimitRequestHeaders("the trailers are too large")
            raise InvalidChunkSize(self._buffer[:20])
        if not end:
            return b""
        line, self._buffer = self._buffer, b""
        if not line.endswith(b"\r\n"):
            raise InvalidHeader("bare LF as line terminator") if self._in_trailers else InvalidChunkSize(line[:20])
        if self._in_trailers:
            self._largest_trailer -= len(line)
            self._complete = line == b"\r\n"
        else:
            size = _CHUNK_SIZE.fullmatch(line[:-2])
            if size is None:
                raise InvalidChunkSize(line[:20])
            length = int(size.group(1), 16)
            self._in_trailers = length == 0
            self._missing = length + 2 if length else 0
        return data[end:]


def read_head(data: bytearray, seen: int, cfg: Any, client: tuple[str, int], number: int) -> tuple[Head, bytes] | None:
    """Parse the head of a request.

    Args:
        data: What has arrived, from the start of the request.
        seen: How many of its bytes earlier calls have looked at.
        cfg: gunicorn's configuration.
        client: The client's address.
        number: The number of the request on its connection, from 1.

    Returns:
        The head, and the bytes after it; None if it is not complete.

    Raises:
        ParseException: The head is malformed or too large (gunicorn's errors).
    """
    if _END_OF_HEAD.search(data, max(0, seen - 2)) is None and len(data) < _largest_head(cfg):
        return None
    source = _Bytes(bytes(data))
    try:
        request = Request(cfg, source, client, number)
    except (NoMoreData, StopIteration):
        if len(data) >= _largest_head(cfg):
            raise LimitRequestHeaders("the head of the request is too large") from None
        return None
    return Head(request), source.read()


def _largest_head(cfg: Any) -> int:
    """Bytes of a head at most: clients that send heads without end must not fill the memory."""
    longest_lines: int = cfg.limit_request_line + cfg.limit_request_field_size
    return max(_LARGEST_HEAD, longest_lines)
