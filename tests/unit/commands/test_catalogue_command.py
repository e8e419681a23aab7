"""`nox -s catalogue` without a registry."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from build.commands.catalogue import catalogue_command
from build.registry.address import PORT_VARIABLE, REGISTRY_VARIABLE
from tests.unit.fixture_project import copy_project


def test_an_embedded_registry_that_does_not_run_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv(PORT_VARIABLE, str(closed.getsockname()[1]))
        monkeypatch.delenv(REGISTRY_VARIABLE, raising=False)
        catalogue_command(copy_project(tmp_path / "project"), output=tmp_path / "site", offline=False)

    printed = capsys.readouterr().err
    assert "the catalogue is written without it" in printed
    assert "trying again" not in printed
    assert (tmp_path / "site/index.html").is_file()
