"""The text of locks: what is written is read back, and damage is reported with its place."""

from __future__ import annotations

import datetime
from dataclasses import replace

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


def test_a_lock_is_read_back_as_it_was_written() -> None:
    assert locks.from_text(locks.to_text(LOCK), "x.txt") == LOCK
    less = replace(LOCK, without=("nvidia-cublas",))
    assert locks.from_text(locks.to_text(less), "x.txt") == less


def test_pip_can_read_a_lock() -> None:
    lines = locks.to_text(LOCK).splitlines()
    assert lines[0] == "# Generated from matrix.yaml by `nox -s lock`; do not edit."
    assert f"numpy==2.4.6 --hash=sha256:{'a' * 64}" in [line.split("  #")[0] for line in lines]


def test_a_line_that_is_not_a_pin_is_reported_with_its_number() -> None:
    text = locks.to_text(LOCK) + "numpy>=2\n"
    with pytest.raises(LockError) as failure:
        locks.from_text(text, "locks/x.txt")
    assert failure.value.where == f"locks/x.txt:{len(text.splitlines())}"


def test_an_edited_pin_is_reported() -> None:
    text = locks.to_text(LOCK).replace("numpy==2.4.6", "numpy==2.4.5")
    with pytest.raises(LockError, match="the file was edited"):
        locks.from_text(text, "locks/x.txt")


def test_differences_are_listed_with_both_versions() -> None:
    newer = replace(LOCK, packages=(replace(NUMPY, version="2.5.0"), TORCH))
    assert locks.difference(LOCK, newer) == ["numpy 2.4.6 -> 2.5.0"]
    assert locks.difference(None, LOCK) == ["new, 2 packages"]


def test_the_last_upload_is_that_of_the_newest_file_in_utc() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=2))
    early = replace(NUMPY, uploaded=datetime.datetime(2026, 11, 18, 23, 0, tzinfo=datetime.UTC))
    late = replace(TORCH, uploaded=datetime.datetime(2026, 11, 19, 1, 30, 5, 999, tzinfo=zone))
    assert locks.newest([early, late, NUMPY]) == "2026-11-18T23:30:05Z"
    assert locks.newest([NUMPY, TORCH]) == locks.UNKNOWN_UPLOAD, "an index that tells no times"


@pytest.mark.parametrize("text", ["", "2026-11-19", "yesterday", "2026-11-19T00:00:00+02:00"])
def test_a_last_upload_that_is_no_time_is_reported(text: str) -> None:
    damaged = locks.to_text(LOCK).replace(f"# newest: {locks.UNKNOWN_UPLOAD}", f"# newest: {text}")
    with pytest.raises(LockError, match="'newest' is not a time"):
        locks.from_text(damaged, "locks/x.txt")
