"""What stays known of a verification, and what makes it void."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from build.paths import Paths, repository
from build.verify import verified

IMAGE = "sha256:" + "1" * 64
OTHER = "sha256:" + "2" * 64


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return clone(tmp_path / "one")


def clone(root: Path) -> Paths:
    """A checkout with the image tests in it."""
    shutil.copytree(repository().root / "tests" / "images", root / "tests" / "images")
    return Paths(root=root)


def remember(paths: Paths, image: str = IMAGE, suite: str = "s") -> None:
    verified.record(paths, image, name="sklearn", recipe="r", suite=suite, passed=3, skipped=1)


def test_an_image_is_verified_once_it_passed(paths: Paths) -> None:
    assert not verified.is_verified(paths, IMAGE, "s")
    remember(paths)
    assert verified.is_verified(paths, IMAGE, "s")
    assert not verified.is_verified(paths, OTHER, "s")


def test_it_is_not_once_the_tests_are_others(paths: Paths) -> None:
    remember(paths)
    assert not verified.is_verified(paths, IMAGE, "other tests")


def test_it_is_not_once_it_failed(paths: Paths) -> None:
    remember(paths)
    remember(paths, OTHER)
    verified.forget(paths, IMAGE)
    assert not verified.is_verified(paths, IMAGE, "s")
    assert verified.is_verified(paths, OTHER, "s")


@pytest.mark.parametrize("content", ["{ half a fil", "[]", f'{{"{IMAGE}": {{"from": "another version"}}}}'])
def test_a_broken_record_means_not_verified(paths: Paths, content: str) -> None:
    remember(paths)
    (paths.state / "verified.json").write_text(content)
    assert not verified.is_verified(paths, IMAGE, "s")
    remember(paths)
    assert verified.is_verified(paths, IMAGE, "s")


def test_the_record_says_when_and_what(paths: Paths) -> None:
    remember(paths)
    found = verified.lookup(paths, IMAGE)
    assert found is not None
    assert (found.name, found.recipe, found.passed, found.skipped) == ("sklearn", "r", 3, 1)
    assert found.time.endswith("+00:00")


def test_two_clones_have_the_same_suite(paths: Paths, tmp_path: Path) -> None:
    assert verified.suite_hash(paths) == verified.suite_hash(clone(tmp_path / "two"))


@pytest.mark.parametrize("file", ["test_image_user.py", "conftest.py", "scoring/sklearn.py"])
def test_an_edit_of_a_test_is_another_suite(paths: Paths, file: str) -> None:
    before = verified.suite_hash(paths)
    with (paths.root / "tests" / "images" / file).open("a") as opened:
        opened.write("\n")
    assert verified.suite_hash(paths) != before


def test_what_python_leaves_behind_is_not_of_the_suite(paths: Paths) -> None:
    before = verified.suite_hash(paths)
    cache = paths.root / "tests" / "images" / "__pycache__"
    cache.mkdir(exist_ok=True)
    (cache / "conftest.pyc").write_bytes(b"bytecode")
    assert verified.suite_hash(paths) == before
