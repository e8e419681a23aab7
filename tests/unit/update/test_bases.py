"""Newer Debian packages of bases: what is recorded must be readable."""

from __future__ import annotations

from pathlib import Path

import pytest

from build.checkout.project import open_project
from build.errors import LockError
from build.update import bases
from tests.unit.fixture_project import copy_project


def test_a_damaged_lock_of_a_base_is_an_error_and_not_up_to_date(tmp_path: Path) -> None:
    """The archive is not asked: a scheduled check must not pass because it compared nothing."""
    paths = copy_project(tmp_path / "project")
    lock = sorted(paths.locks.glob("*/debian.txt"))[0]
    lock.write_text(lock.read_text() + "<<<<<<< HEAD\n")
    with pytest.raises(LockError, match="not a Debian package with its version"):
        bases.find(open_project(paths), security_only=True)
