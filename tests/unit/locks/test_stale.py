"""Stale locks: every difference between a lock and the matrix is a reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from build.checkout.project import open_project
from build.locks import lock as locks
from build.locks.lock import Lock, LockedPackage
from build.locks.stale import Expected, stale_locks, staleness
from build.paths import Paths

MATRIX = """\
project: {namespace: azureml, vendor: someone, exclude-newer: 2026-11-19, uv: "0.13.9"}
server: {title: Server, contract: [pip>=25]}
axes: {base: [one], device: [cpu]}
bases:
  one: {title: Debian 12, os: debian12, python: "3.11", glibc: "2.36", bootstrap: {suite: bookworm}}
frameworks:
  example: {title: Example, versions: {"1": {contract: [demo>=1]}}}
"""
IMAGE = "locks/one/example-1-debian12-py311-cpu-inference.txt"
PIP = LockedPackage(name="pip", version="25.0", sha256="a" * 64, filename="pip-25.0-py3-none-any.whl", size=1)
DEMO = LockedPackage(name="demo", version="1.0", sha256="b" * 64, filename="demo-1.0-py3-none-any.whl", size=1)
LOCK = Lock(
    title="x-debian12-py311-cpu-inference",
    python="3.11",
    platform="x86_64-manylinux_2_36",
    exclude_newer="2026-11-19",
    requirements=("pip>=25", "demo>=1"),
    packages=(PIP, DEMO),
)
EXPECTED = Expected(
    base_name="one",
    title=LOCK.title,
    requirements=("pip>=25", "demo>=1"),
    python="3.11",
    glibc="2.36",
    exclude_newer="2026-11-19",
)


def test_a_lock_that_matches_the_matrix_is_not_stale() -> None:
    assert staleness(LOCK, EXPECTED) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"requirements": ("pip>=25",)}, "-demo>=1"),
        ({"requirements": ("pip>=26", "demo>=1")}, "it has pip 25.0, but the matrix requires >=26"),
        ({"requirements": ("pip>=25", "demo>=1", "scipy")}, "it lacks scipy"),
        ({"python": "3.13"}, "it is for Python 3.11, but the base has 3.13"),
        ({"glibc": "2.40"}, "x86_64-manylinux_2_40"),
        ({"exclude_newer": "2026-11-20"}, "the matrix has 2026-11-20"),
        ({"without": ("nvidia-cublas",)}, "the matrix leaves out nvidia-cublas, the lock leaves out nothing"),
    ],
)
def test_each_difference_is_a_reason(change: dict[str, Any], reason: str) -> None:
    reasons = staleness(LOCK, replace(EXPECTED, **change))
    assert any(reason in item for item in reasons), reasons


def write(root: Path, file: str, title: str, *packages: LockedPackage, **changes: Any) -> None:
    lock = replace(LOCK, title=title, packages=packages, **changes)
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text(locks.to_text(lock), encoding="utf-8")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project all of whose locks belong to its matrix."""
    (tmp_path / "matrix.yaml").write_text(MATRIX, encoding="utf-8")
    uv = replace(PIP, name="uv", version="0.13.9")
    write(tmp_path, IMAGE, "example", PIP, DEMO)
    write(tmp_path, "locks/one/server.txt", "server", PIP, requirements=("pip>=25",))
    write(tmp_path, "locks/tools.txt", "tools", uv, requirements=("uv==0.13.9",))
    return tmp_path


def stale(root: Path) -> dict[str, list[str]]:
    project = open_project(Paths(root=root))
    return stale_locks(project.matrix, project.locks, project.variants)


def test_a_project_whose_locks_all_match(root: Path) -> None:
    assert stale(root) == {}


def test_missing_damaged_and_stale_locks_are_listed_by_path(root: Path) -> None:
    (root / "locks/one/server.txt").unlink()
    (root / IMAGE).write_text("numpy\n", encoding="utf-8")
    write(root, "locks/tools.txt", "tools", PIP, requirements=("pip",))
    reasons = stale(root)
    assert reasons["locks/one/server.txt"] == ["it does not exist"]
    assert reasons[IMAGE] == ["not a line of a lock: 'numpy'"]
    assert "the requirements in the matrix have changed: +uv==0.13.9, -pip" in reasons["locks/tools.txt"]


def test_a_source_only_package_needs_a_lock_of_its_build_requirements(root: Path) -> None:
    write(root, IMAGE, "example", PIP, replace(DEMO, filename="demo-1.0.tar.gz"))
    assert stale(root) == {"locks/one/build.txt": ["it does not exist"]}
