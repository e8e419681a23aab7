"""Failures that a user can meet: a message of one screen at most, the right exit code, and nothing half done.

Other failures are tested elsewhere: errors in matrix.yaml in tests/unit/matrix and tests/unit/variants, the engine's in
test_own_engine.py, the registry's in test_publishing.py, cells that cannot be built in test_impossible_cells.py.
"""

from __future__ import annotations

import datetime
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT, Checkout, interrupt, wait_for, wait_until
from tests.pipeline.helpers import change_recipes
from tests.pipeline.rows import BASE_NAME, MINIMAL, PINS, PROJECT, PYTORCH, SKLEARN
from tests.unit.matrix.mutations import mutation

SKLEARN_LOCK = f"locks/{BASE_NAME}/{SKLEARN}.txt"


def read_locks(checkout: Checkout) -> dict[str, str]:
    return {str(file): file.read_text(encoding="utf-8") for file in sorted(checkout.paths.locks.rglob("*.txt"))}


def test_an_error_in_the_matrix_names_the_line_and_the_nearest_key(checkout: Checkout) -> None:
    checkout.edit(
        "matrix.yaml",
        f"contract: [scikit-learn=={PINS['scikit-learn']}",
        f"contracts: [scikit-learn=={PINS['scikit-learn']}",
    )
    lines = (checkout.root / "matrix.yaml").read_text().splitlines()
    number = next(number for number, line in enumerate(lines, start=1) if "contracts:" in line)
    done = checkout.run("list")
    assert done.code == 2
    output = done.one_screen()
    assert f"matrix.yaml:{number}" in output
    assert "did you mean 'contract'" in output


def test_damaged_matrices(checkout: Checkout) -> None:
    """Ten of the random edits of tests/unit/matrix/test_fuzz.py, by the command line."""
    text = (checkout.root / "matrix.yaml").read_text(encoding="utf-8")
    for seed in range(10):
        (checkout.root / "matrix.yaml").write_bytes(mutation(text, seed).encode())
        done = checkout.run("list")
        assert done.code in (0, 2), f"seed {seed}: {done.text}"
        assert done.code == 0 or "matrix.yaml:" in done.one_screen()


def test_a_name_that_matches_no_image_lists_the_nearest_names(checkout: Checkout) -> None:
    done = checkout.run("build", SKLEARN.replace("sklearn", "skleran"))
    assert done.code == 2
    assert SKLEARN in done.one_screen()


def test_after_an_edit_of_the_matrix_check_names_the_command_that_fixes_it(checkout: Checkout) -> None:
    checkout.edit("matrix.yaml", f"scikit-learn=={PINS['scikit-learn']}", f"scikit-learn=={PINS['scikit-learn']}.1")
    done = checkout.run("check")
    assert done.code == 1
    output = done.one_screen()
    assert SKLEARN_LOCK in output
    assert "run: nox -s lock generate" in output


