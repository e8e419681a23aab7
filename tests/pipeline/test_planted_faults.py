"""What a package layer could plant so that tests which ran in another image say nothing about this one: it is found."""

from __future__ import annotations

import dataclasses
import io
import tarfile
import uuid

import docker
import pytest

from build.builder import image_recipes
from build.builder.existing import find_one
from build.checkout.project import open_project
from build.engine.connect import Connection
from build.engine.images import find
from build.images.labels import image_labels
from build.verify import verify
from build.verify.target import Target
from tests.conftest import ROOT, Checkout
from tests.pipeline.rows import BASE, MINIMAL

pytestmark = pytest.mark.engine

LIBRARY = f"/opt/venv/lib/python{BASE.python}/site-packages"
MAIN = ROOT / "image/start/server_start/main.py"
TESTS = "test_image_integrity or test_image_packages"
#: Files of a layer: path in the image → content.
STRAYS = {
    f"{LIBRARY}/planted.pth": b"import sys\n",
    f"{LIBRARY}/sitecustomize.py": b"X = 1\n",
    f"{LIBRARY}/flask/py.typed": b"changed\n",
    "/usr/local/lib/inference-server/server_start/main.py": MAIN.read_bytes() + b"# changed\n",
    "/usr/local/lib/inference-server/server_start/more.py": b"X = 1\n",
}
FLASK = {
    f"{LIBRARY}/flask/__init__.py": b"__version__ = '0'\n",
    f"{LIBRARY}/flask-0.1.dist-info/METADATA": b"Metadata-Version: 2.1\nName: flask\nVersion: 0.1\n",
    f"{LIBRARY}/flask-0.1.dist-info/RECORD": b"flask/__init__.py,,\nflask-0.1.dist-info/METADATA,,\n"
    b"flask-0.1.dist-info/RECORD,,\n",
}
#: What one layer plants, and what the failures say of it: an image is tested once for all that do not hide each other.
PLANTED = {
    "files of no package and changed ones": (
        STRAYS,
        (
            "planted.pth",
            "sitecustomize.py",
            "differ from RECORD: flask/py.typed",
            "not those of the recipe: /usr/local/lib/inference-server/server_start/main.py",
            "server_start/more.py",
        ),
    ),
    "another Flask": (FLASK, ("flask",)),
}


def planted(client: docker.DockerClient, image: str, files: dict[str, bytes]) -> str:
    """Return an image with further files in a layer of its own."""
    container = client.containers.create(image)
    try:
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as archive:
            for path, data in files.items():
                entry = tarfile.TarInfo(path.lstrip("/"))
                entry.size, entry.mode, entry.uid, entry.gid = len(data), 0o644, 1000, 1000
                archive.addfile(entry, io.BytesIO(data))
        container.put_archive("/", content.getvalue())
        name = f"planted:{uuid.uuid4().hex[:12]}"
        container.commit(*name.split(":"))
        return name
    finally:
        container.remove()


@pytest.fixture(scope="module")
def good(verified: Checkout, connection: Connection) -> Target:
    project = open_project(verified.paths)
    (image,) = project.images([project.variant(MINIMAL)])
    built = find_one(connection.client, image, image_recipes.of(project, [image]).known[MINIMAL])
    assert built is not None
    return Target(built=built, labels=image_labels(image, project.matrix.project))


@pytest.mark.parametrize("name", PLANTED)
def test_what_a_layer_plants_is_found(verified: Checkout, connection: Connection, good: Target, name: str) -> None:
    files, expected = PLANTED[name]
    client, project = connection.client, open_project(verified.paths)
    reference = planted(client, good.built.local.id, files)
    try:
        local = find(client, reference)
        assert local is not None
        target = dataclasses.replace(good, built=dataclasses.replace(good.built, local=local))
        (result,) = verify.run(
            [target],
            docker_host=connection.engine.host,
            tool=project.tool,
            paths=project.paths,
            keywords=TESTS,
        )
    finally:
        client.images.remove(reference, force=True)
    reasons = " ".join(failure.reason for failure in result.failures)
    assert [words for words in expected if words not in reasons] == [], result.failures


def test_changed_bytecode_and_settings_are_found(verified: Checkout, connection: Connection, good: Target) -> None:
    """Bytecode with the time and the size of its source is what Python runs, and no RECORD describes it."""
    client, project = connection.client, open_project(verified.paths)
    bytecode = f"{LIBRARY}/flask/__pycache__/app.cpython-{BASE.python.replace('.', '')}.pyc"
    settings = "/opt/venv/pip.conf"
    files = {
        bytecode: file_of(client, good.built.local.id, bytecode) + b"\0",
        settings: file_of(client, good.built.local.id, settings) + b"# changed\n",
    }
    reference = planted(client, good.built.local.id, files)
    try:
        local = find(client, reference)
        assert local is not None
        changed = dataclasses.replace(good, built=dataclasses.replace(good.built, local=local))
        before, after = (
            verify.run(
                [target],
                docker_host=connection.engine.host,
                tool=project.tool,
                paths=project.paths,
                keywords="test_image_integrity",
            )[0].server_parts
            for target in (good, changed)
        )
    finally:
        client.images.remove(reference, force=True)
    differ = {part for part in {*before, *after} if before.get(part) != after.get(part)}
    assert differ == {"bytecode of flask", "pip.conf"}


def file_of(client: docker.DockerClient, image: str, path: str) -> bytes:
    """Return the content of a file in an image."""
    container = client.containers.create(image)
    try:
        stream, _ = container.get_archive(path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
            opened = archive.extractfile(archive.getmembers()[0])
            assert opened is not None
            return opened.read()
    finally:
        container.remove()


def test_without_a_plant_nothing_is_found(verified: Checkout, connection: Connection, good: Target) -> None:
    project = open_project(verified.paths)
    (result,) = verify.run(
        [good], docker_host=connection.engine.host, tool=project.tool, paths=project.paths, keywords=TESTS
    )
    assert result.ok, result.failures
