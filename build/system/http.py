"""The one HTTP client: certificates, proxies, timeouts, and retries that a person can see.

Certificates come from `build.system.certificates`. Proxies come from the environment (``HTTPS_PROXY``, ``HTTP_PROXY``,
``ALL_PROXY``; ``NO_PROXY`` lists hosts, domains and networks that are reached directly). urllib3 does the rest: a HEAD
request costs half the CPU time that it costs with requests.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import urljoin, urlsplit

import urllib3

from build.system import console, retries
from build.system.http_connections import new_manager, proxy_of
from build.system.http_failures import (
    HttpError,
    NoAnswerError,
    ProxyFailedError,
    StoppedError,
    TimedOutError,
    from_library,
    host_of,
)
from build.system.http_response import Response, Stream, status_text
from build.system.proxies import PROXY_FIX
from build.system.retries import IDEMPOTENT, RetryPolicy

#: Seconds to connect.
CONNECT_TIMEOUT = 10.0
#: Seconds between two packets of an answer.
READ_TIMEOUT = 30.0

#: The body of a request. One that is made piece by piece is sent once: it needs the header ``Content-Length``.
Body = bytes | Iterable[bytes]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 10


class HttpClient:
    """Sends requests; a context manager. Threads may share it.

    Args:
        timeout: Seconds between two packets of an answer.
        policy: How often a request is sent, and how long a server may ask to wait.
        proxies: Whether the environment's proxies are used.
        headers: Sent with each request.
        notify: Gets a line before each wait; the default prints it as a warning.
        wait: Waits for some seconds before the next attempt, and tells whether the client was closed meanwhile; tests
            do not wait.
    """

    def __init__(
        self,
        *,
        timeout: float = READ_TIMEOUT,
        policy: RetryPolicy | None = None,
        proxies: bool = True,
        headers: Mapping[str, str] | None = None,
        notify: Callable[[str], None] = console.warn,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self._timeout = timeout
        self._policy = policy or RetryPolicy()
        self._proxies = proxies
        self._headers = {"user-agent": "inference-images", **_lower(headers or {})}
        self._notify = notify
        self._managers: dict[str, urllib3.PoolManager] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._pause = wait or self._closed.wait
        #: Hosts that did not answer: they get one attempt, until one succeeds.
        self._unreachable: set[str] = set()
        #: What was printed last about each host, so that parallel requests print a wait once.
        self._announced: dict[str, str] = {}

    def __enter__(self) -> HttpClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections, and end the waits of other threads."""
        self._closed.set()
        with self._lock:
            for manager in self._managers.values():
                manager.clear()

    def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> Response:
        """Send a GET request; see `request`."""
        return self.request("GET", url, headers=headers)

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        retry: bool | None = None,
        timeout: float | None = None,
    ) -> Response:
        """Send a request and read the whole answer.

        Connection failures, rate limits and temporary server errors are followed by further attempts.

        Args:
            method: ``GET``, ``HEAD``, …; GET and HEAD follow redirects.
            url: ``http://…`` or ``https://…``.
            headers: Sent in addition to the client's.
            body: The body.
            retry: Whether the request may be repeated; None: as its method says (POST and PATCH may not).
            timeout: Seconds between two packets of the answer; None: the client's.

        Returns:
            The answer, whatever its status.

        Raises:
            HttpError: There is no usable answer.
        """
        response, _ = self._send(method, url, _lower(headers or {}), body, retry=retry, whole=True, timeout=timeout)
        return response

    @contextlib.contextmanager
    def stream(self, url: str, *, headers: Mapping[str, str] | None = None) -> Iterator[Stream]:
        """Send a GET request and read its answer piece by piece; what was not read is not fetched.

        Raises:
            HttpError: There is no usable answer.
        """
        response, body = self._send("GET", url, _lower(headers or {}), None, retry=None, whole=False)
        try:
            yield Stream(response, body, self._timeout)
        finally:
            body.close()

    def _send(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        body: Body | None,
        *,
        retry: bool | None,
        whole: bool,
        timeout: float | None = None,
    ) -> tuple[Response, urllib3.BaseHTTPResponse]:
        try:
            host = host_of(url)
        except ValueError as failure:
            raise HttpError(
                "this is not a usable address", url=url, fix="check the address", details=str(failure)
            ) from None
        may_repeat = method in IDEMPOTENT if retry is None else retry
        policy = self._policy if may_repeat and host not in self._unreachable else RetryPolicy(attempts=1)
        unsettled = False
        for attempt in itertools.count(1):
            try:
                response, raw = self._follow(method, url, headers, body, whole=whole, timeout=timeout)
                self._unreachable.discard(host)
            except HttpError as failure:
                pause = policy.wait(attempt) if failure.again else None
                if pause is None:
                    if isinstance(failure, NoAnswerError | TimedOutError):
                        self._unreachable.add(host)
                    if attempt > 1:
                        failure.details = f"{failure.details}\ngave up after {attempt} attempts"
                    raise
                reason, unsettled = failure.what, True
            else:
                response = dataclasses.replace(response, unsettled=unsettled)
                limited = retries.is_rate_limit(response.status, response.headers, response.content)
                if not limited and not retries.is_temporary(response.status):
                    return response, raw
                now = datetime.datetime.now(datetime.UTC)
                asked = retries.retry_after(response.headers.get("Retry-After"), now)
                pause = policy.wait(attempt, limited=limited, retry_after=asked)
                if pause is None:
                    return _given_up(response, attempt, asked, policy, now), raw
                if not whole:
                    raw.close()
                unsettled = unsettled or retries.is_unsettled(response.status)
                reason = f"{host} answered {status_text(response.status)}"
            self._wait(host, url, reason, pause, f"attempt {attempt + 1} of {policy.attempts}")
        raise AssertionError("unreachable")

    def _wait(self, host: str, url: str, reason: str, pause: float, attempt: str) -> None:
        line = f"{reason}; trying again in {console.seconds(pause)} ({attempt})"
        with self._lock:
            is_new = self._announced.get(host) != line
            self._announced[host] = line
        if is_new:
            self._notify(line)
        if self._pause(pause):
            raise StoppedError("stopped while waiting for the next attempt", url=url)

    def _follow(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        body: Body | None,
        *,
        whole: bool,
        timeout: float | None,
    ) -> tuple[Response, urllib3.BaseHTTPResponse]:
        """Send one attempt and follow its redirects."""
        sent = {**self._headers, **headers}
        if "range" not in sent and method != "HEAD":
            sent.setdefault("accept-encoding", "gzip, deflate")
        for _ in range(_MOST_REDIRECTS):
            raw = self._once(method, url, sent, body, whole=whole, seconds=timeout or self._timeout)
            target = raw.headers.get("Location")
            if method not in ("GET", "HEAD") or raw.status not in _REDIRECTS or not target:
                content = raw.data if whole else b""
                return Response(url=url, status=raw.status, headers=raw.headers, content=content), raw
            if not whole:
                raw.close()
            try:
                following = urljoin(url, target)
            except ValueError as failure:
                raise HttpError(
                    f"{host_of(url)} redirects to an address that is not one", url=url, details=f"{target}: {failure}"
                ) from failure
            if urlsplit(following)[:2] != urlsplit(url)[:2]:  # another server gets no login
                sent = {name: value for name, value in sent.items() if name not in ("authorization", "cookie")}
            url = following
        raise HttpError("too many redirects", url=url, fix="check the address")

    def _once(
        self, method: str, url: str, headers: dict[str, str], body: Body | None, *, whole: bool, seconds: float
    ) -> urllib3.BaseHTTPResponse:
        timeout = urllib3.Timeout(connect=min(CONNECT_TIMEOUT, seconds), read=seconds)
        try:
            return self._manager(url).urlopen(
                method,
                url,
                body=body,
                headers=headers,
                retries=False,
                redirect=False,
                timeout=timeout,
                preload_content=whole,
            )
        except (urllib3.exceptions.HTTPError, OSError) as failure:
            raise from_library(failure, url, timeout=seconds) from failure

    def _manager(self, url: str) -> urllib3.PoolManager:
        proxy = proxy_of(url) if self._proxies else ""
        key = f"{proxy} {urlsplit(url).scheme}"
        with self._lock:
            if key not in self._managers:
                tls = url.startswith("https:") or proxy.startswith("https:")
                try:
                    self._managers[key] = new_manager(proxy, tls=tls)
                except ValueError as failure:  # also urllib3's, where the scheme or the port of the proxy is not one
                    raise ProxyFailedError(
                        f"the proxy for {host_of(url)} cannot be used", url=url, fix=PROXY_FIX, details=str(failure)
                    ) from failure
            return self._managers[key]


def _given_up(
    response: Response, attempt: int, asked: float | None, policy: RetryPolicy, now: datetime.datetime
) -> Response:
    """The answer with the reason why it is the last one."""
    reason = f"gave up after {attempt} attempts" if attempt > 1 else ""
    if asked is not None and asked > policy.longest_wait:
        end = (now + datetime.timedelta(seconds=asked)).replace(microsecond=0)
        reason = (
            f"the server asks to wait {console.seconds(asked)}, until {end:%Y-%m-%d %H:%M} UTC; "
            f"a run waits {console.seconds(policy.longest_wait)} at most"
        )
    return dataclasses.replace(response, gave_up=reason)


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
