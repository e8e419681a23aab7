"""A project as every command opens it: its images, groups, locks and bases."""

from __future__ import annotations

import datetime
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from build.checkout.project import open_project
from build.errors import LockError, MatrixError
from build.locks import lock as locks
from build.paths import Paths
from build.variants.select import Selection
from tests.unit.fixture_project import MINIMAL, PATHS, PROJECT, SKLEARN


def test_selected_images_come_by_name_and_on_their_stand_in_bases() -> None:
    assert [image.name for image in PROJECT.select(Selection(patterns=(SKLEARN, MINIMAL)))] == [MINIMAL, SKLEARN]
    selection = Selection(framework=("sklearn",), base=("ubuntu18.04",), stand_ins=(("ubuntu18.04", "debian12-py37"),))
    (image,) = PROJECT.select(selection, today=datetime.date(2022, 1, 1))
    assert (image.base_name, image.build_base_name) == ("ubuntu18.04", "debian12-py37")
    assert PROJECT.build_base_names([image]) == ("debian12-py37",)


def test_groups_are_sets_of_existing_images() -> None:
    names = {image.name for image in PROJECT.variants}
    assert PROJECT.groups()
    assert all(members and set(members) <= names for members in PROJECT.groups().values())


def test_images_come_with_the_packages_of_their_locks() -> None:
    (image,) = PROJECT.images([PROJECT.variant(SKLEARN)])
    assert PROJECT.lock_path(image.variant) == f"locks/debian12-py311/{SKLEARN}.txt"
    packages = {package.name for layer in image.layers for package in layer.packages}
    assert packages == PROJECT.lock(image.variant).versions().keys()


def test_a_missing_lock_is_an_error_with_its_path(tmp_path: Path) -> None:
    shutil.copytree(PATHS.root, tmp_path / "project")
    (tmp_path / f"project/locks/debian12-py311/{SKLEARN}.txt").unlink()
    project = open_project(Paths(root=tmp_path / "project"))
    with pytest.raises(LockError) as failure:
        project.images([project.variant(SKLEARN)])
    assert failure.value.where == f"locks/debian12-py311/{SKLEARN}.txt"


def test_a_base_with_a_source_only_package_needs_a_lock_of_its_build_requirements(tmp_path: Path) -> None:
    shutil.copytree(PATHS.root, tmp_path / "project")
    file = tmp_path / f"project/locks/debian12-py311/{MINIMAL}.txt"
    lock = locks.from_text(file.read_text(encoding="utf-8"), MINIMAL)
    sources = tuple(replace(package, filename=f"{package.name}.tar.gz") for package in lock.packages)
    file.write_text(locks.to_text(replace(lock, packages=sources)), encoding="utf-8")
    project = open_project(Paths(root=tmp_path / "project"))
    assert "debian12-py311" in project.bases_with_source_packages
    build = replace(lock, title=locks.BUILD)
    file.with_name("build.txt").write_text(locks.to_text(build), encoding="utf-8")
    again = open_project(project.paths)
    assert again.build_locks(again.images([again.variant(MINIMAL)]))["debian12-py311"] == build
    assert again.build_locks([]) == {}


def test_a_folder_without_a_matrix_is_not_a_project(tmp_path: Path) -> None:
    with pytest.raises(MatrixError):
        open_project(Paths(root=tmp_path))
