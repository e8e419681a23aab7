"""What pipeline tests share beyond the engine and the scratch checkout."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import shutil
import uuid
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import docker
import pytest
from docker import DockerClient
from docker.errors import ImageNotFound
from image_timing import Timing

from build.publish.publication import Publication
from build.registry.address import PORT_VARIABLE
from build.system.http import HttpClient
from build.system.retries import RetryPolicy
from tests.conftest import Checkout, copy_checkout, link_large, take_port
from tests.pipeline.helpers import remove_registry
from tests.pipeline.local_index import LocalIndex
from tests.pipeline.registries import HTPASSWD, Layer, Load, Running, archive_of, running
from tests.pipeline.rows import MINIMAL
from tests.pipeline.small_project import MATRIX, RELEASES, Prepared
from tests.unit.http_servers import serving

#: The files that begin: first the main job, whose images the others find built, and files that need no image;
#: then the longest, so that no worker goes on for minutes when the others have finished.
FIRST = (
    "test_main_job.py",
    "test_impossible_cells.py",
    "test_own_engine.py",
    "test_update.py",
    "test_build.py",
    "test_seed.py",
    "test_docs.py",
    "test_user_code.py",
    "test_source_packages.py",
    "test_registry_faults.py",
    "test_releases.py",
    "test_bad_input.py",
    "test_verify.py",
    "test_diff.py",
    "test_promote.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use a tested image, and put the files into the order in which they should begin."""
    for item in items:
        if "verified" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.verifies)

    def place(item: pytest.Item) -> tuple[int, bool]:
        name = item.path.name
        return FIRST.index(name) if name in FIRST else len(FIRST), not item.get_closest_marker("pipeline")

    items.sort(key=place)


@pytest.fixture
def registry_port(engine_client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of an embedded registry for one test: its commands use it, and it is removed afterwards."""
    port = take_port()
    monkeypatch.setenv(PORT_VARIABLE, str(port))
    yield port
    remove_registry(engine_client, port)


@pytest.fixture(scope="session")
def verified(bases_here: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout whose minimal image is built and has passed its tests; for tests that leave it so."""
    root = tmp_path_factory.mktemp("verified") / "repository"
    root.mkdir()
    checkout = copy_checkout(root)
    for step in ("build", "verify"):
        done = checkout.run(step, MINIMAL)
        assert done.code == 0, done.text
    yield checkout
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def timing() -> Timing:
    """Checks promised times; pytest's summary lists what is measured again."""
    return Timing(report=lambda reason: warnings.warn(f"measured again: {reason}", stacklevel=2))


@pytest.fixture
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes to a registry on this machine take milliseconds, and the tests are not about the length of the waits."""
    monkeypatch.setattr("build.publish.writes.SETTLE", 0.05)
    policy = RetryPolicy(attempts=3, first_wait=0.05)
    monkeypatch.setattr("build.registry.connection.HttpClient", functools.partial(HttpClient, policy=policy))


@pytest.fixture
def there(engine_client: DockerClient, registry_image: str) -> Iterator[Running]:
    with running(engine_client, registry_image) as registry:
        yield registry


@pytest.fixture
def guarded(engine_client: DockerClient, registry_image: str) -> Iterator[Running]:
    """A registry that asks for a login: tester, secret."""
    environment = {
        "REGISTRY_AUTH": "htpasswd",
        "REGISTRY_AUTH_HTPASSWD_REALM": "test",
        "REGISTRY_AUTH_HTPASSWD_PATH": "/tmp/htpasswd",
    }
    files = {"tmp/htpasswd": f"{HTPASSWD}\n".encode()}
    with running(engine_client, registry_image, files, environment=environment) as registry:
        yield registry


@pytest.fixture
def load(engine_client: DockerClient) -> Iterator[Load]:
    """Load an image of given layers into the engine under a name of its own, and return its publication."""
    loaded: list[str] = []

    def _load(name: str, layers: Sequence[Layer]) -> Publication:
        local = f"publish-test/{name}:{uuid.uuid4().hex[:12]}"
        recipe = hashlib.sha256(local.encode()).hexdigest()
        engine_client.images.load(archive_of(layers, local, recipe))
        loaded.append(local)
        return Publication(name=name, repository=f"azureml/{name}", local_reference=local, recipe=recipe)

    yield _load
    for reference in loaded:
        with contextlib.suppress(ImageNotFound):
            engine_client.images.remove(reference, force=True)


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    root = tmp_path_factory.mktemp("update") / "clone"
    root.mkdir()
    index = LocalIndex(releases=RELEASES)
    with serving(index) as server:
        environment = {"UV_DEFAULT_INDEX": f"http://{server.host}/simple", "UV_HTTP_RETRIES": "0"}
        checkout = Checkout(root=copy_checkout(root).root, environment=environment)
        checkout.paths.matrix.write_text(MATRIX, encoding="utf-8")
        for command in ("lock", "generate"):
            done = checkout.run(command)
            assert done.code == 0, done.text
        yield Prepared(checkout=checkout, index=index)
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def prepared(original: Prepared, tmp_path: Path) -> Iterator[Prepared]:
    """A copy of it for one test."""
    root = tmp_path / "clone"
    shutil.copytree(original.checkout.root, root, symlinks=True, copy_function=link_large)
    original.index.releases = list(RELEASES)
    original.index.instead = {}
    yield Prepared(checkout=Checkout(root=root, environment=original.checkout.environment), index=original.index)
    shutil.rmtree(root, ignore_errors=True)
