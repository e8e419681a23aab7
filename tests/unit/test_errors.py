"""The summary of images that were left out."""

from __future__ import annotations

import pytest

from build.errors import (
    EngineError,
    LeftOut,
    LeftOutError,
    LockError,
    NetworkError,
    PipelineError,
    UsageError,
    left_out_lines,
)


def left_out(name: str, why: PipelineError) -> LeftOut:
    return LeftOut(name=name, why=why)


def test_each_image_is_named_with_its_reason_place_and_fix() -> None:
    missing = LockError("no lock", where="locks/a.txt", fix="nox -s lock")
    failure = LeftOutError([left_out("a", missing), left_out("b", NetworkError("no route", details="E: timeout"))], 5)
    assert failure.what == "2 of 5 images were left out: a, b"
    assert (failure.details or "").splitlines() == [
        *("a: no lock", "  where: locks/a.txt", "  fix: nox -s lock"),
        *("b: no route", "  E: timeout"),
    ]
    assert "all others were done" in (failure.fix or "")


def test_images_with_one_reason_are_named_together() -> None:
    why = PipelineError("no digest", where="matrix.yaml:7")
    failure = LeftOutError([left_out("a", why), left_out("b", why)], 2)
    assert (failure.details or "").splitlines()[0] == "a, b: no digest"
    assert left_out_lines([left_out("a", why), left_out("b", why)]) == ["a, b are left out: no digest (matrix.yaml:7)"]
    assert "others" not in (failure.fix or "")


def test_images_with_other_fixes_are_named_apart() -> None:
    failure = LeftOutError([left_out(name, UsageError("not built", fix=f"build {name}")) for name in "ab"], 2)
    assert (failure.details or "").splitlines() == ["a: not built", "  fix: build a", "b: not built", "  fix: build b"]


@pytest.mark.parametrize(
    ("reasons", "selected", "code"),
    [
        ([NetworkError("x")], 1, 6),
        ([NetworkError("x"), NetworkError("y")], 2, 6),
        ([NetworkError("x")], 2, 1),
        ([NetworkError("x"), EngineError("y")], 2, 1),
        ([LockError("x")], 3, 1),
    ],
)
def test_the_exit_code_is_that_of_the_reason_where_nothing_was_done(
    reasons: list[PipelineError], selected: int, code: int
) -> None:
    assert LeftOutError([left_out(f"image{n}", why) for n, why in enumerate(reasons)], selected).exit_code == code
