"""Larger matrices for the phase `scale`: valid, of the size that was asked for, with locks that belong to them."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench import scale
from bench.scaled_matrix import grow
from build.checkout.project import open_project
from build.locks.stale import stale_locks
from build.paths import Paths
from tests.unit.fixture_project import PROJECT


def copy(folder: Path) -> Paths:
    shutil.copytree(PROJECT.paths.root, folder / "copy")
    return Paths(root=folder / "copy")


def test_a_larger_matrix_is_valid_and_its_locks_belong_to_it(tmp_path: Path) -> None:
    paths = copy(tmp_path)
    count = grow(paths, 60)
    project = open_project(paths)
    assert 60 <= count == len(project.variants) < 70
    assert stale_locks(project.matrix, project.locks, project.variants) == {}


def test_copies_have_layers_of_their_own(tmp_path: Path) -> None:
    def layers(paths: Paths) -> set[tuple[str, str, str]]:
        project = open_project(paths)
        return {
            (image.variant.base_name, layer.name, layer.text)
            for image in project.images(project.variants)
            for layer in image.layers
        }

    paths = copy(tmp_path)
    before = layers(paths)
    added = grow(paths, 60) - len(PROJECT.variants)
    new = layers(paths) - before
    assert len(new) == added
    assert len({(base_name, name) for base_name, name, _ in new}) == added, "two texts have one file"


def test_a_matrix_that_is_large_enough_stays_as_it_is(tmp_path: Path) -> None:
    paths = copy(tmp_path)
    before = paths.matrix.read_bytes()
    assert grow(paths, 1) == len(PROJECT.variants)
    assert paths.matrix.read_bytes() == before


def test_a_missed_target_is_named() -> None:
    def result(command: str, seconds: float) -> scale.Scale:
        return scale.Scale(command=command, rows=1001, seconds=(seconds,) * 3, cpu=(1.0,), memory=(1,), target=2.0)

    assert scale.verdict([result("list", 1.9)]) == "scale: all 1 targets reached"
    verdict = scale.verdict([result("list", 2.1), result("check", 1.9)])
    assert verdict == "scale: 1 of 2 targets reached; missed: list, 1,001 rows"
