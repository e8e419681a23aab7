"""`nox -s github`, as a workflow runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from build.cli import main
from build.paths import PROJECT_VARIABLE
from tests.unit.github.conftest import Gh, gh
from tests.unit.github.test_pull_request import PULLS, URL, Repository, git

__all__ = ["gh"]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A repository at the address that the variables of a job give, with one commit."""
    remote = tmp_path / "server/acme/images.git"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    git(tmp_path, "clone", "--quiet", str(remote), "first")
    git(tmp_path / "first", "checkout", "--quiet", "-B", "main")
    (tmp_path / "first/.gitignore").write_text(".pipeline\n", encoding="utf-8")
    made = Repository(remote=remote, folder=tmp_path)
    made.commit(tmp_path / "first", "one")
    for name, value in {
        "GITHUB_SERVER_URL": f"file://{tmp_path}/server",
        "GITHUB_REPOSITORY": "acme/images",
        "GITHUB_REF_NAME": "main",
        "GITHUB_WORKFLOW": "update",
        "GITHUB_RUN_ID": "42",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
    }.items():
        monkeypatch.setenv(name, value)
    return made


def test_the_changes_of_one_job_are_the_pull_request_of_the_next(
    repository: Repository, gh: Gh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = tmp_path / "changes"
    first, second = repository.clone("job"), repository.clone("next-job")
    (first / "matrix.yaml").write_text("two", encoding="utf-8")
    monkeypatch.setenv(PROJECT_VARIABLE, str(first))
    changes.mkdir()
    (changes / "summary.md").write_text("# What moves\n" + "a line\n" * 20_000, encoding="utf-8")
    assert main(["github", "changes", str(changes)]) == 0
    gh.answer({f"GET {PULLS}": [], f"POST {PULLS}": {"html_url": URL}})
    monkeypatch.setenv(PROJECT_VARIABLE, str(second))
    command = ["github", "pull-request", "--branch", "update", "--title", "Update", str(changes)]
    assert main(command) == 0
    assert URL in capsys.readouterr().out
    assert git(repository.remote, "show", "update:matrix.yaml") == "two"
    body = gh.requests[-1][2]["body"]
    assert body.startswith("# What moves") and len(body) <= 60_000 and "cut here" in body.splitlines()[-1]
    assert (tmp_path / "summary").read_text().rstrip().endswith(URL)


def test_nothing_changed_opens_nothing(
    repository: Repository, gh: Gh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(PROJECT_VARIABLE, str(repository.clone("job")))
    (tmp_path / "changes").mkdir()
    (tmp_path / "changes/summary.md").write_text("nothing\n", encoding="utf-8")
    assert main(["github", "changes", str(tmp_path / "changes")]) == 0
    command = ["github", "pull-request", "--branch", "update", "--title", "Update", str(tmp_path / "changes")]
    assert main(command) == 0
    assert "no pull request" in capsys.readouterr().out
    assert gh.requests == []


def test_outside_of_a_job_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    monkeypatch.delenv("GITHUB_RUN_ID", raising=False)
    assert main(["github", "issue"]) == 2
    assert "this is not a job of GitHub Actions" in capsys.readouterr().err
