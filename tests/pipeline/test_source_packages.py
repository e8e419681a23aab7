"""Packages that exist as source alone, and patches of installed packages, built with a real engine.

On the base of the default group, which every machine can build, and with packages of which no version has a wheel.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
import yaml

from build.builder import image_recipes
from build.checkout import project
from build.engine.images import LocalImage, find
from tests.conftest import Checkout, copy_checkout, link_large
from tests.pipeline.rows import BASE, BASE_NAME, MINIMAL

pytestmark = [
    pytest.mark.engine,
    pytest.mark.network,
    pytest.mark.usefixtures("bases_here"),
]

IMAGE = f"minimal-0.1-{BASE_NAME}-cpu-inference"
SITE_PACKAGES = f"/opt/venv/lib/python{BASE.python}/site-packages"
ROWS = {
    "n/a": {},
    "0.1": {
        "guards": [
            {"pin": "crcmod==1.7", "reason": "it has a C extension and no wheel"},
            {"pin": "termcolor==1.1.0", "reason": "it is pure Python and has no wheel"},
        ]
    },
}
PATCH = {
    "distribution": "termcolor==1.1.0",
    "file": "termcolor.py",
    "find": "def cprint(",
    "replace": "PATCHED = True\n\n\ndef cprint(",
    "reason": "a test asks for it",
}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A clone with a row of source-only packages, one of them patched, and little else; locked and generated."""
    target = tmp_path_factory.mktemp("source") / "repository"
    target.mkdir()
    made = copy_checkout(target)
    file = made.root / "matrix.yaml"
    matrix = yaml.safe_load(file.read_text(encoding="utf-8"))
    matrix = {key: matrix[key] for key in ("project", "server", "bases")} | {
        "axes": {"base": [BASE_NAME], "device": ["cpu"]},
        "frameworks": {"minimal": {"title": "No framework", "versions": ROWS}},
        "patches": [PATCH],
    }
    file.write_text(yaml.safe_dump(matrix, sort_keys=False), encoding="utf-8")
    for command in ("lock", "generate", "check"):
        done = made.run(command)
        assert done.code == 0, done.text
    return made


@pytest.fixture(scope="module")
def built(clone: Checkout, engine_client: docker.DockerClient) -> LocalImage:
    done = clone.run("build", IMAGE)
    assert done.code == 0, done.text
    return local(engine_client, clone)


@pytest.fixture
def copied(clone: Checkout, tmp_path: Path) -> Iterator[Checkout]:
    """The clone again, to break something in."""
    root = tmp_path / "repository"
    shutil.copytree(clone.root, root, copy_function=link_large)
    yield Checkout(root=root)
    shutil.rmtree(root)


def local(client: docker.DockerClient, checkout: Checkout) -> LocalImage:
    opened = project.open_project(checkout.paths)
    images = opened.images([variant for variant in opened.variants if variant.name == IMAGE])
    image = find(client, f"azureml/{IMAGE}:{image_recipes.of(opened, images).known[IMAGE].tag}")
    assert image is not None
    return image


def ask(client: docker.DockerClient, image: LocalImage, *command: str) -> str:
    return client.containers.run(image.id, list(command), remove=True, network_mode="none").decode()


def test_a_c_extension_of_a_source_only_package_is_compiled(
    engine_client: docker.DockerClient, built: LocalImage
) -> None:
    said = ask(engine_client, built, "python", "-c", "import crcmod._crcfunext as it; print(it.__file__)")
    assert said.strip().endswith(".so")


def test_nothing_of_the_compiler_reaches_the_image(engine_client: docker.DockerClient, built: LocalImage) -> None:
    look = "ls /usr/bin/*gcc* /usr/bin/cc /usr/include/python3* 2>/dev/null; pip list"
    said = ask(engine_client, built, "sh", "-c", look)
    assert "gcc" not in said
    assert "/usr" not in said
    assert "setuptools" not in said, "what builds is not installed"


def test_a_patched_file_is_the_one_that_is_imported_and_that_record_tells(
    engine_client: docker.DockerClient, built: LocalImage
) -> None:
    assert ask(engine_client, built, "python", "-c", "import termcolor; print(termcolor.PATCHED)") == "True\n"
    script = (
        "import base64, hashlib, importlib.metadata as m, json\n"
        "bad = [str(f) for d in m.distributions() for f in d.files if f.hash and base64.urlsafe_b64encode("
        "hashlib.new(f.hash.mode, f.locate().read_bytes()).digest()).rstrip(b'=').decode() != f.hash.value]\n"
        "print(json.dumps(bad))"
    )
    assert json.loads(ask(engine_client, built, "python", "-c", script)) == []
    record = ask(engine_client, built, "cat", f"{SITE_PACKAGES}/termcolor-1.1.0.dist-info/RECORD")
    (line,) = [line for line in csv.reader(io.StringIO(record)) if line[0] == "termcolor.py"]
    size = ask(engine_client, built, "stat", "--format=%s", f"{SITE_PACKAGES}/termcolor.py")
    assert line[2] == size.strip()
    assert dict(built.labels)["inference-images.patches"] == "termcolor==1.1.0"


def test_what_is_built_from_source_has_the_same_bytes_each_time(
    clone: Checkout, engine_client: docker.DockerClient, built: LocalImage
) -> None:
    done = clone.run("build", IMAGE, "--no-cache")
    assert done.code == 0, done.text
    assert "compiler installed" in done.err, "it was not built anew"
    assert local(engine_client, clone).layers == built.layers


def test_a_patch_that_does_not_fit_tells_its_reason_and_its_line(copied: Checkout) -> None:
    copied.edit("matrix.yaml", "find: def cprint(", "find: def printc(")
    assert copied.run("generate").code == 0
    done = copied.run("build", IMAGE)
    assert done.code == 1
    said = done.one_screen()
    assert "the patch of termcolor==1.1.0 does not fit: termcolor.py has its text 0 times, not once" in said
    assert "Its reason: a test asks for it" in said
    assert "matrix.yaml:" in said
    assert "(patches[0])" in said


def test_a_c_extension_that_does_not_compile_fails_the_build(copied: Checkout) -> None:
    copied.edit("image/scripts/install-layer", "CFLAGS=-g0", "CFLAGS=-fno-such-option")
    done = copied.run("build", IMAGE)
    assert done.code == 1
    said = done.one_screen()
    assert "its layer rest-" in said
    assert "error: unrecognized command-line option ‘-fno-such-option’" in said
    assert "a package was built without its C extension" in said, "crcmod itself would be content with less"


def test_a_compiler_that_is_not_there_fails_what_needs_it_and_no_other_image(copied: Checkout) -> None:
    copied.edit("image/scripts/setup-compiler", " gcc ", " no-such-compiler ")
    done = copied.run("build", IMAGE, MINIMAL)
    assert done.code == 1
    said = done.one_screen()
    assert f"1 of 2 images were not built: {IMAGE}" in said
    assert f"the compiler of its base {BASE_NAME} could not be installed" in said
    assert "Unable to locate package no-such-compiler" in said
