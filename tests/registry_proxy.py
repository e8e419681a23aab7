"""A proxy in front of a real registry that makes chosen requests fail.

    with registry_proxy(5000, Fault(kind="tag write", effect=status(500), times=2)) as proxy:
        ...  # REGISTRY=127.0.0.1:<proxy.port>

What no fault applies to reaches the registry unchanged. A fault that never applied fails the test: it tests nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from build.registry.address import Registry
from tests.unit.http_servers import Answer, Request, Respond, serving

#: A kind of request (OCI distribution specification 1.1).
Kind = Literal[
    "ping",
    "catalogue",
    "tags list",
    "manifest read",
    "tag write",
    "attachment",  # a manifest that is written under its digest
    "tag removal",
    "blob read",
    "mount",
    "upload start",
    "upload patch",
    "upload put",
    "upload cancel",
    "referrers",
    "token",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

_PATTERNS: dict[Kind, str] = {
    "ping": r"(GET|HEAD) /v2/?",
    "catalogue": r"GET /v2/_catalog",
    "tags list": r"GET /v2/.+/tags/list",
    "manifest read": r"(GET|HEAD) /v2/.+/manifests/[^/]+",
    "tag write": r"PUT /v2/.+/manifests/[^/:]+",
    "attachment": r"PUT /v2/.+/manifests/[^/:]+:[^/]+",
    "tag removal": r"DELETE /v2/.+/manifests/[^/]+",
    "blob read": r"(GET|HEAD) /v2/.+/blobs/[^/]+",
    "mount": r"POST /v2/.+/blobs/uploads/\?(.*&)?mount=.*",
    "upload start": r"POST /v2/.+/blobs/uploads/",
    "upload patch": r"PATCH /v2/.+/blobs/uploads/[^/]+",
    "upload put": r"PUT /v2/.+/blobs/uploads/[^/]+",
    "upload cancel": r"DELETE /v2/.+/blobs/uploads/[^/]+",
    "referrers": r"GET /v2/.+/referrers/[^/]+",
    "token": r"(GET|POST) /token",
}
_TOKEN = "Bearer of-the-proxy"
# Headers that are about one connection.
_HOP = frozenset({"connection", "transfer-encoding", "keep-alive", "expect"})


def kind_of(request: Request) -> Kind | None:
    """The kind of a request, None where it is none of these."""
    line = f"{request.method} {request.path}"
    for kind, pattern in _PATTERNS.items():
        if re.fullmatch(pattern if kind == "mount" else rf"{pattern}(\?.*)?", line):
            return kind
    return None


#: Gives the answer to a request instead of the registry; the second argument asks the registry.
Effect = Callable[[Request, Respond], Answer]


@dataclass(frozen=True, kw_only=True, eq=False)
class Fault:
    """Which requests fail, and how."""

    kind: Kind
    effect: Effect
    #: How many of them; None: all.
    times: int | None = 1
    #: How many pass before.
    skip: int = 0
    #: A regular expression that is found in their path: a repository, a tag.
    path: str = ""


# Effects


def status(code: int, words: str = "", *, error: str = "UNKNOWN", **headers: str) -> Effect:
    """Answer with an error status and, where there are words, the specification's error body.

    Args:
        code: The HTTP status.
        words: The message.
        error: The specification's code: ``DENIED``, ``NAME_UNKNOWN``.
        headers: Further headers; ``_`` stands for ``-``.
    """
    body = json.dumps({"errors": [{"code": error, "message": words}]}).encode() if words else b""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request, registry: Answer(status=code, headers=named, body=body)


def rate_limit(retry_after: str | None = None) -> Effect:
    """Answer 429, without or with ``Retry-After``."""
    headers = {} if retry_after is None else {"Retry_After": retry_after}
    return status(429, "slow down", error="TOOMANYREQUESTS", **headers)


def secondary_rate_limit() -> Effect:
    """Answer as GitHub's registry does: 403, and the reason only in the text."""
    body = b"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    return lambda request, registry: Answer(status=403, body=body)


def delay(seconds: float) -> Effect:
    """Let the request reach the registry later."""

    def effect(request: Request, registry: Respond) -> Answer:
        time.sleep(seconds)
        return registry(request)

    return effect


def late_answer(seconds: float) -> Effect:
    """Let the request reach the registry at once, and the answer come later."""

    def effect(request: Request, registry: Respond) -> Answer:
        answer = registry(request)
        time.sleep(seconds)
        return answer

    return effect


