"""The failures that no part of the code foresees: a message with a log or a fix, never a traceback."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import NoReturn

import pytest

from build.cli import main
from build.paths import Paths


def fail_with(failure: Exception, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    """Make `generate` fail in a clone."""

    def exclusive(paths: Paths, command: str) -> NoReturn:
        raise failure

    monkeypatch.setattr("build.system.state.exclusive", exclusive)
    monkeypatch.setattr("build.cli.repository", lambda: Paths(root=root))


def test_a_clone_that_cannot_be_written_is_named_with_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fail_with(OSError(errno.EROFS, "Read-only file system", "/clone/.pipeline"), monkeypatch, tmp_path)

    assert main(["generate"]) == 1

    printed = capsys.readouterr().err
    assert "error: a file cannot be read or written: Read-only file system" in printed
    assert "where: /clone/.pipeline" in printed
    assert "fix:" in printed


@pytest.mark.parametrize("writable", [True, False])
def test_an_unexpected_failure_leaves_a_log_wherever_one_can_be_written(
    tmp_path: Path, writable: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clone = tmp_path / "clone"
    if not writable:
        clone.write_text("a file in the place of the folder", encoding="utf-8")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    fail_with(ZeroDivisionError("a bug"), monkeypatch, clone)

    assert main(["generate"]) == 3

    printed = capsys.readouterr().err
    assert "error: unexpected: ZeroDivisionError: a bug" in printed
    assert "Traceback" not in printed
    log = Path(next(line for line in printed.splitlines() if "where: " in line).partition("where: ")[2])
    assert log.is_relative_to(clone if writable else tmp_path)
    assert "Traceback" in log.read_text(encoding="utf-8")
