"""Reads the heads that clients usually send, in a tenth of the time that gunicorn's parser takes.

It only knows what is beyond doubt: HTTP/1.1, a path of unreserved characters, header names without underscores, values
of printable ASCII, no name twice, and no header with which gunicorn does more than to pass it on. For such heads it
gives what gunicorn gives; gunicorn itself reads all others, and refuses what is to be refused.
"""

from __future__ import annotations

import os
import re
from typing import Any

from gunicorn.http import wsgi
from gunicorn.http.message import Request
from gunicorn.http.unreader import Unreader

#: The request line: a path (RFC 3986, section 3.3) that needs no decoding, and a query.
_LINE = re.compile(
    r"(DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT) "
    r"((/(?!/)[A-Za-z0-9\-._~/]*)(?:\?([A-Za-z0-9\-._~/?!$&'()*+,;=:@%]*))?)"
    r" HTTP/1\.1\r\n"
)
#: Header lines.
_LINES = re.compile(r"(?:[A-Za-z0-9!#$%&'*+\-.^`|~]+:[\t -~]*\r\n)+")
_DIGITS = re.compile(r"[0-9]{1,18}")
#: Headers with which gunicorn, or the reader of the body, does more than to pass them on.
_SPECIAL = frozenset(("EXPECT", "TRANSFER-ENCODING"))
#: The names in the environment that have no HTTP_ (RFC 3875, section 4.1).
_KEYS = {"CONTENT-LENGTH": "CONTENT_LENGTH", "CONTENT-TYPE": "CONTENT_TYPE"}
#: Bytes. gunicorn reads longer lines only with settings that are rare.
_LONGEST_LINE = 8190
#: What `gunicorn.http.wsgi.create` takes from the request and its connection: each request has its own.
_OWN = (
    "wsgi.input",
    "wsgi.early_hints",
    "gunicorn.socket",
    "REQUEST_METHOD",
    "QUERY_STRING",
    "RAW_URI",
    "HTTP_HOST",
    "REMOTE_ADDR",
    "REMOTE_PORT",
    "SERVER_NAME",
    "SERVER_PORT",
    "PATH_INFO",
)


#: gunicorn 20.1 has none.
_early_hints = getattr(wsgi, "_make_early_hints_callback", None)


class PlainRequest(Request):  # type: ignore[misc]  # gunicorn has no types
    """A request that `PlainReader` has read. For hooks and logs, it is gunicorn's.

    Args:
        attributes: All of them.
        environ: Its environment, without what depends on the connection.
    """

    def __init__(self, attributes: dict[str, Any], environ: dict[str, Any]) -> None:
        self.__dict__ = attributes
        self._environ = environ
        #: Bytes of its body.
        self.length = int(environ.get("CONTENT_LENGTH", 0))

    def create(self, sock: Any, client: tuple[str, int], server: tuple[str, int]) -> tuple[Any, dict[str, Any]]:
        """Build a response and the environment, as `gunicorn.http.wsgi.create` does. Call it once.

        Args:
            sock: What the response is written to.
            client: The client's address.
            server: The address that the client connected to.
        """
        response = wsgi.Response(self, sock, self.cfg)
        # Not kept: the environment, which gets the body, refers to the request, and would be freed with a delay.
        environ, self._environ = self._environ, {}
        environ["gunicorn.socket"] = sock
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = client[0], str(client[1])
        environ["SERVER_NAME"], environ["SERVER_PORT"] = server[0], str(server[1])
        if _early_hints is not None:
            environ["wsgi.early_hints"] = _early_hints(self, sock, response)
        return response, environ


class Arrived(Unreader):  # type: ignore[misc]  # gunicorn has no types
    """What gunicorn's parser reads from: bytes that have arrived."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._data = data

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return all of them, then none."""
        data, self._data = self._data, b""
        return data


class PlainReader:
    """Reads plain heads, and builds their environments.

    Args:
        cfg: gunicorn's configuration.
    """

    def __init__(self, cfg: Any) -> None:
        self._cfg = cfg
        self._line_limit = min(cfg.limit_request_line or _LONGEST_LINE, _LONGEST_LINE)
        self._field_limit = min(cfg.limit_request_field_size or _LONGEST_LINE, _LONGEST_LINE)
        self._most_fields: int = cfg.limit_request_fields
        self._special = _SPECIAL.union(cfg.secure_scheme_headers)
        #: With these settings gunicorn reads all.
        self._off = (
            bool(os.environ.get("SCRIPT_NAME")) or min(self._line_limit, self._field_limit, self._most_fields) <= 0
        )
        self._attributes: dict[str, Any] = {}
        self._environ: dict[str, Any] = {}

    def read(self, head: bytes, client: tuple[str, int], number: int) -> PlainRequest | None:
        """Read a head.

        Args:
            head: It, with the empty line at its end.
            client: The client's address.
            number: The number of the request on its connection, from 1.

        Returns:
            The request; None if it is not plain.
        """
        if self._off:
            return None
        text = head.decode("latin-1")
        line = _LINE.match(text)
        if line is None or _LINES.fullmatch(text, line.end(), len(text) - 2) is None:
            return None
        start = line.end()
        fields = text[start:-4].split("\r\n")
        if start > self._line_limit or len(text) - start > self._field_limit or len(fields) > self._most_fields:
            return None
        pairs = [field.partition(":") for field in fields]
        headers = [(name.upper(), value.strip(" \t")) for name, _, value in pairs]
        values = dict(headers)
        if len(values) != len(headers) or "HOST" not in values or not self._special.isdisjoint(values):
            return None
        if _DIGITS.fullmatch(values.get("CONTENT-LENGTH", "0")) is None:
            return None
        if not self._environ:
            self._learn(client)
        method, uri, path, query = line.groups()
        attributes, environ = self._attributes.copy(), self._environ.copy()
        attributes["method"] = environ["REQUEST_METHOD"] = method
        attributes["uri"] = environ["RAW_URI"] = uri
        attributes["path"] = environ["PATH_INFO"] = path
        attributes["query"] = environ["QUERY_STRING"] = query or ""
        attributes["headers"] = headers
        attributes["peer_addr"] = attributes["remote_addr"] = client
        attributes["req_number"] = number
        for name, value in headers:
            key = _KEYS.get(name) or "HTTP_" + name.replace("-", "_")
            environ[key] = value
        return PlainRequest(attributes, environ)

    def _learn(self, client: tuple[str, int]) -> None:
        """Let gunicorn read a head, for what all requests have in common."""
        request = Request(self._cfg, Arrived(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), client, 1)
        _, environ = wsgi.create(request, None, client, ("localhost", 0), self._cfg)
        self._attributes = vars(request)
        self._environ = {name: value for name, value in environ.items() if name not in _OWN}
