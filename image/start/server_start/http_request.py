"""Reads HTTP requests from bytes that arrive in pieces: finds where the head ends, and collects the body.

Plain heads are parsed by `plain_request`, all others by gunicorn. Its parser reads from a blocking socket, one thread
for each client that is slow; here it gets a head that is complete.
"""

from __future__ import annotations

import io
import re
from typing import Any

from gunicorn.http.errors import (
    ChunkMissingTerminator,
    InvalidChunkSize,
    InvalidHeader,
    LimitRequestHeaders,
    NoMoreData,
)
from gunicorn.http.message import Request

from server_start.plain_request import Arrived, PlainReader, PlainRequest

#: The end of a head. Some clients end lines with a bare LF, which gunicorn answers or refuses by itself.
_END_OF_HEAD = re.compile(rb"\n\r?\n")
#: RFC 9110, section 8.6.
_DIGITS = re.compile("[0-9]{1,18}")
#: A token and a quoted string (RFC 9110, section 5.6).
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
#: A chunk's size, and extensions, which are ignored (RFC 9112, section 7.1.1).
_CHUNK_SIZE = re.compile(
    rb"([0-9a-fA-F]{1,15})(?:[ \t]*;[ \t]*"
    + _TOKEN
    + rb"(?:[ \t]*=[ \t]*(?:"
    + _TOKEN
    + rb"|"
    + _QUOTED
    + rb"))?)*\r\n"
)
#: Bytes.
_LARGEST_TRAILERS = 64 * 1024
#: Bytes. nginx, in front of the original images, allowed half as many.
_LARGEST_HEAD = 64 * 1024
#: Bytes. gunicorn's own limit of a header line.
_LONGEST_CHUNK_LINE = 8190


class Head:
    """A request whose head has arrived.

    Args:
        request: gunicorn's request.

    Attributes:
        body: Collects the body; it has arrived when `Body.complete` is true.
        chunked: The body is sent in chunks.
        expects_continue: The client sends the body after it got "100 Continue".

    Raises:
        InvalidHeader: It is not certain where the request ends. gunicorn 20.1 accepts some of these heads, and the
            next request on the connection could then be a part of this one's body (request smuggling).
    """

    def __init__(self, request: Any) -> None:
        self.request = request
        self.chunked = self.expects_continue = False
        self.body: Body
        if isinstance(request, PlainRequest):
            self.body = Body(request.length)
            return
        lengths = [value for name, value in request.headers if name == "CONTENT-LENGTH"]
        codings = [value for name, value in request.headers if name == "TRANSFER-ENCODING"]
        if len(lengths) > 1 or any(not _DIGITS.fullmatch(value) for value in lengths):
            raise InvalidHeader("CONTENT-LENGTH", req=request)
        if codings and (lengths or request.version != (1, 1) or [one.lower() for one in codings] != ["chunked"]):
            raise InvalidHeader("TRANSFER-ENCODING", req=request)
        self.chunked = bool(codings)
        self.body = ChunkedBody(request) if self.chunked else Body(int(lengths[0]) if lengths else 0)
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

    def written(self, head: bytes) -> bytes:
        """Return the request's bytes, as this body's reader takes them.

        Args:
            head: Its head.
        """
        return head + self.content.getvalue()

    def _add(self, data: bytes) -> None:
        self.content.write(data)
        self.size += len(data)


class ChunkedBody(Body):
    """A body that is sent in chunks (RFC 9112, section 7.1).

    gunicorn's own reader cannot be used: it blocks until a chunk has arrived.

    Args:
        request: gunicorn's request, which checks the trailers; they are dropped.
    """

    def __init__(self, request: Any) -> None:
        super().__init__(0)
        self._request = request
        self._longest_line: int = request.limit_request_field_size or _LONGEST_CHUNK_LINE
        #: A line that has not arrived completely, or the trailers.
        self._line = b""
        self._in_trailers = False
        #: The CRLF after a chunk is missing.
        self._after_chunk = False
        self._complete = False

    @property
    def complete(self) -> bool:
        """True if the last chunk and the trailers have arrived."""
        return self._complete

    def feed(self, data: bytes) -> bytes:
        """Take what belongs to the body; see `Body.feed`."""
        position = 0
        while position < len(data) and not self._complete:
            if self._missing:
                end = min(len(data), position + self._missing)
                self._add(data[position:end])
                self._missing -= end - position
                self._after_chunk = not self._missing
                position = end
                continue
            newline = data.find(b"\n", position)
            end = newline + 1 or len(data)
            self._line += data[position:end]
            position = end
            if len(self._line) > (_LARGEST_TRAILERS if self._in_trailers else self._longest_line):
                if self._in_trailers:
                    raise LimitRequestHeaders("the trailers are too large")
                raise InvalidChunkSize(self._line[:20])
            if newline >= 0:
                self._take_line()
        self.expected = self._missing
        return data[position:]

    def written(self, head: bytes) -> bytes:
        """Return the request's bytes: the body in one chunk, without trailers."""
        chunk = b"%x\r\n%b\r\n" % (self.size, self.content.getvalue()) if self.size else b""
        return head + chunk + b"0\r\n\r\n"

    def _take_line(self) -> None:
        """A line has arrived completely."""
        line = self._line
        if self._in_trailers:
            if not line.endswith(b"\r\n"):
                raise InvalidHeader("bare LF as line terminator")
            self._complete = line.endswith(b"\r\n\r\n") or line == b"\r\n"
            if self._complete:
                self._check_trailers(line[:-4])
            return
        self._line = b""
        if self._after_chunk:
            if line != b"\r\n":
                raise ChunkMissingTerminator(line[:20])
            self._after_chunk = False
            return
        size = _CHUNK_SIZE.fullmatch(line)
        if size is None:
            raise InvalidChunkSize(line[:20])
        self._missing = int(size.group(1), 16)
        self._in_trailers = not self._missing

    def _check_trailers(self, lines: bytes) -> None:
        if not lines:
            return
        try:
            self._request.parse_headers(lines, from_trailer=True)
        except TypeError:  # gunicorn 20.1
            self._request.parse_headers(lines)


class HeadReader:
    """Reads heads.

    Args:
        cfg: gunicorn's configuration.
    """

    def __init__(self, cfg: Any) -> None:
        self._cfg = cfg
        self.plain = PlainReader(cfg)
        longest_lines: int = cfg.limit_request_line + cfg.limit_request_field_size
        #: Bytes of a head at most: clients that send heads without end must not fill the memory.
        self._largest = max(_LARGEST_HEAD, longest_lines)

    def read(self, data: bytearray, seen: int, client: tuple[str, int], number: int) -> tuple[Head, bytes] | None:
        """Parse the head of a request.

        Args:
            data: What has arrived, from the start of the request.
            seen: How many of its bytes earlier calls have looked at.
            client: The client's address.
            number: The number of the request on its connection, from 1.

        Returns:
            The head, and the bytes after it; None if it is not complete.

        Raises:
            ParseException: The head is malformed or too large (gunicorn's errors).
        """
        end = _END_OF_HEAD.search(data, max(0, seen - 2))
        if end is None and len(data) < self._largest:
            return None
        if end is not None and end.end() - end.start() == 3:
            plain = self.plain.read(bytes(data[: end.end()]), client, number)
            if plain is not None:
                return Head(plain), bytes(data[end.end() :])
        source = Arrived(bytes(data))
        try:
            request = Request(self._cfg, source, client, number)
        except (NoMoreData, StopIteration):
            if len(data) >= self._largest:
                raise LimitRequestHeaders("the head of the request is too large") from None
            return None
        return Head(request), source.read()
