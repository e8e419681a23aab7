"""A base whose Python is a prefix: built and tested; left out where it is missing, refused where it is wrong."""

from __future__ import annotations

import subprocess
from pathlib import Path

import docker
import pytest

from build.bases import prefix, prefix_archive
from build.bases.prefix import PrefixNotFoundError
from build.builder.bake import build_environment
from build.builder.network import of_machine
from build.engine.connect import Connection
from build.locks import prefix_python
from build.locks.prefix_python import RecordedPython
from build.matrix.origins import PrefixPython
from tests.conftest import ROOT, Checkout
from tests.pipeline.helpers import reference
from tests.pipeline.rows import MINIMAL, PROJECT, newest
from tests.pipeline.serving import must_serve

#: A base of the matrix with a prefix Python and images of its own.
BASE = next(variant.base_name for variant in PROJECT.variants if variant.base.prefix)
PREFIX = PROJECT.matrix.bases[BASE].prefix
assert PREFIX is not None
VERSION = PREFIX.version
IMAGE = newest("minimal", base=BASE).name
#: The interpreter's name, and another patch release.
PYTHON = f"python{PROJECT.matrix.bases[BASE].python}"
OTHER = f"{PROJECT.matrix.bases[BASE].python}.99"


@pytest.fixture
def cpython() -> Path:
    """A CPython of the version that the matrix asks for."""
    try:
        return prefix.find(PrefixPython(version=VERSION), ROOT).directory
    except PrefixNotFoundError as failure:
        pytest.skip(f"{failure.what}; {failure.fix}")


def _record_another(checkout: Checkout) -> None:
    another = RecordedPython(version=VERSION, edition=prefix_archive.EDITION, sha256="0" * 64)
    prefix_python.record(checkout.paths, BASE, another)


@pytest.fixture
def without_pythons(checkout: Checkout, tmp_path: Path) -> dict[str, str]:
    """The environment of a machine without the prefix, for a clone that has not packed it.

    The lock records a prefix with which nothing was built: an image that exists needs no Python to be found.
    """
    _record_another(checkout)
    for kind in ("rootfs", "builder"):
        for file in (checkout.root / ".pipeline" / kind / BASE).glob("*"):
            file.unlink()
    return {
        "PYENV_ROOT": str(tmp_path / "pyenv"),
        "UV_PYTHON_INSTALL_DIR": str(tmp_path / "uv"),
        "HOME": str(tmp_path),
        prefix.VARIABLE: "",
    }


@pytest.mark.engine
@pytest.mark.thorough  # test_seed.py has an image with another prefix Python that passes its tests
def test_an_image_with_a_prefix_python_passes_its_tests(checkout: Checkout, cpython: Path) -> None:
    assert checkout.run("build", IMAGE).code == 0
    verified = checkout.run("verify", IMAGE)
    assert verified.code == 0, verified.text
    assert " verified" in verified.out


@pytest.mark.engine
@pytest.mark.thorough  # the same
def test_an_image_with_a_prefix_python_serves(
    checkout: Checkout, cpython: Path, connection: Connection, engine_client: docker.DockerClient
) -> None:
    built = checkout.run("build", IMAGE)
    assert built.code == 0, built.text
    must_serve(connection, reference(checkout, IMAGE))
    output = engine_client.containers.run(
        reference(checkout, IMAGE),
        ["sh", "-c", "python -V; ls -d /usr/local/include/py* /usr/local/lib/*.a; python -m venv /tmp/v && echo made"],
        remove=True,
        stderr=False,
    ).decode()
    assert output.splitlines() == [f"Python {VERSION}", "made"], "another Python, headers in an image, or no venv"


