"""Which images are prepared, built or left as they are, where preparing a base changes the recipes of its images."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from build.builder.builder import Builder
from build.builder.options import Options
from build.builder.outcomes import Skipped
from build.errors import PipelineError

FAILURE = PipelineError("the base differs from its lock")


def image(name: str, base: str = "debian") -> Any:
    return SimpleNamespace(variant=SimpleNamespace(name=name, build_base_name=base))


class Steps:
    """Stands in for the steps of a builder: what the engine has at each look, and which bases fail."""

    def __init__(self, *looks: set[str], failing: Iterable[str] = ()) -> None:
        self._looks = list(looks)
        self._failing = set(failing)
        self.prepared: list[list[str]] = []
        self.built: list[str] = []

    def up_to_date(self, images: Iterable[Any]) -> dict[str, Any]:
        found = self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]
        return {each.variant.name: "up to date" for each in images if each.variant.name in found}

    def prepare(self, images: Iterable[Any]) -> tuple[dict[str, Any], set[str]]:
        images = list(images)
        self.prepared.append([each.variant.name for each in images])
        failed = {each.variant.build_base_name for each in images} & self._failing
        skipped = [each.variant.name for each in images if each.variant.build_base_name in failed]
        return {name: Skipped(name=name, why=FAILURE) for name in skipped}, failed

    def build(self, images: Iterable[Any]) -> dict[str, Any]:
        self.built = [each.variant.name for each in images]
        return dict.fromkeys(self.built, "built")


def run(steps: Steps, images: list[Any], monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    monkeypatch.setattr(Builder, "_up_to_date", lambda self, images: steps.up_to_date(images))
    monkeypatch.setattr(Builder, "_prepare", lambda self, images: steps.prepare(images))
    monkeypatch.setattr(Builder, "_build_batches", lambda self, images: steps.build(images))
    nothing = cast(Any, None)
    builder = Builder(
        project=nothing,
        connection=nothing,
        place=nothing,
        options=Options(),
        progress=nothing,
        log=Path(),
        store=nothing,
    )
    return builder.build(images)


def test_images_that_are_up_to_date_need_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps({"a", "b"})
    assert run(steps, [image("a"), image("b")], monkeypatch) == ["up to date", "up to date"]
    assert (steps.prepared, steps.built) == ([], [])


def test_an_image_on_a_base_that_fails_stays_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps({"a"}, set(), failing=["debian"])
    first, second = run(steps, [image("a"), image("b")], monkeypatch)
    assert first == "up to date", "it was built on a base that was refused"
    assert isinstance(second, Skipped)
    assert steps.built == []


def test_an_image_that_a_new_base_outdates_is_prepared_and_built(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps({"a", "other"}, {"other"})
    images = [image("a"), image("b"), image("other", "ubuntu")]
    assert run(steps, images, monkeypatch) == ["built", "built", "up to date"]
    assert steps.prepared == [["b"], ["a"]], "its wheels were not fetched"


def test_the_engine_may_have_the_image_of_a_new_base(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(set(), {"a"})
    assert run(steps, [image("a")], monkeypatch) == ["up to date"]
    assert steps.built == []
