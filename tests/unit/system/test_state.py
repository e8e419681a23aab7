"""What a run keeps: files whole or not at all, and one run at a time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from build.errors import BusyError
from build.paths import Paths, write_atomically
from build.system import state


def test_a_second_run_is_told_who_holds_the_clone(tmp_path: Path) -> None:
    paths = Paths(root=tmp_path)
    with state.exclusive(paths, "build"), pytest.raises(BusyError) as failure, state.exclusive(paths, "lock"):
        pass
    assert f"'build', process {os.getpid()}" in failure.value.what
    with state.exclusive(paths, "lock"):
        pass  # it is free again


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "locks" / "x.txt"
    write_atomically(file, "old\n")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(file, "new \udcff\n")
    assert file.read_text() == "old\n"
    assert list(file.parent.iterdir()) == [file]


def test_a_broken_state_file_counts_as_none(tmp_path: Path) -> None:
    for content in (b"{", b"\x00\x00", b"\xff\xfe"):
        (tmp_path / "x.json").write_bytes(content)
        assert state.read_json(tmp_path / "x.json") is None
