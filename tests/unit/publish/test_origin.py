"""The commit of a run, and which of two commits is older."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from build.publish.origin import Origin, is_older, of_checkout
from build.publish.release import Commit


class Repository:
    """A git repository whose commits have given times."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str, when: int = 0) -> str:
        names = ("AUTHOR", "COMMITTER")
        environment = {
            **os.environ,
            **{f"GIT_{name}_NAME": "t" for name in names},
            **{f"GIT_{name}_EMAIL": "t@example" for name in names},
            **{f"GIT_{name}_DATE": f"@{when} +0000" for name in names},
        }
        command = ["git", *arguments]
        done = subprocess.run(command, cwd=self.root, env=environment, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, when: int) -> Commit:
        (self.root / "file").write_text(str(when), encoding="utf-8")
        self.git("add", "file")
        self.git("commit", "--quiet", f"--message={when}", when=when)
        return self.origin().commit

    def origin(self) -> Origin:
        return of_checkout(self.root)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "clone")


def test_the_commit_and_whether_files_were_changed(repository: Repository) -> None:
    first = repository.commit(1_000_000)
    assert first == Commit(hash=repository.git("rev-parse", "HEAD"), time=1_000_000)

    (repository.root / "file").write_text("changed", encoding="utf-8")
    assert repository.origin().commit == dataclasses.replace(first, modified=True)
    assert "+changes" in str(repository.origin())


@pytest.mark.parametrize("kind", ["no repository", "no commit"])
def test_an_unknown_commit_is_never_older(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "folder"
    if kind == "no commit":
        Repository(folder)
    else:
        folder.mkdir()
    origin = of_checkout(folder)

    assert origin.commit == Commit()
    assert not is_older(origin, Commit(hash="a" * 40, time=2**31))


def test_ancestry_decides_even_where_the_times_say_otherwise(repository: Repository) -> None:
    first = repository.commit(2_000_000)
    first_run = repository.origin()
    second = repository.commit(1_000_000)  # a machine with a wrong clock
    second_run = repository.origin()

    assert is_older(first_run, second)
    assert not is_older(second_run, first)
    assert not is_older(second_run, second)


def test_the_times_decide_on_different_branches_and_for_unknown_commits(repository: Repository, tmp_path: Path) -> None:
    repository.commit(1_000_000)
    repository.git("branch", "other")
    late = repository.commit(3_000_000)
    repository.git("checkout", "--quiet", "other")
    repository.commit(2_000_000)

    assert is_older(repository.origin(), late)
    # The clone of before the other commit does not know it.
    copy = tmp_path / "copy"
    shutil.copytree(repository.root, copy)
    newer = repository.commit(4_000_000)
    assert is_older(of_checkout(copy), newer)
    assert not is_older(of_checkout(copy), Commit(hash="c" * 40, time=1_500_000))


def test_a_commit_that_git_cannot_read_is_unknown_and_git_says_why(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.commit(1_000_000)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git takes the checkout for another user's
    assert repository.origin().commit == Commit()
    (line,) = capsys.readouterr().err.replace("\n", " ").split("warning: ")[1:]
    assert line.startswith("the commit of this checkout is unknown, and is not compared: fatal: ")
    assert "dubious ownership" in line

    monkeypatch.setenv("PATH", str(tmp_path))
    assert repository.origin().commit == Commit()
    assert "git cannot be run (No such file or directory)" in capsys.readouterr().err

    assert of_checkout(tmp_path).commit == Commit()
    assert capsys.readouterr().err == ""


def test_a_clone_has_a_name_of_its_own(tmp_path: Path) -> None:
    held, copied = tmp_path / "run.lock", tmp_path / "copy.lock"
    held.touch()
    copied.touch()

    names = [of_checkout(tmp_path, held=file).clone for file in (held, held, copied)]

    assert names[0] == names[1] != names[2]
    assert of_checkout(tmp_path).clone == ""
