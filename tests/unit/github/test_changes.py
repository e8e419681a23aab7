"""The changes of a job that may not push, for one that may."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from build.errors import NetworkError, PipelineError, UsageError
from build.github import changes
from tests.unit.github.conftest import JOB, Gh
from tests.unit.github.test_pull_request import Repository, git, repository

__all__ = ["repository"]


def write(root: Path, folder: Path) -> None:
    """Write the changes of a checkout next to the report of an update."""
    folder.mkdir()
    (folder / changes.SUMMARY).touch()
    changes.write_patch(root, folder)


def test_every_kind_of_change_arrives(repository: Repository, tmp_path: Path) -> None:
    first = repository.clone("base")
    (first / "matrix.schema.json").write_text("gone", encoding="utf-8")
    repository.commit(first, "one")
    root = repository.clone("job")
    (root / "matrix.yaml").write_bytes(b"two\r\n\xff")
    (root / "locks").mkdir()
    (root / "locks/new").write_text("new", encoding="utf-8")
    (root / "matrix.schema.json").unlink()
    write(root, tmp_path / "changes")
    other = repository.clone("next-job")
    changes.apply_patch(other, tmp_path / "changes")
    assert (other / "matrix.yaml").read_bytes() == b"two\r\n\xff"
    assert (other / "locks/new").read_text() == "new"
    assert not (other / "matrix.schema.json").exists()


def test_no_change_is_an_empty_patch(repository: Repository, tmp_path: Path) -> None:
    write(repository.clone("job"), tmp_path / "changes")
    assert (tmp_path / "changes" / changes.PATCH).read_text() == ""
    other = repository.clone("next-job")
    changes.apply_patch(other, tmp_path / "changes")
    assert git(other, "status", "--porcelain") == ""


def test_an_update_that_wrote_no_report_has_no_changes(repository: Repository, tmp_path: Path) -> None:
    """Else a pull request of earlier changes would be closed: nothing differs any more."""
    with pytest.raises(UsageError, match="the update wrote no report"):
        changes.write_patch(repository.clone("job"), tmp_path / "changes")
    assert not (tmp_path / "changes").exists()


@pytest.mark.parametrize("path", ["build/code.py", ".github/workflows/new.yml", "docs/other.md", "matrix.yaml.py"])
def test_a_patch_of_anything_else_is_refused(repository: Repository, tmp_path: Path, path: str) -> None:
    root = repository.clone("job")
    for name in ("matrix.yaml", path):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("new", encoding="utf-8")
    write(root, tmp_path / "changes")
    other = repository.clone("next-job")
    with pytest.raises(UsageError, match=f"files that no update changes: {path}"):
        changes.apply_patch(other, tmp_path / "changes")
    assert git(other, "status", "--porcelain") == ""


@pytest.mark.parametrize(("source", "target"), [("matrix.yaml", "code.py"), ("noxfile.py", "locks/new")])
@pytest.mark.parametrize("kind", ["rename", "copy"])
def test_a_renamed_or_copied_file_is_not_a_way_around(
    repository: Repository, tmp_path: Path, source: str, target: str, kind: str
) -> None:
    first = repository.clone("first-job")
    (first / "noxfile.py").write_text("code", encoding="utf-8")
    repository.commit(first, "one")
    (tmp_path / "changes").mkdir()
    patch = f"diff --git a/{source} b/{target}\nsimilarity index 100%\n{kind} from {source}\n{kind} to {target}\n"
    (tmp_path / "changes" / changes.PATCH).write_text(patch, encoding="utf-8")
    other = repository.clone("next-job")
    if (source, kind) == ("noxfile.py", "copy"):  # it changes a new lock alone, whatever that has
        changes.apply_patch(other, tmp_path / "changes")
        assert git(other, "status", "--porcelain", "--untracked-files=all") == "?? locks/new"
        return
    with pytest.raises(UsageError, match=r"files that no update changes: (code|noxfile)\.py$"):
        changes.apply_patch(other, tmp_path / "changes")
    assert git(other, "status", "--porcelain") == ""


def test_a_link_and_a_program_are_refused(repository: Repository, tmp_path: Path) -> None:
    root = repository.clone("job")
    (root / "locks").mkdir()
    (root / "locks/link").symlink_to("../matrix.yaml")
    (root / "locks/program").touch(mode=0o755)
    (root / "locks/new").write_text("new", encoding="utf-8")
    (root / "matrix.yaml").chmod(0o755)
    write(root, tmp_path / "changes")
    other = repository.clone("next-job")
    with pytest.raises(UsageError, match=r"no update changes: locks/link, locks/program, matrix\.yaml$"):
        changes.apply_patch(other, tmp_path / "changes")
    assert git(other, "status", "--porcelain") == ""


def test_a_patch_that_does_not_fit_changes_nothing(repository: Repository, tmp_path: Path) -> None:
    root = repository.clone("job")
    (root / "matrix.yaml").write_text("two", encoding="utf-8")
    write(root, tmp_path / "changes")
    other = repository.clone("next-job")
    (other / "matrix.yaml").write_text("three", encoding="utf-8")
    with pytest.raises(PipelineError, match="git apply failed"):
        changes.apply_patch(other, tmp_path / "changes")
    assert (other / "matrix.yaml").read_text() == "three"
    shutil.rmtree(tmp_path / "changes")
    with pytest.raises(UsageError, match="no patch is found"):
        changes.apply_patch(other, tmp_path / "changes")


def test_an_artifact_that_is_not_there_is_explained(gh: Gh, tmp_path: Path) -> None:
    gh.program("echo no artifact matches >&2; exit 1")
    with pytest.raises(NetworkError, match="the artifact 'changes' cannot be downloaded") as failure:
        changes.download(JOB, "changes", tmp_path / "changes")
    assert "no artifact matches" in str(failure.value.details)


def test_an_artifact_is_downloaded_with_the_token_of_the_job(
    gh: Gh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "of-the-job")
    monkeypatch.setenv("GH_TOKEN", "for-pull-requests")
    gh.program(f'echo "$GH_TOKEN $*" > {tmp_path}/seen')
    changes.download(JOB, "changes", tmp_path / "changes")
    wanted = f"of-the-job run download 42 --repo acme/images --name changes --dir {tmp_path}/changes\n"
    assert (tmp_path / "seen").read_text() == wanted
