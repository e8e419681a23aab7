"""Requests to package indexes, through the one HTTP client of ``build.system.http``.

Effects: the network; reads netrc (``~/.netrc``, or the file that the variable ``NETRC`` names).
"""

from __future__ import annotations

import base64
import io
import netrc
import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from build.system.http import HttpClient
from build.system.http_response import Response
from build.system.retries import RetryPolicy

#: An index is often one of several that may have a package: a failing one is given up after about a second.
_POLICY = RetryPolicy(attempts=3, first_wait=0.3, longest_wait=10.0)


class IndexClient:
    """An HTTP client with the logins of package indexes: those in their URLs, or in netrc. Threads may share it.

    Args:
        http: Sends the requests; a client with the retries of indexes if None.
    """

    def __init__(self, http: HttpClient | None = None) -> None:
        self._http = http or HttpClient(policy=_POLICY)

    def read(self, url: str, *, headers: Mapping[str, str] | None = None) -> Response:
        """Send a GET request and return the answer, whatever its status.

        Args:
            url: The address, possibly with user and password.
            headers: Headers in addition to the login.

        Raises:
            HttpError: There is no usable answer.
        """
        bare, login = split_login(url)
        return self._http.get(bare, headers={**(headers or {}), **login})

    def get(self, url: str, *, headers: Mapping[str, str], stream: bool = True) -> Part:
        """Return a part of a file: what remotezip asks of a session of requests.

        Args:
            url: The file's address, possibly with user and password.
            headers: Headers in addition to the login; ``Range`` says which part.
            stream: Ignored; a part is small.

        Raises:
            HttpError: There is no usable answer, or its status is 400 or above.
        """
        bare, login = split_login(url)
        with self._http.stream(bare, headers={**headers, **login}) as answer:
            answer.response.raise_for_status()
            # A server that ignores ranges sends the whole file, which may have half a gigabyte: it is not read.
            content = answer.read() if "Content-Range" in answer.response.headers else b""
        return Part(headers=answer.response.headers, raw=io.BytesIO(content))


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a file, with the names that remotezip uses."""

    headers: Mapping[str, str]
    raw: io.BytesIO

    def raise_for_status(self) -> None:
        """Do nothing: an error status was raised before."""


def split_login(url: str) -> tuple[str, dict[str, str]]:
    """Return a URL without user and password, and the header that carries them, or those that netrc has for its host.

    Args:
        url: ``https://user:password@index.example/simple/``.
    """
    parts = urlsplit(url)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    if parts.username is not None:
        login: tuple[str, str] | None = (unquote(parts.username), unquote(parts.password or ""))
    else:
        login = _netrc_login(parts.hostname or "")
    if login is None:
        return bare, {}
    return bare, {"Authorization": f"Basic {base64.b64encode(':'.join(login).encode()).decode()}"}


def with_netrc_login(url: str) -> str:
    """Return a URL with the login that netrc has for its host; one that is in the URL already stays.

    Args:
        url: ``https://index.example/simple/``.
    """
    parts = urlsplit(url)
    login = None if "@" in parts.netloc else _netrc_login(parts.hostname or "")
    if login is None:
        return url
    user, password = (quote(text, safe="") for text in login)
    return parts._replace(netloc=f"{user}:{password}@{parts.netloc}").geturl()


def _netrc_login(host: str) -> tuple[str, str] | None:
    try:
        entry = netrc.netrc(os.environ.get("NETRC")).authenticators(host)
    except (OSError, netrc.NetrcParseError):
        return None
    return (entry[0], entry[2] or "") if entry else None