@pytest.mark.engine
@pytest.mark.thorough
def test_plain_bake_builds_it_from_the_committed_files(
    checkout: Checkout, cpython: Path, connection: Connection
) -> None:
    ran = checkout.run("bases", "--base", BASE)
    assert ran.code == 0, ran.text
    assert ran.out == f"ready: {BASE}\n"
    command = [*connection.buildx.command, "bake", "--set", "*.output=type=cacheonly", IMAGE.replace(".", "_")]
    done = subprocess.run(
        command,
        cwd=checkout.root,
        env=build_environment(connection.environment, of_machine()),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.engine
@pytest.mark.usefixtures("bases_here")
def test_without_the_prefix_its_images_are_left_out(checkout: Checkout, without_pythons: dict[str, str]) -> None:
    for command in ("check", "list", "generate"):
        ran = checkout.run(command, env=without_pythons)
        assert ran.code == 0, ran.text
    some = checkout.run("build", MINIMAL, f"{IMAGE}*", env=without_pythons)
    assert some.code == 1, some.text
    warning = some.one_screen().replace("\n", " ")
    assert f"{IMAGE} is left out: no CPython {VERSION} is on this machine" in " ".join(warning.split())
    listed = [line.split()[0] for line in some.out.splitlines() if line.startswith("minimal")]
    assert sorted(listed) == sorted([MINIMAL, IMAGE])
    asked = checkout.run("build", IMAGE, env=without_pythons)
    assert asked.code == 1
    assert f"pyenv install {VERSION}" in asked.one_screen()
    asked = checkout.run("verify", IMAGE, env=without_pythons)
    assert asked.code == 2, asked.text
    assert f"{IMAGE}: it is not built in its present form" in asked.one_screen()
    asked = checkout.run("bases", "--base", BASE, env=without_pythons)
    assert asked.code == 1, asked.text
    assert f"no CPython {VERSION} is on this machine" in asked.one_screen()


@pytest.mark.thorough  # a bootstrap; tests/unit/bases/test_prefix.py shows the message
def test_a_base_that_lacks_a_library_is_reported_before_the_build(checkout: Checkout, cpython: Path) -> None:
    checkout.edit("matrix.yaml", "        - libsqlite3-0\n", "")
    assert checkout.run("generate").code == 0
    ran = checkout.run("bases", "--base", BASE)
    assert ran.code == 1, ran.text
    output = " ".join(ran.one_screen().split())
    assert f"the base {BASE} lacks libraries that CPython {VERSION} needs: libsqlite3.so.0" in output
    assert "matrix.yaml:" in output
    assert "libsqlite3-0" in output
    assert "lib-dynload/_sqlite3" in output


def test_a_directory_with_another_python_is_refused(checkout: Checkout, tmp_path: Path, cpython: Path) -> None:
    directory = checkout.root / "python"
    (directory / "bin").mkdir(parents=True)
    (directory / "bin" / PYTHON).symlink_to(cpython / "bin" / PYTHON)
    checkout.edit("matrix.yaml", f'version: "{VERSION}"\n', f'version: "{OTHER}"\n      directory: python\n')
    assert checkout.run("generate").code == 0
    ran = checkout.run("bases", "--base", BASE)
    assert ran.code == 1, ran.text
    output = " ".join(ran.one_screen().split())
    assert f"this is CPython {VERSION}; the matrix asks for CPython {OTHER}" in output
    assert f"{directory}/bin/{PYTHON}" in ran.text.replace("\n", "")


def test_another_prefix_than_the_recorded_one_is_taken_with_a_warning(checkout: Checkout, cpython: Path) -> None:
    _record_another(checkout)
    ran = checkout.run("bases", "--base", BASE)
    assert ran.code == 0, ran.text
    output = " ".join(ran.one_screen().split())
    assert f"this machine's CPython {VERSION} is not the one that the lock of the base {BASE} records" in output
    locked = checkout.run("bases", "--base", BASE, "--locked")
    assert locked.code == 1, locked.text
    assert f"is not the one that the lock of the base {BASE} records" in " ".join(locked.one_screen().split())


@pytest.mark.engine
def test_a_row_whose_python_is_not_recorded_is_unknown(
    checkout: Checkout, without_pythons: dict[str, str], connection: Connection
) -> None:
    prefix_python.lock_file(checkout.paths, BASE).unlink()
    checked = checkout.run("check", env=without_pythons)
    assert checked.code == 1, checked.text
    assert f"the base's CPython {VERSION} is not recorded" in checked.one_screen()
    assert f"where: locks/{BASE}/python.txt" in checked.text
    asked = checkout.run("verify", IMAGE, env=without_pythons)
    assert asked.code == 1, asked.text
    assert f"the base's CPython {VERSION} is not recorded" in asked.one_screen()
    assert f"where: locks/{BASE}/python.txt" in asked.text
    assert not list((checkout.root / ".pipeline" / "rootfs" / BASE).glob("prefix*")), "a question packed a prefix"
