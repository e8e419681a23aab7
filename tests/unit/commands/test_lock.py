"""`nox -s lock` without an index: what is written, and what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from build.commands import lock
from build.feasibility.facts import Facts
from build.locks.make import NewLocks
from build.locks.resolve import UnsatisfiableError
from tests.unit.fixture_project import copy_project


def test_a_failure_that_no_image_has_leaves_every_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = copy_project(tmp_path / "project")
    before = {file: file.read_bytes() for file in paths.locks.rglob("*.txt")}
    failed = {"build": UnsatisfiableError("no set of packages satisfies setuptools, wheel")}
    monkeypatch.setattr(Facts, "prepare", lambda facts: None)
    monkeypatch.setattr(lock, "check_pins", lambda facts: [])
    monkeypatch.setattr(lock, "_check_excludes", lambda facts: None)
    monkeypatch.setattr(lock, "_record_bases", lambda project, refresh: None)
    monkeypatch.setattr(lock, "_cuda_pins", lambda project, refresh: {})
    monkeypatch.setattr(
        lock, "make_locks", lambda *arguments: NewLocks(locks={}, not_reached={}, replaced={}, failed=failed)
    )

    with pytest.raises(UnsatisfiableError, match="setuptools"):
        lock.lock_command(paths, check=False, refresh_bases=False)

    assert {file: file.read_bytes() for file in paths.locks.rglob("*.txt")} == before
