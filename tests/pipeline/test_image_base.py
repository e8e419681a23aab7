"""A base that is an image reference with a digest, instead of one bootstrapped here."""

from __future__ import annotations

import os
import tarfile
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest
import yaml

from build.engine import embedded_registry
from build.registry import address
from build.registry.client import Client
from tests.conftest import ROOT, Checkout
from tests.pipeline.rows import BASE, BASE_NAME, MINIMAL

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("bases_here")]


#: The packages of Debian's Python, and a library that only Python needs.
PYTHON = (
    f"python3 python3-minimal python{BASE.python} python{BASE.python}-minimal"
    f" libpython3-stdlib libpython{BASE.python}-stdlib libpython{BASE.python}-minimal libncursesw6"
)


@pytest.fixture
def debian_image(
    engine_client: docker.DockerClient,
    registry_image: str,
    free_port: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[str]:
    """A Debian with Python in a registry, as a company's mirror has one: its reference with the digest."""
    port = free_port()
    monkeypatch.setenv("INFERENCE_IMAGES_REGISTRY_PORT", str(port))
    embedded_registry.ensure_running(engine_client, registry_image)
    repository = f"127.0.0.1:{port}/mirror/debian-python"
    with (ROOT / f".pipeline/rootfs/{BASE_NAME}/rootfs.tar").open("rb") as tar:
        engine_client.api.import_image_from_data(tar.read(), repository=repository, tag="13")
    engine_client.images.push(repository, tag="13")
    with Client(address.from_environment()) as remote:
        digest = remote.digest("mirror/debian-python", "13")
    yield f"{repository}@{digest}"
    engine_client.images.remove(f"{repository}:13", force=True)
    name = embedded_registry.name(port)
    engine_client.containers.get(name).remove(force=True, v=True)
    engine_client.volumes.get(name).remove(force=True)


@pytest.fixture
def bare_debian_image(debian_image: str, engine_client: docker.DockerClient) -> Iterator[str]:
    """A Debian without Python, and with a start of its own that an image on it must not have."""
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


def stand_on(checkout: Checkout, **base: object) -> None:
    """Give the base another origin than Debian's archive."""
    file = Path(checkout.root / "matrix.yaml")
    matrix = yaml.safe_load(file.read_text(encoding="utf-8"))
    matrix["bases"][BASE_NAME].pop("bootstrap", None)
    matrix["bases"][BASE_NAME] |= base
    file.write_text(yaml.safe_dump(matrix, sort_keys=False), encoding="utf-8")
    ran = checkout.run("generate")
    assert ran.code == 0, ran.text


def test_an_image_by_digest_serves_as_a_base(checkout: Checkout, debian_image: str) -> None:
    stand_on(checkout, image=debian_image)
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
def test_packages_are_added_to_an_image(checkout: Checkout, bare_debian_image: str) -> None:
    """As `ubuntu:18.04` gets its Python and libgomp1."""
    stand_on(checkout, image=bare_debian_image, packages=["python3", "libgomp1"])
    built = checkout.run("build", MINIMAL)
    assert built.code == 0, built.text
    verified = checkout.run("verify", MINIMAL)
    assert verified.code == 0, verified.text
    assert " verified" in verified.out


@pytest.mark.usefixtures("archive")
def test_a_package_that_the_archive_does_not_have_is_told(checkout: Checkout, bare_debian_image: str) -> None:
    stand_on(checkout, image=bare_debian_image, packages=["python3", "python3.7-venv"])
    built = checkout.run("build", MINIMAL)
    assert built.code == 1, built.text
    assert "a base failed to build" in built.one_screen()
    assert "Unable to locate package python3.7-venv" in built.text


@pytest.mark.usefixtures("archive")
def test_a_python_from_a_prefix_goes_on_an_image_too(
    checkout: Checkout, bare_debian_image: str, engine_client: docker.DockerClient
) -> None:
    found = sorted(Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser().glob(f"versions/{BASE.python}.*"))
    if not found:
        pytest.skip(f"pyenv has no CPython {BASE.python} (pyenv install {BASE.python})")
    stand_on(checkout, image=bare_debian_image, prefix={"version": found[0].name})
    built = checkout.run("build", MINIMAL)
    assert built.code == 1, built.text
    assert "libncursesw.so.6 => not found" in built.one_screen()
    stand_on(checkout, packages=["libncursesw6"])
    built = checkout.run("build", MINIMAL)
    assert built.code == 0, built.text
    (line,) = (line for line in built.out.splitlines() if line.startswith(MINIMAL))
    (image,) = (image for image in engine_client.images.list(f"azureml/{MINIMAL}") if line.split()[-1] in str(image.id))
    said = engine_client.containers.run(image, ["sh", "-c", "python -V && pip check"], remove=True).decode()
    assert said.splitlines() == [f"Python {found[0].name}", "No broken requirements found."]


def test_an_image_without_digest_can_be_planned_and_not_built(checkout: Checkout) -> None:
    stand_on(checkout, image="debian:13", packages=["python3"])
    assert checkout.run("check").code == 0
    built = checkout.run("build", MINIMAL)
    assert built.code == 1, built.text
    said = " ".join(built.one_screen().split())
    assert "names its image without a digest" in said
    assert "docker buildx imagetools inspect debian:13" in said
