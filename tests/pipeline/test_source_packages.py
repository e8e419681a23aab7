"""Packages that have no wheel, and patches of installed packages, built with a real engine.

The packages are ones of which no version has a wheel, on the base of the default group, which every machine can build.
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

from build.engine.images import LocalImage
from tests.conftest import Checkout, copy_checkout, link_large
from tests.pipeline.helpers import edited_matrix, local_image
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
    """A clone with one image that has source-only packages, one of them patched; locked and generated."""
    target = tmp_path_factory.mktemp("source") / "repository"
    target.mkdir()
    made = copy_checkout(target)
    with edited_matrix(made) as matrix:
        for key in matrix.keys() - {"project", "server", "bases"}:
            del matrix[key]
        matrix |= {
            "axes": {"base": [BASE_NAME], "device": ["cpu"]},
            "frameworks": {"minimal": {"title": "No framework", "versions": ROWS}},
            "patches": [PATCH],
        }
    for command in ("lock", "generate", "check"):
        done = made.run(command)
        assert done.code == 0, done.text
    return made


@pytest.fixture(scope="module")
def built(clone: Checkout, engine_client: docker.DockerClient) -> LocalImage:
    done = clone.run("build", IMAGE)
    assert done.code == 0, done.text
    return local_image(engine_client, clone, IMAGE)


@pytest.fixture
def copied(clone: Checkout, tmp_path: Path) -> Iterator[Checkout]:
    """A copy of the clone, for a test that breaks something in it."""
    root = tmp_path / "repository"
    shutil.copytree(clone.root, root, copy_function=link_large)
    yield Checkout(root=root)
    shutil.rmtree(root)


def ask(client: docker.DockerClient, image: LocalImage, *command: str) -> str:
    return client.containers.run(image.id, list(command), remove=True, network_mode="none").decode()


def test_a_c_extension_of_a_source_only_package_is_compiled(
    engine_client: docker.DockerClient, built: LocalImage
) -> None:
    output = ask(engine_client, built, "python", "-c", "import crcmod._crcfunext as it; print(it.__file__)")
    assert output.strip().endswith(".so")


def test_nothing_of_the_compiler_is_in_the_image(engine_client: docker.DockerClient, built: LocalImage) -> None:
    look = "ls /usr/bin/*gcc* /usr/bin/cc /usr/include/python3* 2>/dev/null; pip list"
    output = ask(engine_client, built, "sh", "-c", look)
    assert "gcc" not in output
    assert "/usr" not in output
    assert "setuptools" not in output, "a build requirement was installed"


def test_the_patched_file_is_imported_and_record_has_its_hash(
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


@pytest.mark.thorough  # test_build.py builds an image again without the cache
def test_a_build_from_source_gives_the_same_bytes_each_time(
    clone: Checkout, engine_client: docker.DockerClient, built: LocalImage
) -> None:
    done = clone.run("build", IMAGE, "--no-cache")
    assert done.code == 0, done.text
    assert "compiler installed" in done.err, "it was not built again"
    assert local_image(engine_client, clone, IMAGE).layers == built.layers


def test_a_patch_that_does_not_fit_is_reported_with_its_reason_and_line(copied: Checkout) -> None:
    copied.edit("matrix.yaml", "find: def cprint(", "find: def printc(")
    assert copied.run("generate").code == 0
    done = copied.run("build", IMAGE)
    assert done.code == 1
    output = done.one_screen()
    assert "the patch of termcolor==1.1.0 does not fit: termcolor.py has its text 0 times, not once" in output
    assert "Its reason: a test asks for it" in output
    assert "matrix.yaml:" in output
    assert "(patches[0])" in output


def test_a_c_extension_that_does_not_compile_fails_the_build(copied: Checkout) -> None:
    copied.edit("image/scripts/install-layer", "CFLAGS=-g0", "CFLAGS=-fno-such-option")
    done = copied.run("build", IMAGE)
    assert done.code == 1
    output = done.one_screen()
    assert "its layer rest-" in output
    assert "error: unrecognized command-line option ‘-fno-such-option’" in output
    assert "a package was built without its C extension" in output, (
        "crcmod would have been installed without its extension"
    )


def test_a_missing_compiler_fails_only_the_images_that_need_it(copied: Checkout) -> None:
    copied.edit("image/scripts/setup-compiler", " gcc ", " no-such-compiler ")
    done = copied.run("build", IMAGE, MINIMAL)
    assert done.code == 1
    output = done.one_screen()
    assert f"1 of 2 images were left out: {IMAGE}" in output
    assert f"the compiler of its base {BASE_NAME} could not be installed" in output
    assert "Unable to locate package no-such-compiler" in output