def test_check_reports_edited_generated_files(checkout: Checkout) -> None:
    edited = (
        f"dockerfiles/{SKLEARN}/Dockerfile",
        f"dockerfiles/bases/{BASE_NAME}/Dockerfile",
        "docker-bake.hcl",
        "matrix.schema.json",
        f"dockerfiles/layers/{BASE_NAME}/numpy-{PINS['numpy']}.txt",
        f"environments/AzureML-{SKLEARN}/environment.yaml",
    )
    for path in edited:
        file = checkout.root / path
        file.write_text(file.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    done = checkout.run("check")
    assert done.code == 1
    output = done.one_screen()
    assert [path for path in edited if path not in output] == []
    assert "run: nox -s generate" in output
    assert checkout.run("generate").code == 0
    assert checkout.run("check").code == 0


def test_check_reports_files_that_are_no_longer_generated(checkout: Checkout) -> None:
    gone = f"gone-1.0-{BASE_NAME}-cpu-inference"
    for folder, file in (("dockerfiles/", "Dockerfile"), ("environments/AzureML-", "environment.yaml")):
        (checkout.root / f"{folder}{gone}").mkdir()
        shutil.copy(checkout.root / f"{folder}{SKLEARN}/{file}", checkout.root / f"{folder}{gone}/{file}")
    done = checkout.run("check")
    assert done.code == 1
    output = done.one_screen()
    assert f"{gone}/Dockerfile" in output and f"AzureML-{gone}/environment.yaml" in output
    assert checkout.run("generate").code == 0
    assert not (checkout.root / f"dockerfiles/{gone}").exists()
    assert not (checkout.root / f"environments/AzureML-{gone}").exists()


def test_a_missing_lock_comes_with_the_command_that_makes_it(checkout: Checkout) -> None:
    (checkout.root / SKLEARN_LOCK).unlink()
    done = checkout.run("generate")
    assert done.code == 1
    output = done.one_screen()
    assert SKLEARN_LOCK in output and "nox -s lock" in output


def test_no_engine(checkout: Checkout) -> None:
    done = checkout.run("build", MINIMAL, env={"DOCKER_HOST": "unix:///nowhere/docker.sock"})
    assert done.code == 4
    output = done.one_screen()
    assert "/nowhere/docker.sock" in output


@pytest.mark.engine
@pytest.mark.usefixtures("connection")
def test_no_buildx(checkout: Checkout, tmp_path: Path) -> None:
    """A Docker client without plugins, as on many machines: they are hidden in a mount namespace of their own."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("hiding the plugins needs root and unshare")
    folders = ("/usr/libexec/docker", "/usr/lib/docker", "/usr/local/lib/docker")
    hide = " && ".join(f"mount -t tmpfs none {folder}" for folder in folders if Path(folder).is_dir()) or "true"
    done = checkout.run(
        "build",
        MINIMAL,
        "--no-cache",
        env={"DOCKER_CONFIG": str(tmp_path)},
        prefix=("unshare", "--mount", "sh", "-c", f'{hide} && exec "$@"', "sh"),
    )
    assert done.code == 4
    assert "buildx" in done.one_screen()


def offline() -> tuple[str, ...]:
    """Return the start of a command line that runs the rest without a network."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("running without a network needs root and unshare")
    return ("unshare", "--net")


def test_no_network_while_locking(checkout: Checkout, tmp_path: Path) -> None:
    before = read_locks(checkout)
    done = checkout.run("lock", prefix=offline(), env={"UV_CACHE_DIR": str(tmp_path), "UV_HTTP_RETRIES": "0"})
    assert done.code == 6
    assert re.search(r"the package index \S+ cannot be reached", done.one_screen())
    assert read_locks(checkout) == before


@pytest.mark.engine
@pytest.mark.usefixtures("bases_here")
def test_no_network_while_bootstrapping(checkout: Checkout) -> None:
    if shutil.which("mmdebstrap") is None:
        pytest.skip("mmdebstrap is not installed")
    tar = checkout.root / f".pipeline/rootfs/{BASE_NAME}/rootfs.tar"
    before = tar.stat().st_mtime_ns if tar.exists() else None
    done = checkout.run("bases", "--refresh-bases", "--base", BASE_NAME, prefix=offline())
    assert done.code == 6
    assert "Debian's archive cannot be reached" in done.one_screen()
    assert (tar.stat().st_mtime_ns if tar.exists() else None) == before
    assert not list(tar.parent.glob("*.incoming*")), "a partial root file system was left"


@pytest.mark.engine
@pytest.mark.usefixtures("bases_here")
def test_an_image_whose_wheel_source_cannot_be_reached_is_left_out(checkout: Checkout, tmp_path: Path) -> None:
    shutil.rmtree(checkout.root / ".pipeline/wheels", ignore_errors=True)
    index = PROJECT.matrix.wheel_sources["pytorch-cpu"].index
    checkout.edit("matrix.yaml", f"index: {index}", "index: http://127.0.0.1:9/simple")
    # Another recipe, because an engine that has the image needs no wheel source.
    change_recipes(checkout)
    nowhere = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}
    done = checkout.run("build", f"*{PYTORCH.name}*", f"{MINIMAL}*", env=nowhere)
    assert done.code == 1, "an image was left out"
    assert f"{PYTORCH.name} is left out" in " ".join(done.err.split())
    assert re.search(rf"^{MINIMAL} +built", done.out, re.MULTILINE), "the other image was not built"
    done = checkout.run("build", PYTORCH.name, env=nowhere)
    assert done.code == 6, "nothing else was to be made"
    output = done.one_screen()
    torch = PROJECT.lock(PYTORCH).versions()["torch"]
    assert f"the wheel source 'pytorch-cpu' does not have torch=={torch} for Python {PYTORCH.base.python}" in output
    assert "find-links" in output


