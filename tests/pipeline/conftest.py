"""What pipeline tests share beyond the engine and the scratch checkout."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import docker
import pytest
from image_timing import Timing

from build.registry.address import PORT_VARIABLE
from tests.conftest import take_port
from tests.pipeline.helpers import remove_registry


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the main job first: it tests the bases of the default group two at a time, and later tests rely on that."""
    items.sort(key=lambda item: item.path.name != "test_main_job.py")


@pytest.fixture
def registry_port(engine_client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of an embedded registry for one test: its commands use it, and it is removed afterwards."""
    port = take_port()
    monkeypatch.setenv(PORT_VARIABLE, str(port))
    yield port
    remove_registry(engine_client, port)


@pytest.fixture
def timing() -> Timing:
    """Checks promised times; pytest's summary lists what is measured again."""
    return Timing(report=lambda reason: warnings.warn(f"measured again: {reason}", stacklevel=2))
