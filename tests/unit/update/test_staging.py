"""An update works in a copy, which is put in place as a whole or not at all."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from build import paths as paths_module
from build.errors import PipelineError
from build.paths import Paths
from build.update import staging as staging_module
from build.update.staging import staged
from tests.unit.fixture_project import copy_project


@pytest.fixture
def project(tmp_path: Path) -> Paths:
    paths = copy_project(tmp_path / "clone")
    (paths.root / "README.md").write_text("not copied", encoding="utf-8")
    (tmp_path / "wheels").mkdir()
    return paths


def content(paths: Paths) -> dict[str, bytes]:
    files = (file for file in sorted(paths.root.rglob("*")) if file.is_file())
    return {str(file): file.read_bytes() for file in files if not file.is_relative_to(paths.state)}


def test_the_project_stays_as_it_is_until_all_is_put_in_place(project: Paths) -> None:
    before = content(project)
    removed = next(project.locks.rglob("*.txt"))
    with staged(project) as staging:
        staging.copy.matrix.write_bytes(b"new\r\n")
        (staging.copy.locks / "base/new.txt").parent.mkdir()
        (staging.copy.locks / "base/new.txt").write_text("lock", encoding="utf-8")
        (staging.copy.root / removed.relative_to(project.root)).unlink()
        assert (staging.copy.root / "README.md").read_text(encoding="utf-8") == "not copied"
        assert content(project) == before
        changed = staging.put_in_place()
    assert changed == sorted(["locks/base/new.txt", "matrix.yaml", str(removed.relative_to(project.root))])
    assert project.matrix.read_bytes() == b"new\r\n"
    assert not removed.exists()
    assert list(project.state.iterdir()) == []


def test_nothing_is_put_in_place_after_a_failure(project: Paths) -> None:
    before = content(project)
    with pytest.raises(KeyboardInterrupt), staged(project) as staging:
        staging.copy.matrix.write_text("new", encoding="utf-8")
        raise KeyboardInterrupt
    assert content(project) == before
    assert list(project.state.iterdir()) == []


def test_a_file_that_was_edited_meanwhile_is_not_overwritten(project: Paths) -> None:
    with staged(project) as staging:
        staging.copy.matrix.write_text("new", encoding="utf-8")
        project.bake_file.write_text("edited", encoding="utf-8")
        before = content(project)
        with pytest.raises(PipelineError, match="files changed while the update ran") as caught:
            staging.put_in_place()
        assert caught.value.where == "docker-bake.hcl"
        assert content(project) == before


def test_ctrl_c_waits_until_all_files_are_written(project: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(path: Path, text: str) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        paths_module.write_atomically(path, text)

    monkeypatch.setattr(staging_module, "write_atomically", interrupted)
    with staged(project) as staging:
        staging.copy.matrix.write_text("new", encoding="utf-8")
        staging.copy.bake_file.write_text("new", encoding="utf-8")
        with pytest.raises(KeyboardInterrupt):
            staging.put_in_place()
    assert (project.matrix.read_text(), project.bake_file.read_text()) == ("new", "new")


@pytest.mark.parametrize("path", ["../wheels", "../../{}/wheels", "wheels/of-its-own"])
def test_paths_in_the_matrix_lead_to_the_same_places(project: Paths, path: str) -> None:
    path = path.format(project.root.parent.name)
    (project.root / path).mkdir(parents=True, exist_ok=True)
    (project.root / path / "a.whl").touch()
    with staged(project, [path]) as staging:
        assert (staging.copy.root / path / "a.whl").is_file()


def test_a_path_that_is_named_twice_or_below_another_one_is_linked_once(project: Paths) -> None:
    company = project.root.parent / "company"
    company.mkdir()
    with staged(project, ["../company", "../company", "../company/", "../company/gpu"]) as staging:
        assert (staging.copy.root / "../company").resolve() == company
    assert list(company.iterdir()) == [], "something was written into the folder of the user"