@pytest.mark.engine
@pytest.mark.usefixtures("bases_here")
def test_a_registry_that_cannot_be_reached_is_reported_before_the_build(
    checkout: Checkout, free_port: Callable[[], int]
) -> None:
    port = free_port()
    done = checkout.run("pipeline", MINIMAL, env={"REGISTRY": f"127.0.0.1:{port}/team"})
    assert done.code == 5
    output = done.one_screen()
    assert f"127.0.0.1:{port}" in output
    assert "==> build" not in output


@pytest.mark.engine
@pytest.mark.usefixtures("bases_here")
@pytest.mark.parametrize("by", ["Ctrl-C", "kill -9"])
def test_an_interrupted_bootstrap_leaves_nothing(checkout: Checkout, tmp_path: Path, by: str) -> None:
    """Neither a partial base nor temporary files; after `kill -9` the next command removes them."""
    tar = checkout.root / f".pipeline/rootfs/{BASE_NAME}/rootfs.tar"
    before = tar.read_bytes()[:4096], tar.stat().st_size
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    tmp_path.chmod(0o711)
    environment = {"TMPDIR": str(temporary)}
    process = checkout.start("bases", "--refresh-bases", "--base", BASE_NAME, env=environment)
    wait_for(process, "bootstrapping")
    wait_until(lambda: any(temporary.rglob("mmdebstrap.gpghome.*")))
    if by == "Ctrl-C":
        done = interrupt(process)
        assert done.code == 130
        assert "interrupted" in done.one_screen()
    else:
        process.kill()
        process.communicate()
        assert list(temporary.iterdir()), "nothing is left, so that this test tests nothing"
        assert checkout.run("list", env=environment).code == 0
    assert list(temporary.iterdir()) == []
    assert (tar.read_bytes()[:4096], tar.stat().st_size) == before
    assert not list(tar.parent.glob("*.incoming*"))


def test_ctrl_c_during_lock_writes_nothing(checkout: Checkout, tmp_path: Path) -> None:
    before = read_locks(checkout)
    day = PROJECT.matrix.project.exclude_newer
    checkout.edit("matrix.yaml", f"exclude-newer: {day}", f"exclude-newer: {day - datetime.timedelta(days=7)}")
    process = checkout.start("lock", env={"UV_CACHE_DIR": str(tmp_path)})
    wait_for(process, "resolving")
    done = interrupt(process)
    assert done.code == 130
    done.one_screen()
    assert read_locks(checkout) == before


@pytest.mark.parametrize("arguments", [["--help"], ["build", "--help"], ["pipeline", "-h"], ["engine", "--help"]])
def test_help(arguments: list[str]) -> None:
    done = Checkout(root=ROOT).run(*arguments)
    assert done.code == 0
    assert "Usage: nox -s" in done.out


def test_an_unknown_option_names_the_nearest() -> None:
    done = Checkout(root=ROOT).run("build", "--no-cach")
    assert done.code == 2
    assert "--no-cache" in done.one_screen()
