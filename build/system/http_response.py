"""The answer to an HTTP request."""

from __future__ import annotations

import http
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import urllib3

from build.system.http_failures import StatusError, from_library, host_of


@dataclass(frozen=True, kw_only=True)
class Response:
    """An answer, whatever its status."""

    #: The address that answered, after redirects.
    url: str
    status: int
    #: Names are found in any case.
    headers: Mapping[str, str]
    #: The body, decompressed; empty in an answer of `HttpClient.stream`, whose body is read from the stream.
    content: bytes
    #: Why a failed request was not sent again; empty where it did not fail.
    gave_up: str = ""
    #: Whether an earlier attempt may still be carried out: nothing answered it, or a proxy that had no answer.
    unsettled: bool = False

    @property
    def ok(self) -> bool:
        """Whether the request was carried out; a redirect that was not followed is no success."""
        return self.status < 300

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", errors="replace")

    def json(self) -> Any:
        """Parse the body.

        Raises:
            ValueError: It is not JSON.
        """
        return json.loads(self.content)

    def raise_for_status(self) -> Response:
        """Return the answer itself.

        Raises:
            StatusError: The status is 300 or above.
        """
        if self.ok:
            return self
        raise StatusError(
            f"{host_of(self.url)} answered {status_text(self.status)}",
            url=self.url,
            status=self.status,
            details="\n".join(line for line in (self.text[:600].strip(), self.gave_up) if line),
        )


class Stream:
    """An answer whose body is read piece by piece."""

    def __init__(self, response: Response, body: urllib3.BaseHTTPResponse, timeout: float) -> None:
        self.response = response
        self._body = body
        self._timeout = timeout

    def read(self, count: int | None = None) -> bytes:
        """Read the next ``count`` bytes, fewer at the end; None reads the rest.

        Raises:
            HttpError: The connection failed.
        """
        try:
            return self._body.read(count)
        except (urllib3.exceptions.HTTPError, OSError) as failure:
            raise from_library(failure, self.response.url, timeout=self._timeout) from failure


def status_text(status: int) -> str:
    """A status with its name: ``HTTP 429 (Too Many Requests)``."""
    try:
        return f"HTTP {status} ({http.HTTPStatus(status).phrase})"
    except ValueError:
        return f"HTTP {status}"
