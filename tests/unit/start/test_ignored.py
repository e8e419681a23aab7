"""What worked in Microsoft's images and has no effect here is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.start.start_modules import module


def lines(tmp_path: Path, environment: dict[str, str]) -> list[str]:
    """Return the lines for a container whose services and environment are below a folder."""
    found = module("ignored").lines(environment, f"{tmp_path}/runit/*/run", str(tmp_path / "venv"))
    return list(found)


def executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    path.chmod(0o755)
    return path


def test_nothing_is_named_in_the_image_itself(tmp_path: Path) -> None:
    executable(tmp_path / "venv/bin/azmlinfsrv")
    executable(tmp_path / "venv/bin/gunicorn")
    (tmp_path / "conda").symlink_to(tmp_path / "venv")
    environment = {"PATH": f"{tmp_path}/conda/bin", "AZUREML_CONDA_ENVIRONMENT_PATH": f"{tmp_path}/conda/"}
    assert lines(tmp_path, environment) == []


def test_extra_services_are_named(tmp_path: Path) -> None:
    service = executable(tmp_path / "runit/side/run")
    executable(tmp_path / "runit/nginx/run")
    (tmp_path / "runit/off").mkdir()
    (tmp_path / "runit/off/run").touch()  # runit starts only what is executable
    found = lines(tmp_path, {})
    assert len(found) == 2
    assert found[1].startswith(f"{service} is not started: this image has no runit; run the service in a container")


@pytest.mark.parametrize("commands", [["azmlinfsrv"], ["gunicorn"], ["azmlinfsrv", "gunicorn"]])
def test_a_second_environments_server_is_named_once(tmp_path: Path, commands: list[str]) -> None:
    for command in commands:
        executable(tmp_path / "other/bin" / command)
    executable(tmp_path / "venv/bin/azmlinfsrv")
    executable(tmp_path / "venv/bin/gunicorn")
    (line,) = lines(tmp_path, {"PATH": f"{tmp_path}/other/bin:{tmp_path}/venv/bin"})
    assert line.startswith(f"{tmp_path}/other/bin/{commands[0]} is not used: the server of {tmp_path}/venv is started;")
    # Behind the image's own it does no harm.
    assert lines(tmp_path, {"PATH": f"{tmp_path}/venv/bin:{tmp_path}/other/bin"}) == []


def test_variables_without_effect_are_named(tmp_path: Path) -> None:
    environment = {"AZUREML_CONDA_ENVIRONMENT_PATH": "/opt/miniconda/envs/userenv", "AML_SERVER_ROOT": "/var/server"}
    found = lines(tmp_path, environment)
    assert [line.partition(" has no effect: ")[0] for line in found] == [
        "AML_SERVER_ROOT=/var/server",
        "AZUREML_CONDA_ENVIRONMENT_PATH=/opt/miniconda/envs/userenv",
    ]
