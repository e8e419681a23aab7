"""Unit tests reach no network and no engine: an attempt fails the test."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator

import pytest

#: Processes that a unit test starts are sent to a port where nothing listens.
NOWHERE = "http://127.0.0.1:9"
ENVIRONMENT = {
    "DOCKER_HOST": "tcp://127.0.0.1:9",
    "HTTP_PROXY": NOWHERE,
    "HTTPS_PROXY": NOWHERE,
    "ALL_PROXY": NOWHERE,
    "NO_PROXY": "127.0.0.1,localhost",
}
#: True while a unit test runs: an audit hook cannot be removed.
_guarded = False


class UnitTestReachedOutError(AssertionError):
    """A unit test tried to reach another machine or an engine."""


def refusal(event: str, arguments: tuple[object, ...]) -> str | None:
    """Return why a unit test must not do this, and None if it may.

    Args:
        event: One of Python's audit events.
        arguments: The arguments of the event.
    """
    if event == "socket.getaddrinfo":
        return None if _is_local(arguments[0]) else f"it looks up {arguments[0]!r}"
    if event not in ("socket.connect", "socket.sendto"):
        return None
    address = arguments[1]
    if isinstance(address, tuple):
        return None if _is_local(address[0]) else f"it connects to {address[0]}:{address[1]}"
    name = address.decode(errors="replace") if isinstance(address, bytes) else str(address)
    return f"it connects to the engine at {name}" if name.endswith("docker.sock") else None


def _is_local(host: object) -> bool:
    text = host.decode(errors="replace") if isinstance(host, bytes) else str(host or "localhost")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text == "localhost"
    return address.is_loopback or address.is_unspecified


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if _guarded and event.startswith("socket.") and (reason := refusal(event, arguments)) is not None:
        raise UnitTestReachedOutError(f"a unit test needs neither a network nor an engine, but {reason}")


sys.addaudithook(_audit)


@pytest.fixture(autouse=True)
def no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Guard every test but those marked `engine` or `network`, which `nox -s unit` leaves out."""
    global _guarded
    if request.node.get_closest_marker("engine") or request.node.get_closest_marker("network"):
        yield
        return
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
        monkeypatch.delenv(name.lower(), raising=False)
    _guarded = True
    yield
    _guarded = False
