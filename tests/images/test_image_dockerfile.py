"""A user's own image, made as documented: with a Dockerfile whose FROM is one of these images."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from image_container import Container, docker
from image_plan import Image, read
from scoring_scripts import script
from tiny_package import TinyPackage, below, wheelhouse

pytestmark = pytest.mark.depends("base")

PACKAGE = TinyPackage(name="tiny_by_dockerfile", version="1.0")
#: A small package of Debian and Ubuntu that no image has.
DEBIAN_PACKAGE = "ed"

DOCKERFILE = """\
FROM {image}

USER root:root
{apt}
USER dockeruser
COPY wheels /tmp/wheels
RUN pip install --disable-pip-version-check --no-index --find-links /tmp/wheels {package}

COPY code /var/azureml-app
ENV AZUREML_ENTRY_SCRIPT=score.py
COPY model /var/azureml-app/azureml-models
ENV AZUREML_MODEL_DIR=/var/azureml-app/azureml-models
"""
APT = f"RUN apt-get update && apt-get install -y {DEBIAN_PACKAGE}"


@dataclass(frozen=True, kw_only=True)
class Derived:
    """A running container of the user's own image."""

    container: Container
    #: Why apt was not used, or None.
    without_apt: str | None


@pytest.fixture(scope="module")
def derived(
    image: Image,
    start: Any,
    container: Container,
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> Iterator[Any]:
    """The documented example, built and started; without its apt line where the archive cannot be reached."""
    container.must_run()
    without_apt = container.python("reach_archive.py")
    dockerfile = DOCKERFILE.format(image=image.reference, package=PACKAGE.name, apt="" if without_apt else APT)
    context = tmp_path_factory.mktemp("context")
    files = {
        "Dockerfile": dockerfile.encode(),
        "code/score.py": script("packages.py"),
        "model/model.txt": b"a model\n",
        **below("wheels", wheelhouse(PACKAGE)),
    }
    for path, content in files.items():
        (context / path).parent.mkdir(exist_ok=True)
        (context / path).write_bytes(content)
    tag = f"{image.reference.rpartition(':')[0]}:derived-{uuid.uuid4().hex[:12]}"
    _, labels = read(pytestconfig.getoption("--plan"))
    build(context, tag, labels)
    try:
        started = start({}, reference=tag)
        yield Derived(container=started, without_apt=without_apt)
        started.remove()
    finally:
        docker("image", "rm", "--force", tag)


def build(context: Path, tag: str, labels: dict[str, str]) -> None:
    """Build an image as a user does.

    Raises:
        AssertionError: It failed. The message has the output of the build.
    """
    # The engine's own builder: another one that the user selected may not have the engine's images.
    environment = {**os.environ, "BUILDX_BUILDER": os.environ.get("DOCKER_CONTEXT", "default")}
    command = [
        "docker",
        "buildx",
        "build",
        "--progress=plain",
        "--provenance=false",
        "--load",
        *(f"--label={key}={value}" for key, value in labels.items()),
        "--tag",
        tag,
        str(context),
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, f"the documented Dockerfile does not build:\n{done.stderr[-5000:]}"


def test_documented_dockerfile_serves(derived: Derived) -> None:
    """It serves the user's script with the user's model and packages, as dockeruser."""
    answer = derived.container.ask({"packages": [PACKAGE.name]})
    assert answer["uid"] == 1000, f"it runs as uid {answer['uid']}"
    assert answer["model"] == ["model.txt"], f"in AZUREML_MODEL_DIR: {answer['model']}"
    version = answer["packages"][PACKAGE.name]["imported"]
    assert version == PACKAGE.version, f"{PACKAGE.name} has version {version}"


def test_apt_in_a_dockerfile(derived: Derived) -> None:
    if derived.without_apt is not None:
        pytest.skip(f"the distribution's archive cannot be reached ({derived.without_apt})")
    docker("exec", derived.container.id, "dpkg", "--status", DEBIAN_PACKAGE)
