"""The tables of `tests/user_code` name all files of its folders, and CI runs three of each kind."""

from __future__ import annotations

from tests.user_code.case import FOLDER
from tests.user_code.derived_images import DOCKERFILES
from tests.user_code.score_scripts import SCORES


def names(folder: str, ending: str) -> list[str]:
    return sorted(path.name for path in (FOLDER / folder).glob(f"*{ending}"))


def test_every_file_is_tested_once() -> None:
    assert sorted(score.script for score in SCORES) == names("scripts", ".py")
    assert sorted(derived.dockerfile for derived in DOCKERFILES) == names("dockerfiles", ".dockerfile")
    assert {maker for score in SCORES for maker in score.made.values()} == set(names("makers", ".py"))


def test_ci_runs_three_of_each_kind() -> None:
    assert sum(score.in_ci for score in SCORES) >= 3
    assert sum(derived.in_ci for derived in DOCKERFILES) >= 3
