"""The guard that keeps unit tests away from the network and from an engine."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.unit.conftest import UnitTestReachedOutError


def test_a_connection_to_another_machine_is_refused() -> None:
    with (
        socket.socket() as client,
        pytest.raises(UnitTestReachedOutError, match=r"it connects to 192\.0\.2\.1:443"),
    ):
        client.connect(("192.0.2.1", 443))


def test_looking_up_another_machine_is_refused() -> None:
    with pytest.raises(UnitTestReachedOutError, match=r"it looks up 'index\.example'"):
        socket.create_connection(("index.example", 443), timeout=1)


def test_a_connection_to_an_engine_is_refused(tmp_path: Path) -> None:
    with (
        socket.socket(socket.AF_UNIX) as client,
        pytest.raises(UnitTestReachedOutError, match="it connects to the engine"),
    ):
        client.connect(str(tmp_path / "docker.sock"))


def test_this_machine_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()
