"""Requests to one registry: the address, the login, and failures in the registry's words."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import email.utils
import re
from collections.abc import Collection, Iterator, Mapping
from urllib.parse import urljoin, urlsplit

from build.errors import RegistryError
from build.registry import failures
from build.registry.address import Registry
from build.registry.authentication import Authenticator
from build.system.http import Body, HttpClient
from build.system.http_failures import HttpError
from build.system.http_response import Response, Stream
from build.system.retries import is_rate_limit, is_temporary, is_unsettled

# Docker Hub's references and its registry have different hosts.
_DOCKER_HUB = ("docker.io", "index.docker.io")
_DOCKER_HUB_REGISTRY = "registry-1.docker.io"

#: Bytes that are read of an answer with an error status.
_MOST_WORDS = 64_000
#: What a registry answers to the content of an upload if its token has expired, or if it does not know the upload.
_BEGIN_AGAIN = (401, 404, 416)

_NEXT = re.compile(r'<([^>]*)>\s*;[^,<]*\brel="?next\b')


class Connection:
    """Sends requests below ``/v2/``. Threads may share it.

    Args:
        registry: The registry.
        http: Sends the requests; None: a client of its own, with the usual retries.
    """

    def __init__(self, registry: Registry, http: HttpClient | None = None) -> None:
        self.registry = registry
        # This machine's registry is not behind the machine's proxy.
        self._http = http or HttpClient(proxies=not registry.insecure)
        self._authenticator = Authenticator(registry, self._http)
        host = _DOCKER_HUB_REGISTRY if registry.host in _DOCKER_HUB else registry.host
        #: The registry's clock minus this machine's, by the header ``Date`` of its last answer; zero without one.
        self.clock_difference = datetime.timedelta()
        self._root = f"{'http' if registry.insecure else 'https'}://{host}/v2/"

    def close(self) -> None:
        """Close the connections, and end the waits of other threads."""
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        doing: str,
        scopes: Collection[str] = (),
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        accept: Collection[int] = (),
        timeout: float | None = None,
    ) -> Response:
        """Send a request, with the login where the registry asks for it.

        Args:
            method: ``GET``, ``HEAD``, …. All may be sent again: the POST of this protocol only opens an upload.
            path: Below ``/v2/``, or a whole address that the registry gave.
            doing: The request in words, for failures: ``reading acme/one:latest``.
            scopes: What a token must allow: ``repository:acme/one:pull``.
            headers: Further headers.
            body: The body. One that is made piece by piece is sent once: the failure says whether another attempt may
                succeed.
            accept: Error statuses that are an answer for the caller.
            timeout: Seconds of silence that are waited for; None: the usual ones.

        Raises:
            RegistryError: The registry is not there, refuses, or fails.
        """
        wanted = frozenset(scopes)
        url, is_own = self._url(path, doing)
        login = self._authenticator.header(wanted) if is_own else None
        response = self._send(method, url, headers, body, login, doing, timeout)
        is_whole = body is None or isinstance(body, bytes)
        if response.status == 401 and is_own:
            renewed = self._authenticator.answer(response, wanted, login)
            if renewed is not None and is_whole:
                again = self._send(method, url, headers, body, renewed, doing, timeout)
                response = dataclasses.replace(again, unsettled=response.unsettled or again.unsettled)
        if response.ok or response.status in accept:
            return response
        failed = self._failed(response, doing)
        failed.may_pass = not is_whole and _may_pass(
            response
        )  # the client repeats whole ones itself, until it gives up
        raise failed

    @contextlib.contextmanager
    def stream(self, path: str, *, doing: str, scopes: Collection[str]) -> Iterator[Stream]:
        """Send a GET request, and read its answer piece by piece.

        Raises:
            RegistryError: The registry is not there, refuses, or fails.
            HttpError: The connection failed while the answer was read.
        """
        wanted = frozenset(scopes)
        url, _ = self._url(path, doing)
        with contextlib.ExitStack() as stack:
            login = self._authenticator.header(wanted)
            answer = self._open(stack, url, login, doing)
            if answer.response.status == 401:
                renewed = self._authenticator.answer(answer.response, wanted, login)
                if renewed is not None:
                    stack.close()
                    answer = self._open(stack, url, renewed, doing)
            if not answer.response.ok:
                raise self._failed(dataclasses.replace(answer.response, content=answer.read(_MOST_WORDS)), doing)
            yield answer

    def _open(self, stack: contextlib.ExitStack, url: str, login: str | None, doing: str) -> Stream:
        headers = {"Accept-Encoding": "identity", **({"Authorization": login} if login else {})}
        try:
            return stack.enter_context(self._http.stream(url, headers=headers))
        except HttpError as failure:
            raise self._unanswered(failure, doing) from failure

    def _url(self, path: str, doing: str) -> tuple[str, bool]:
        """Return an address, and whether it is the registry's: an upload may go to another server, without login."""
        try:
            url = urljoin(self._root, path)
            return url, _server(url) == _server(self._root)
        except ValueError as failure:  # an address that the registry gave
            raise failures.not_a_registry(self.registry, doing, f"{path}: {failure}") from failure

    def _failed(self, response: Response, doing: str) -> RegistryError:
        failed = failures.from_response(self.registry, response, doing, logged_in=self._authenticator.logged_in)
        failed.maybe_done = response.unsettled or is_unsettled(response.status)
        return failed

    def _unanswered(self, failure: HttpError, doing: str) -> RegistryError:
        unanswered = failures.from_http(self.registry, failure, doing)
        unanswered.maybe_done = unanswered.is_unanswered = True
        return unanswered

    def pages(self, path: str, *, doing: str, scopes: Collection[str]) -> Iterator[Response]:
        """Read a list page by page, as the header ``Link`` leads; nothing where the registry answers 404.

        Raises:
            RegistryError: The registry is not there, refuses, or fails.
        """
        following: str | None = path
        seen: set[str] = set()
        while following and following not in seen:
            seen.add(following)
            response = self.request("GET", following, doing=doing, scopes=scopes, accept=(404,))
            if response.status == 404:
                return
            yield response
            following = _next_page(response)

    def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        body: Body | None,
        login: str | None,
        doing: str,
        timeout: float | None,
    ) -> Response:
        # Compressed in transport, a blob would not be what its digest says.
        sent = {"Accept-Encoding": "identity", **(headers or {}), **({"Authorization": login} if login else {})}
        may_repeat = body is None or isinstance(body, bytes)
        try:
            response = self._http.request(method, url, headers=sent, body=body, retry=may_repeat, timeout=timeout)
        except HttpError as failure:
            unanswered = self._unanswered(failure, doing)
            unanswered.may_pass = failure.again and not may_repeat
            raise unanswered from failure
        if _server(response.url) == _server(self._root):
            with contextlib.suppress(ValueError, TypeError):
                date = email.utils.parsedate_to_datetime(response.headers.get("Date") or "")
                self.clock_difference = date.replace(tzinfo=datetime.UTC) - datetime.datetime.now(datetime.UTC)
        return response


def _may_pass(response: Response) -> bool:
    limited = is_rate_limit(response.status, response.headers, response.content)
    return limited or is_temporary(response.status) or response.status in _BEGIN_AGAIN


def _server(url: str) -> tuple[str, str | None, int]:
    """The scheme, host and port of an address."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _next_page(response: Response) -> str | None:
    """The address in ``Link: </v2/…?last=x>; rel="next"``, which may be one of several (RFC 8288)."""
    found = _NEXT.search(response.headers.get("Link") or "")
    return urljoin(response.url, found[1]) if found else None