def reset() -> Effect:
    """Reset the connection; the request does not reach the registry."""
    return lambda request, registry: Answer(reset=True)


def lost_answer() -> Effect:
    """Let the request reach the registry, and reset the connection instead of its answer."""

    def effect(request: Request, registry: Respond) -> Answer:
        registry(request)
        return Answer(reset=True)

    return effect


def half_body() -> Effect:
    """Close the connection after half of the answer's body."""
    return lambda request, registry: dataclasses.replace(registry(request), half=True)


def slow_body(seconds: float) -> Effect:
    """Stop for some seconds after half of the answer's body."""
    return lambda request, registry: dataclasses.replace(registry(request), seconds=seconds)


# The proxy


class Proxy:
    """Sends requests on to a registry, but for those that a fault applies to. Threads may share it.

    Args:
        registry: The port of the registry on 127.0.0.1.
        faults: The first one that applies to a request counts.
        tokens: Ask for a token, which the proxy itself gives to everybody; the registry gets no login then.
    """

    def __init__(self, registry: int, *faults: Fault, tokens: bool = False) -> None:
        self._registry = registry
        self._tokens = tokens
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        #: Fault → how many requests of its kind there were.
        self._met: dict[Fault, int] = {}
        #: The requests so far; the server that it runs in keeps them.
        self.requests: list[Request] = []
        #: Set as soon as the proxy serves.
        self.port = 0
        self.add(*faults)

    @property
    def registry(self) -> Registry:
        """The registry as clients reach it."""
        return Registry(host=f"127.0.0.1:{self.port}", insecure=True)

    def add(self, *faults: Fault) -> None:
        """Add faults while it serves."""
        with self._lock:
            self._faults += faults
            self._met |= dict.fromkeys(faults, 0)

    def clear(self) -> None:
        """Forget all faults: from now on everything reaches the registry."""
        with self._lock:
            self._faults.clear()

    def seen(self, kind: Kind, path: str = "") -> list[Request]:
        """The requests of a kind so far, those that failed too."""
        return [each for each in list(self.requests) if kind_of(each) == kind and re.search(path, each.path)]

    def never_applied(self) -> list[Fault]:
        """The faults that no request met."""
        return [fault for fault, met in self._met.items() if met <= fault.skip]

    def __call__(self, request: Request) -> Answer:
        fault = self._fault(request)
        return fault.effect(request, self._answer) if fault else self._answer(request)

    def _fault(self, request: Request) -> Fault | None:
        kind = kind_of(request)
        with self._lock:
            for fault in self._faults:
                if fault.kind == kind and re.search(fault.path, request.path):
                    self._met[fault] += 1
                    number = self._met[fault] - fault.skip
                    if number >= 1 and (fault.times is None or number <= fault.times):
                        return fault
        return None

    def _answer(self, request: Request) -> Answer:
        if self._tokens:
            if kind_of(request) == "token":
                return Answer(body=json.dumps({"token": _TOKEN.removeprefix("Bearer ")}).encode())
            if request.headers.get("authorization") != _TOKEN:
                challenge = f'Bearer realm="http://127.0.0.1:{self.port}/token",service="proxy"'
                return Answer(status=401, headers={"WWW-Authenticate": challenge})
        return self._forward(request)

    def _forward(self, request: Request) -> Answer:
        left_out = {*_HOP, "authorization"} if self._tokens else _HOP
        headers = {name: value for name, value in request.headers.items() if name not in left_out}
        connection = http.client.HTTPConnection("127.0.0.1", self._registry, timeout=60)
        try:
            connection.request(request.method, request.path, body=request.body or None, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):  # the registry is gone, so its client sees the same
            return Answer(drop=True)
        finally:
            connection.close()
        sent = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP}
        return Answer(status=answer.status, headers=sent, body=body)


@contextlib.contextmanager
def registry_proxy(registry: int, *faults: Fault, tokens: bool = False) -> Iterator[Proxy]:
    """Run a proxy on a free port of 127.0.0.1, and check at the end that every fault applied.

    Args:
        registry: The port of the registry on 127.0.0.1.
        faults: Which requests fail.
        tokens: Ask for a token, which the proxy itself gives.
    """
    proxy = Proxy(registry, *faults, tokens=tokens)
    with serving(proxy) as server:
        proxy.port, proxy.requests = server.server_address[1], server.requests
        yield proxy
    missed = proxy.never_applied()
    assert not missed, f"no request met {missed}"
