"""Generated files: a difference in any byte is reported, and `generate` repairs it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from build.checkout.project import open_project
from build.commands.generated_files import drift, images_with_stale_locks, stale_images, write
from build.errors import DriftError, LockError
from build.images.image import bake_target
from build.paths import Paths
from tests.unit.fixture_project import MINIMAL, copy_project


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [(b"\n", b"\r\n", "the line ends differ"), (b"FROM", b"FR\xffM", "line ")],
)
def test_a_difference_in_bytes_is_reported_and_repaired(
    tmp_path: Path, old: bytes, new: bytes, difference: str
) -> None:
    paths = copy_project(tmp_path / "project")
    dockerfile = paths.dockerfiles / MINIMAL / "Dockerfile"
    committed = dockerfile.read_bytes()
    dockerfile.write_bytes(committed.replace(old, new))

    found = {each.path: each.what for each in drift(open_project(paths))}
    path = str(dockerfile.relative_to(paths.root))
    assert difference in found[path]

    assert path in write(open_project(paths))
    assert dockerfile.read_bytes() == committed


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("packages: [ca-certificates, ", "packages: [ca-certificates, less, ", "+less"),
        ("suite: trixie", "suite: forky", "trixie -> forky"),
    ],
)
def test_a_changed_base_is_reported_with_the_command(tmp_path: Path, old: str, new: str, what: str) -> None:
    paths = copy_project(tmp_path / "project")
    text = paths.matrix.read_text(encoding="utf-8")
    assert old in text
    paths.matrix.write_text(text.replace(old, new), encoding="utf-8")
    found = {each.path: each for each in drift(open_project(paths))}
    changed = found["locks/debian13-py313/debian.txt"]
    assert what in changed.what
    assert changed.fix == "nox -s lock"


def lock_of(paths: Paths, name: str) -> Path:
    (lock,) = paths.locks.glob(f"*/{name}.txt")
    return lock


@pytest.mark.parametrize("change", ["missing", "damaged", "stale"])
def test_a_lock_that_cannot_be_used_is_the_problem_of_its_image(tmp_path: Path, change: str) -> None:
    paths = copy_project(tmp_path / "project")
    lock = lock_of(paths, MINIMAL)
    match change:
        case "missing":
            lock.unlink()
        case "damaged":
            lock.write_text("<<<<<<< HEAD\n", encoding="utf-8")
        case "stale":
            text = lock.read_text(encoding="utf-8")
            assert "pip>=" in text
            lock.write_text(text.replace("pip>=", "pip>=1."), encoding="utf-8")
    project = open_project(paths)
    stale = stale_images(project, project.variants)
    assert stale.keys() == {MINIMAL}
    assert stale[MINIMAL].where == str(lock.relative_to(paths.root))
    assert stale[MINIMAL].fix == "run: nox -s lock generate"
    assert stale_images(project, [each for each in project.variants if each.name != MINIMAL]) == {}


@pytest.mark.parametrize("path", ["server.txt", "debian.txt"])
def test_a_lock_of_a_base_is_the_problem_of_its_images(tmp_path: Path, path: str) -> None:
    paths = copy_project(tmp_path / "project")
    (paths.locks / "debian13-py313" / path).write_text("damaged =\n", encoding="utf-8")
    project = open_project(paths)
    on_it = {variant.name for variant in project.variants if variant.base_name == "debian13-py313"}
    assert stale_images(project, project.variants).keys() == on_it


def test_without_the_lock_of_one_image_the_files_of_the_others_are_compared(tmp_path: Path) -> None:
    paths = copy_project(tmp_path / "project")
    project = open_project(paths)
    lock_of(paths, MINIMAL).unlink()
    other = next(variant.name for variant in project.variants if variant.name != MINIMAL)
    dockerfile = paths.dockerfiles / other / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text(encoding="utf-8") + "# edited\n", encoding="utf-8")
    with pytest.raises(DriftError) as failure:
        stale_images(open_project(paths), project.variants)
    assert failure.value.where == f"dockerfiles/{other}/Dockerfile"


def cuda_lock_of(paths: Paths) -> Path:
    return next(file for file in sorted(paths.locks.glob("*-cuda*/debian.txt")))


@pytest.mark.parametrize("change", ["missing", "damaged"])
def test_a_lock_of_cuda_is_the_problem_of_the_images_with_it(tmp_path: Path, change: str) -> None:
    paths = copy_project(tmp_path / "project")
    lock = cuda_lock_of(paths)
    if change == "missing":
        lock.unlink()
    else:
        lock.write_text("damaged =\n", encoding="utf-8")
    project = open_project(paths)
    with_it = {each.name for each in project.variants if each.base_image_name == lock.parent.name}
    assert with_it
    assert stale_images(project, project.variants).keys() == with_it
    assert stale_images(project, [each for each in project.variants if each.name not in with_it]) == {}
    assert [each.path for each in drift(project) if each.images & with_it] == [str(lock.relative_to(paths.root))]
    with pytest.raises(LockError):
        write(project)


def test_images_with_stale_locks_are_named_without_a_look_at_other_files(tmp_path: Path) -> None:
    """As verify and publish do, which build nothing."""
    paths = copy_project(tmp_path / "project")
    lock_of(paths, MINIMAL).unlink()
    (paths.root / "docker-bake.hcl").write_text("# edited\n", encoding="utf-8")
    project = open_project(paths)
    assert images_with_stale_locks(project, project.variants).keys() == {MINIMAL}


def test_the_groups_of_the_bake_file_have_no_image_that_was_left_out(tmp_path: Path) -> None:
    paths = copy_project(tmp_path / "project")
    left = open_project(paths).groups()["default"][0]
    lock_of(paths, left).unlink()
    project = open_project(paths)
    images, left_out = project.usable_images(project.variants)
    assert [each.name for each in left_out] == [left]

    write(project, images)

    text = paths.bake_file.read_text(encoding="utf-8")
    groups = re.findall(r'^group "([^"]+)" \{\n  targets = \[\n(.*?)  \]\n', text, re.MULTILINE | re.DOTALL)
    assert {name for name, _ in groups} == {*project.groups(), "all"}
    members = {member for _, body in groups for member in re.findall(r'"([^"]+)"', body)}
    assert members == {bake_target(image.variant.name) for image in images}
    assert members <= set(re.findall(r'^target "([^"]+)"', text, re.MULTILINE))
