"""What a user does wrong, or meets: one clear screen, the right exit code, nothing half done.

The errors of matrix.yaml itself are in tests/unit/test_matrix_file.py and test_variants.py; the engine's in
test_own_engine.py; the registry's in test_publishing.py; cells that cannot be in test_compatibility.py.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Checkout, interrupt, wait_for
from tests.pipeline.rows import BASE_NAME, MINIMAL, PROJECT, PYTORCH, SKLEARN

SKLEARN_LOCK = f"locks/{BASE_NAME}/{SKLEARN}.txt"
PINS = PROJECT.lock(PROJECT.variant(SKLEARN)).versions()


def locks(checkout: Checkout) -> dict[str, str]:
    return {str(file): file.read_text(encoding="utf-8") for file in sorted(checkout.paths.locks.rglob("*.txt"))}


def test_an_error_in_the_matrix_comes_with_its_line_and_the_nearest_key(checkout: Checkout) -> None:
    checkout.edit(
        "matrix.yaml",
        f"contract: [scikit-learn=={PINS['scikit-learn']}",
        f"contracts: [scikit-learn=={PINS['scikit-learn']}",
    )
    lines = (checkout.root / "matrix.yaml").read_text().splitlines()
    number = next(number for number, line in enumerate(lines, start=1) if "contracts:" in line)
    done = checkout.run("list")
    assert done.code == 2
    said = done.one_screen()
    assert f"matrix.yaml:{number}" in said
    assert "did you mean 'contract'" in said


def test_a_selection_that_matches_nothing_lists_the_nearest_names(checkout: Checkout) -> None:
    done = checkout.run("build", SKLEARN.replace("sklearn", "skleran"))
    assert done.code == 2
    assert SKLEARN in done.one_screen()


def test_an_edited_matrix_is_drift_and_the_command_that_mends_it_is_named(checkout: Checkout) -> None:
    checkout.edit("matrix.yaml", "scikit-learn==1.9.1", "scikit-learn==1.9.0")
    done = checkout.run("check")
    assert done.code == 1
    said = done.one_screen()
    assert SKLEARN_LOCK in said
    assert "run: nox -s lock generate" in said


@pytest.mark.parametrize(
    "path",
    [
        f"dockerfiles/{SKLEARN}/Dockerfile",
        f"dockerfiles/bases/{BASE_NAME}/Dockerfile",
        "docker-bake.hcl",
        "matrix.schema.json",
        f"dockerfiles/layers/{BASE_NAME}/numpy-{PINS['numpy']}.txt",
        f"environments/AzureML-{SKLEARN}/environment.yaml",
    ],
)
def test_an_edited_generated_file_is_drift(checkout: Checkout, path: str) -> None:
    assert checkout.run("check").code == 0
    file = checkout.root / path
    file.write_text(file.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    done = checkout.run("check")
    assert done.code == 1
    said = done.one_screen()
    assert path in said and "run: nox -s generate" in said
    assert checkout.run("generate").code == 0
    assert checkout.run("check").code == 0


def test_a_file_that_nothing_gives_any_more_is_drift(checkout: Checkout) -> None:
    gone = f"gone-1.0-{BASE_NAME}-cpu-inference"
    for folder, file in (("dockerfiles/", "Dockerfile"), ("environments/AzureML-", "environment.yaml")):
        (checkout.root / f"{folder}{gone}").mkdir()
        shutil.copy(checkout.root / f"{folder}{SKLEARN}/{file}", checkout.root / f"{folder}{gone}/{file}")
    done = checkout.run("check")
    assert done.code == 1
    said = done.one_screen()
    assert f"{gone}/Dockerfile" in said and f"AzureML-{gone}/environment.yaml" in said
    assert checkout.run("generate").code == 0
    assert not (checkout.root / f"dockerfiles/{gone}").exists()
    assert not (checkout.root / f"environments/AzureML-{gone}").exists()


def test_a_missing_lock_says_how_it_is_made(checkout: Checkout) -> None:
    (checkout.root / SKLEARN_LOCK).unlink()
    done = checkout.run("generate")
    assert done.code == 1
    said = done.one_screen()
    assert SKLEARN_LOCK in said and "nox -s lock" in said


def test_no_engine(checkout: Checkout) -> None:
    done = checkout.run("build", MINIMAL, env={"DOCKER_HOST": "unix:///nowhere/docker.sock"})
    assert done.code == 4
    said = done.one_screen()
    assert "/nowhere/docker.sock" in said


@pytest.mark.engine
@pytest.mark.usefixtures("running")
def test_no_buildx(checkout: Checkout, tmp_path: Path) -> None:
    """A docker client alone, as on many machines: its plugins are hidden in an empty mount namespace."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("hiding the plugins takes root and unshare")
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
    """Runs what follows in a network of its own, without any way out."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("taking the network away takes root and unshare")
    return ("unshare", "--net")


def test_no_network_while_locking(checkout: Checkout, tmp_path: Path) -> None:
    before = locks(checkout)
    done = checkout.run("lock", prefix=offline(), env={"UV_CACHE_DIR": str(tmp_path), "UV_HTTP_RETRIES": "0"})
    assert done.code == 6
    assert "the package index cannot be reached" in done.one_screen()
    assert locks(checkout) == before


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
    assert not list(tar.parent.glob("*.incoming*")), "a half-made root file system was left"


@pytest.mark.engine
@pytest.mark.usefixtures("bases_here")
def test_a_wheel_source_that_is_not_reached_leaves_its_row_out(checkout: Checkout, tmp_path: Path) -> None:
    shutil.rmtree(checkout.root / ".pipeline/wheels", ignore_errors=True)
    index = PROJECT.matrix.wheel_sources["pytorch-cpu"].index
    checkout.edit("matrix.yaml", f"index: {index}", "index: http://127.0.0.1:9/simple")
    # A recipe of its own: an engine that has the image needs no source.
    checkout.edit("image/templates/image.Dockerfile.j2", "FROM base\n", "FROM base\nENV TEST=no-source\n")
    nowhere = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}
    assert checkout.run("generate").code == 0
    done = checkout.run("build", f"*{PYTORCH.name}*", f"{MINIMAL}*", env=nowhere)
    assert done.code == 0, "the others are built"
    assert f"{PYTORCH.name} skipped" in done.err
    done = checkout.run("build", PYTORCH.name, env=nowhere)
    assert done.code == 1, "asked for by name, it is an error"
    said = done.one_screen()
    torch = PROJECT.lock(PYTORCH).versions()["torch"]
    assert f"the wheel source 'pytorch-cpu' does not have torch=={torch} for Python {PYTORCH.base.python}" in said
    assert "find-links" in said


@pytest.mark.engine
@pytest.mark.usefixtures("bases_here")
def test_a_registry_that_is_not_there_is_told_before_anything_is_built(
    checkout: Checkout, free_port: Callable[[], int]
) -> None:
    port = free_port()
    done = checkout.run("pipeline", MINIMAL, env={"REGISTRY": f"127.0.0.1:{port}/team"})
    assert done.code == 5
    said = done.one_screen()
    assert f"127.0.0.1:{port}" in said
    assert "==> build" not in said


@pytest.mark.engine
@pytest.mark.usefixtures("bases_here")
def test_ctrl_c_while_bootstrapping_leaves_no_half_made_base(checkout: Checkout) -> None:
    tar = checkout.root / f".pipeline/rootfs/{BASE_NAME}/rootfs.tar"
    before = tar.read_bytes()[:4096], tar.stat().st_size
    process = checkout.start("bases", "--refresh-bases", "--base", BASE_NAME)
    wait_for(process, "bootstrapping")
    done = interrupt(process)
    assert done.code == 130
    assert "interrupted" in done.one_screen()
    assert (tar.read_bytes()[:4096], tar.stat().st_size) == before
    assert not list(tar.parent.glob("*.incoming*"))


def test_ctrl_c_while_locking_writes_nothing(checkout: Checkout, tmp_path: Path) -> None:
    before = locks(checkout)
    checkout.edit("matrix.yaml", "exclude-newer: 2026-11-19", "exclude-newer: 2026-11-12")
    process = checkout.start("lock", env={"UV_CACHE_DIR": str(tmp_path)})
    wait_for(process, "resolving")
    done = interrupt(process)
    assert done.code == 130
    done.one_screen()
    assert locks(checkout) == before


@pytest.mark.parametrize("arguments", [["--help"], ["build", "--help"], ["pipeline", "-h"], ["engine", "--help"]])
def test_help_is_there(checkout: Checkout, arguments: list[str]) -> None:
    done = checkout.run(*arguments)
    assert done.code == 0
    assert "Usage: nox -s" in done.out


def test_a_flag_that_does_not_exist(checkout: Checkout) -> None:
    done = checkout.run("build", "--no-cach")
    assert done.code == 2
    assert "--no-cache" in done.one_screen()
