"""The committed matrix, its groups, and the files that are generated from it."""

from __future__ import annotations

import pytest

from build.checkout.project import Project, open_project
from build.commands import generated_files
from build.paths import repository


@pytest.fixture(scope="module")
def project() -> Project:
    return open_project(repository())


def test_the_committed_files_are_what_the_matrix_gives(project: Project) -> None:
    assert generated_files.drift(project) == []


def test_the_default_group_has_each_framework_once_and_one_gpu_image(project: Project) -> None:
    """In their newest version on the first base; PyTorch is on the other one, see the comment in matrix.yaml."""
    first, *_ = project.matrix.axes.base
    default = [project.variant(name) for name in project.groups()["default"]]
    assert sorted(variant.framework for variant in default) == sorted(project.matrix.frameworks)
    assert [variant.framework for variant in default if variant.cuda] == ["cuda-runtime"]
    assert {variant.framework for variant in default if variant.base_name != first} <= {"pytorch"}
    for variant in default:
        same = (variant.framework, variant.base_name, variant.device)
        others = [v for v in project.variants if (v.framework, v.base_name, v.device) == same]
        assert variant is others[-1], f"{others[-1].name} is newer"


def test_every_base_of_the_axes_has_images_and_a_lifecycle(project: Project) -> None:
    assert set(project.matrix.axes.base) <= project.bases_with_images
    for name in project.matrix.axes.base:
        assert project.matrix.bases[name].lifecycle.last is not None, name
