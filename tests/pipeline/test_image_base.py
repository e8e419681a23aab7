"""A base that is an image with a digest, instead of one that is bootstrapped here."""

from __future__ import annotations

import os
import tarfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from build.bases import prepare
from build.bases.local import local_base
from build.checkout.project import open_project
from build.engine import embedded_registry
from build.engine.connect import Connection
from build.registry import address
from build.registry.client import Client
from tests.conftest import ROOT, Checkout
from tests.pipeline.helpers import edited_matrix, reference
from tests.pipeline.rows import BASE, BASE_NAME, MINIMAL
from tests.pipeline.serving import must_serve

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("bases_here")]


#: The packages of Debian's Python, and a library that only Python needs.
PYTHON = (
    f"python3 python3-minimal python{BASE.python} python{BASE.python}-minimal"
    f" libpython3-stdlib libpython{BASE.python}-stdlib libpython{BASE.python}-minimal libncursesw6"
)


@pytest.fixture
def debian_image(engine_client: docker.DockerClient, registry_image: str, registry_port: int) -> Iterator[str]:
    """The reference, with digest, of a Debian with Python in a registry, as a company's mirror has it."""
    embedded_registry.ensure_running(engine_client, registry_image)
    repository = f"127.0.0.1:{registry_port}/mirror/debian-python"
    with (ROOT / f".pipeline/rootfs/{BASE_NAME}/rootfs.tar").open("rb") as tar:
        engine_client.api.import_image_from_data(tar.read(), repository=repository, tag="13")
    engine_client.images.push(repository, tag="13")
    with Client(address.from_environment()) as remote:
        digest = remote.digest("mirror/debian-python", "13")
    yield f"{repository}@{digest}"
    engine_client.images.remove(f"{repository}:13", force=True)


@pytest.fixture
def bare_debian_image(debian_image: str, engine_client: docker.DockerClient) -> Iterator[str]:
    """The same without Python, and with an entry point and a user that images on it must not inherit."""
    container = engine_client.containers.run(
        debian_image, ["dpkg", "--purge", "--force-depends", *PYTHON.split()], detach=True
    )
    ended = container.wait()
    assert ended["StatusCode"] == 0, container.logs().decode()
    repository = debian_image.partition("@")[0]
    container.commit(repository, "bare", changes=['ENTRYPOINT ["/bin/false"]', "USER nobody"])
    container.remove()
    engine_client.images.push(repository, tag="bare")
    with Client(address.from_environment()) as remote:
        digest = remote.digest("mirror/debian-python", "bare")
    yield f"{repository}@{digest}"
    engine_client.images.remove(f"{repository}:bare", force=True)


def change_base(checkout: Checkout, **keys: object) -> None:
    """Take the base from an image instead of Debian's archive, with these keys in the matrix."""
    with edited_matrix(checkout) as matrix:
        matrix["bases"][BASE_NAME].pop("bootstrap", None)
        matrix["bases"][BASE_NAME] |= keys
    done = checkout.run("generate")
    assert done.code == 0, done.text


@pytest.mark.thorough  # the next one builds on such an image too
def test_an_image_with_a_digest_is_a_base(checkout: Checkout, debian_image: str) -> None:
    change_base(checkout, image=debian_image)
    assert f"FROM {debian_image}" in (checkout.root / f"dockerfiles/bases/{BASE_NAME}/Dockerfile").read_text()
    built = checkout.run("build", MINIMAL)
    assert built.code == 0, built.text
    assert "bootstrapping" not in built.err


@pytest.fixture
def archive(bases_here: None) -> None:
    """Skip where Debian's archive, from which apt takes packages in a build, is not reached."""
    with tarfile.open(ROOT / f".pipeline/rootfs/{BASE_NAME}/rootfs.tar") as tar:
        sources = tar.extractfile("./etc/apt/sources.list")
        assert sources is not None
        _, mirror, suite, *_ = sources.readline().decode().split()
    release = f"{mirror}/dists/{suite}/InRelease"
    try:
        urllib.request.urlopen(release, timeout=20).close()
    except OSError as error:
        pytest.skip(f"Debian's archive is not reached: {release}: {error}")


@pytest.mark.usefixtures("archive")
def test_packages_are_added_to_an_image(checkout: Checkout, bare_debian_image: str, connection: Connection) -> None:
    """As `ubuntu:18.04` gets its Python and libgomp1."""
    change_base(checkout, image=bare_debian_image, packages=["python3", "libgomp1"])
    built = checkout.run("build", MINIMAL)
    assert built.code == 0, built.text
    must_serve(connection, reference(checkout, MINIMAL))


@pytest.mark.thorough
@pytest.mark.usefixtures("archive")
def test_an_image_with_added_packages_passes_its_tests(checkout: Checkout, bare_debian_image: str) -> None:
    change_base(checkout, image=bare_debian_image, packages=["python3", "libgomp1"])
    assert checkout.run("build", MINIMAL).code == 0
    verified = checkout.run("verify", MINIMAL)
    assert verified.code == 0, verified.text
    assert " verified" in verified.out


@pytest.mark.usefixtures("archive")
def test_a_package_that_is_not_in_the_archive_is_named(checkout: Checkout, bare_debian_image: str) -> None:
    change_base(checkout, image=bare_debian_image, packages=["python3", "python3.7-venv"])
    built = checkout.run("build", MINIMAL)
    assert built.code == 1, built.text
    assert f"its base {BASE_NAME} failed to build" in built.one_screen()
    assert "Unable to locate package python3.7-venv" in built.text


@pytest.mark.thorough  # test_seed.py has an image with a prefix Python, and this one an image as its base
@pytest.mark.usefixtures("archive")
def test_a_prefix_python_works_on_an_image(
    checkout: Checkout, bare_debian_image: str, engine_client: docker.DockerClient
) -> None:
    pythons = sorted(Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser().glob(f"versions/{BASE.python}.*"))
    if not pythons:
        pytest.skip(f"pyenv has no CPython {BASE.python} (pyenv install {BASE.python})")
    change_base(checkout, image=bare_debian_image, prefix={"version": pythons[0].name})
    # As `lock` does, which would also ask the index for all packages.
    prepare.record_python(local_base(open_project(checkout.paths), BASE_NAME))
    built = checkout.run("build", MINIMAL)
    assert built.code == 1, built.text
    assert "libncursesw.so.6 => not found" in built.one_screen()
    change_base(checkout, packages=["libncursesw6"])
    built = checkout.run("build", MINIMAL)
    assert built.code == 0, built.text
    image = reference(checkout, MINIMAL)
    output = engine_client.containers.run(image, ["sh", "-c", "python -V && pip check"], remove=True).decode()
    assert output.splitlines() == [f"Python {pythons[0].name}", "No broken requirements found."]


def test_an_image_without_a_digest_passes_check_and_fails_to_build(checkout: Checkout) -> None:
    change_base(checkout, image="debian:13", packages=["python3"])
    assert checkout.run("check").code == 0
    built = checkout.run("build", MINIMAL)
    assert built.code == 1, built.text
    output = " ".join(built.one_screen().split())
    assert "names its image without a digest" in output
    assert "docker buildx imagetools inspect debian:13" in output
