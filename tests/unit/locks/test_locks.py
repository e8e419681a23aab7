"""Locks: what is written is read back, and what makes one stale is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from build.errors import LockError
from build.locks import lock as locks
from build.locks.lock import Lock, LockedPackage

NUMPY = LockedPackage(
    name="numpy",
    version="2.4.6",
    sha256="a" * 64,
    filename="numpy-2.4.6-cp311-cp311-manylinux_2_28_x86_64.whl",
    size=16918164,
)
TORCH = LockedPackage(
    name="torch",
    version="2.13.0+cpu",
    sha256="b" * 64,
    filename="torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl",
    size=None,
)
LOCK = Lock(
    title="x-debian12-py311-cpu-inference",
    python="3.11",
    platform="x86_64-manylinux_2_36",
    exclude_newer="2026-11-19",
    requirements=("numpy>=2.0", "torch==2.13.0+cpu"),
    packages=(NUMPY, TORCH),
)
MATCHING: dict[str, Any] = {
    "requirements": ("numpy>=2.0", "torch==2.13.0+cpu"),
    "python": "3.11",
    "glibc": "2.36",
    "exclude_newer": "2026-11-19",
}


def test_a_lock_is_read_back_as_it_was_written() -> None:
    assert locks.from_text(locks.to_text(LOCK), "x.txt") == LOCK
    less = replace(LOCK, without=("nvidia-cublas",))
    assert locks.from_text(locks.to_text(less), "x.txt") == less


def test_a_lock_is_what_pip_reads() -> None:
    lines = locks.to_text(LOCK).splitlines()
    assert lines[0] == "# Generated from matrix.yaml by `nox -s lock`; do not edit."
    assert f"numpy==2.4.6 --hash=sha256:{'a' * 64}" in [line.split("  #")[0] for line in lines]


def test_a_line_that_is_no_pin_is_named() -> None:
    text = locks.to_text(LOCK) + "numpy>=2\n"
    with pytest.raises(LockError) as failure:
        locks.from_text(text, "locks/x.txt")
    assert failure.value.where == f"locks/x.txt:{len(text.splitlines())}"


def test_a_lock_that_matches_is_not_stale() -> None:
    assert locks.staleness(LOCK, **MATCHING) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"requirements": ("numpy>=2.0",)}, "-torch==2.13.0+cpu"),
        ({"requirements": ("numpy>=2.5", "torch==2.13.0+cpu")}, "it has numpy 2.4.6, the matrix asks for >=2.5"),
        ({"requirements": ("numpy>=2.0", "torch==2.13.0+cpu", "scipy")}, "it lacks scipy"),
        ({"python": "3.13"}, "it is for Python 3.11, the base has 3.13"),
        ({"glibc": "2.40"}, "x86_64-manylinux_2_40"),
        ({"exclude_newer": "2026-11-20"}, "the matrix says 2026-11-20"),
        ({"without": ("nvidia-cublas",)}, "the matrix now leaves out nvidia-cublas, it left out nothing"),
    ],
)
def test_what_makes_a_lock_stale_is_said(change: dict[str, object], reason: str) -> None:
    reasons = locks.staleness(LOCK, **{**MATCHING, **change})
    assert any(reason in item for item in reasons), reasons


def test_a_difference_names_each_package_with_both_versions() -> None:
    newer = Lock(**{**LOCK.__dict__, "packages": (LockedPackage(**{**NUMPY.__dict__, "version": "2.5.0"}), TORCH)})
    assert locks.difference(LOCK, newer) == ["numpy 2.4.6 -> 2.5.0"]
    assert locks.difference(None, LOCK) == ["new, 2 packages"]
