"""The record of verified images, and what invalidates an entry."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from build.paths import Paths, ToolPaths, tool
from build.verify import target, verified
from build.verify.results import Outcome, VerifyResult
from build.verify.target import suite_hash

IMAGE = "sha256:" + "1" * 64
OTHER = "sha256:" + "2" * 64


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(root=tmp_path)


@pytest.fixture
def tests(tmp_path: Path) -> Path:
    """The image tests of a clone."""
    return clone(tmp_path / "one")


def clone(root: Path) -> Path:
    """The image tests, copied into another clone."""
    copy = ToolPaths(root=root).image_tests
    shutil.copytree(tool().image_tests, copy)
    return copy


def remember(paths: Paths, image: str = IMAGE, suite: str = "s", foundation_from: str = "") -> None:
    skips = (Outcome(test="test_gpu", reason="no GPU here"),)
    result = VerifyResult(name="sklearn", image_id=image, passed=3, skips=skips, foundation_from=foundation_from)
    verified.record(paths, result, recipe="r", suite=suite)


def test_an_image_that_passed_is_verified(paths: Paths) -> None:
    assert not verified.is_verified(paths, IMAGE, "s")
    remember(paths)
    assert verified.is_verified(paths, IMAGE, "s")
    assert not verified.is_verified(paths, OTHER, "s")


def test_an_image_is_not_verified_by_other_tests(paths: Paths) -> None:
    remember(paths)
    assert not verified.is_verified(paths, IMAGE, "other tests")


def test_an_image_that_failed_later_is_not_verified(paths: Paths) -> None:
    remember(paths)
    remember(paths, OTHER)
    verified.forget(paths, IMAGE)
    assert not verified.is_verified(paths, IMAGE, "s")
    assert verified.is_verified(paths, OTHER, "s")


def test_an_image_whose_foundation_failed_later_is_not_verified(paths: Paths) -> None:
    third = "sha256:" + "3" * 64
    remember(paths)
    remember(paths, OTHER, foundation_from=IMAGE)
    remember(paths, third, foundation_from=third)
    verified.forget_foundation(paths, IMAGE)
    assert not verified.is_verified(paths, OTHER, "s")
    assert verified.is_verified(paths, third, "s")


@pytest.mark.parametrize("content", ["{ half a fil", "[]", f'{{"{IMAGE}": {{"from": "another version"}}}}'])
def test_a_broken_record_means_not_verified(paths: Paths, content: str) -> None:
    remember(paths)
    (paths.state / "verified.json").write_text(content)
    assert not verified.is_verified(paths, IMAGE, "s")
    remember(paths)
    assert verified.is_verified(paths, IMAGE, "s")


def test_an_entry_has_its_time_and_counts(paths: Paths) -> None:
    remember(paths)
    entry = verified.lookup(paths, IMAGE)
    assert entry is not None
    assert (entry.name, entry.recipe, entry.passed, entry.skipped) == ("sklearn", "r", 3, 1)
    assert entry.time.endswith("+00:00")


def test_two_clones_have_the_same_suite(tests: Path, tmp_path: Path) -> None:
    assert suite_hash(tests) == suite_hash(clone(tmp_path / "two"))


@pytest.mark.parametrize("file", ["test_image_user.py", "conftest.py", "scoring/sklearn.py"])
def test_an_edited_test_changes_the_suite(tests: Path, file: str) -> None:
    before = suite_hash(tests)
    with (tests / file).open("a") as opened:
        opened.write("\n")
    assert suite_hash(tests) != before


def test_bytecode_is_not_part_of_the_suite(tests: Path) -> None:
    before = suite_hash(tests)
    cache = tests / "__pycache__"
    cache.mkdir(exist_ok=True)
    (cache / "conftest.pyc").write_bytes(b"bytecode")
    assert suite_hash(tests) == before


@pytest.mark.parametrize("changed", ["_RUNNERS", "_DISTRIBUTIONS"])
def test_what_runs_the_tests_counts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str) -> None:
    (tmp_path / "test_one.py").write_text("pass\n", encoding="utf-8")
    before = suite_hash(tmp_path)
    monkeypatch.setattr(target, changed, getattr(target, changed)[1:])
    target._runner.cache_clear()
    try:
        assert suite_hash(tmp_path) != before
    finally:
        monkeypatch.undo()
        target._runner.cache_clear()
    assert suite_hash(tmp_path) == before
