"""The branch and the pull request of an update: real git, and a repository on this machine in the place of GitHub."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from build.errors import NetworkError, PipelineError
from build.github.pull_request import propose
from tests.unit.github.conftest import JOB, Gh

PULLS = "repos/acme/images/pulls"
URL = "https://github.example/acme/images/pull/5"
PERSON = ("-c", "user.name=person", "-c", "user.email=person@example.com")


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@dataclass(frozen=True, kw_only=True)
class Repository:
    remote: Path
    folder: Path

    def clone(self, name: str) -> Path:
        """A checkout as a job has it."""
        root = self.folder / name
        git(self.folder, "clone", "--quiet", "--branch=main", str(self.remote), name)
        git(root, "checkout", "--quiet", "--detach")
        return root

    def commit(self, root: Path, text: str, branch: str = "main") -> None:
        """A commit of a person."""
        (root / "matrix.yaml").write_text(text, encoding="utf-8")
        git(root, "add", "--all")
        git(root, *PERSON, "commit", "--quiet", "--message=mine")
        git(root, "push", "--quiet", "origin", f"HEAD:{branch}")

    def show(self, what: str) -> str:
        return git(self.remote, "show", "--no-patch", f"--format={what}", "update")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    remote = tmp_path / "remote.git"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    git(tmp_path, "clone", "--quiet", str(remote), "first")
    made = Repository(remote=remote, folder=tmp_path)
    git(tmp_path / "first", "checkout", "--quiet", "-B", "main")
    made.commit(tmp_path / "first", "one")
    return made


def proposed(repository: Repository, root: Path, *, body: str = "what moves") -> str | None:
    return propose(root, JOB, branch="update", title="Update", body=body, remote=str(repository.remote))


def test_a_change_is_one_commit_with_a_pull_request(repository: Repository, gh: Gh) -> None:
    root = repository.clone("job")
    (root / "matrix.yaml").write_text("two", encoding="utf-8")
    (root / "new").write_text("new", encoding="utf-8")
    gh.answer({f"GET {PULLS}": [], f"POST {PULLS}": {"html_url": URL}})
    assert proposed(repository, root) == URL
    assert git(repository.remote, "show", "update:matrix.yaml") == "two"
    assert git(repository.remote, "show", "update:new") == "new"
    assert repository.show("%P") == git(repository.remote, "rev-parse", "main")
    assert repository.show("%s by %an") == "Update by github-actions[bot]"
    wanted = {"title": "Update", "body": "what moves", "head": "update", "base": "main"}
    assert gh.requests[-1] == ["POST", PULLS, wanted]
    assert gh.requests[0][1] == f"{PULLS}?state=open&head=acme:update&base=main"


def test_nothing_changed_is_no_pull_request(repository: Repository, gh: Gh) -> None:
    assert proposed(repository, repository.clone("job")) is None
    assert gh.requests == []
    assert git(repository.remote, "branch", "--list", "update") == ""


def test_a_pull_request_that_is_not_needed_any_more_is_closed(repository: Repository, gh: Gh) -> None:
    comments = "repos/acme/images/issues/5/comments"
    gh.answer({f"GET {PULLS}": [], f"POST {PULLS}": {"html_url": URL}})
    root = repository.clone("job")
    (root / "matrix.yaml").write_text("two", encoding="utf-8")
    proposed(repository, root)
    gh.answer({f"GET {PULLS}": [{"number": 5}], f"POST {comments}": {}, f"PATCH {PULLS}/5": {}})
    assert proposed(repository, repository.clone("next-job")) is None
    (_, comment, _), closed = gh.requests[-2:]
    assert (comment, closed) == (comments, ["PATCH", f"{PULLS}/5", {"state": "closed"}])

    count = len(gh.requests)
    person = repository.clone("person")
    git(person, "checkout", "--quiet", "origin/update")
    repository.commit(person, "two, corrected", branch="update")
    assert proposed(repository, repository.clone("third-job")) is None
    assert len(gh.requests) == count, "a person works on it"


def test_the_next_run_replaces_the_branch_and_updates_the_pull_request(repository: Repository, gh: Gh) -> None:
    gh.answer({f"GET {PULLS}": [{"number": 5}], f"PATCH {PULLS}/5": {"html_url": URL}})
    for number in ("two", "three"):
        root = repository.clone(number)
        (root / "matrix.yaml").write_text(number, encoding="utf-8")
        assert proposed(repository, root, body=number) == URL
        assert git(repository.remote, "show", "update:matrix.yaml") == number
        assert git(repository.remote, "rev-list", "--count", "main..update") == "1"
        assert gh.requests[-1] == ["PATCH", f"{PULLS}/5", {"title": "Update", "body": number}]


def test_the_same_change_is_not_pushed_again(repository: Repository, gh: Gh, monkeypatch: pytest.MonkeyPatch) -> None:
    gh.answer({f"GET {PULLS}": [{"number": 5}], f"PATCH {PULLS}/5": {"html_url": URL}})
    commits = set()
    for day, name in enumerate(("first-job", "second-job"), start=1):
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"2026-11-0{day}T12:00:00Z")  # else both would be the same commit
        root = repository.clone(name)
        (root / "matrix.yaml").write_text("two", encoding="utf-8")
        proposed(repository, root)
        commits.add(repository.show("%H"))
    assert len(commits) == 1
    repository.commit(repository.clone("other"), "one and a half")
    root = repository.clone("third-job")
    (root / "matrix.yaml").write_text("two", encoding="utf-8")
    proposed(repository, root)
    assert repository.show("%P") == git(repository.remote, "rev-parse", "main"), "it is not on the newest commit"


def test_the_commit_of_a_person_is_not_replaced(repository: Repository, gh: Gh) -> None:
    gh.answer({f"GET {PULLS}": [{"number": 5}], f"PATCH {PULLS}/5": {"html_url": URL}})
    root = repository.clone("job")
    (root / "matrix.yaml").write_text("two", encoding="utf-8")
    proposed(repository, root)
    person = repository.clone("person")
    git(person, "checkout", "--quiet", "origin/update")
    repository.commit(person, "two, corrected", branch="update")
    root = repository.clone("next-job")
    (root / "matrix.yaml").write_text("three", encoding="utf-8")
    with pytest.raises(PipelineError, match=r"person@example\.com pushed to the branch 'update'"):
        proposed(repository, root)
    assert git(repository.remote, "show", "update:matrix.yaml") == "two, corrected"


def test_a_push_that_is_refused_is_explained(repository: Repository, gh: Gh) -> None:
    hook = repository.remote / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho not today >&2\nexit 1\n", encoding="utf-8")
    hook.chmod(0o755)
    root = repository.clone("job")
    (root / "matrix.yaml").write_text("two", encoding="utf-8")
    with pytest.raises(NetworkError, match="git push failed") as failure:
        proposed(repository, root)
    assert "not today" in str(failure.value.details)
    assert gh.requests == []
