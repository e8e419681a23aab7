"""The conditions under which platforms run containers; under each the framework's sample model must score."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from image_answers import same
from image_container import Container, docker
from image_plan import Image

#: Options of ``docker create``.
ALONE = {
    "read-only root": ("--read-only", "--tmpfs=/tmp"),
    "no network": ("--network=none",),
    "random user": ("--user=12345:0",),
    "no capabilities": ("--cap-drop=ALL", "--security-opt=no-new-privileges"),
}
CONDITIONS = {
    **ALONE,
    "all together": tuple(option for options in ALONE.values() for option in options),
    "little memory": ("--memory={memory}m", "--memory-swap={memory}m"),
}


#: What the server needs under one condition alone depends on the base; the framework may need more under all of them.
OF_THE_BASE = ALONE.keys()


@pytest.fixture(scope="module")
def scored(image: Image, start: Any, scoring: Any) -> Iterator[dict[str, Future[Any]]]:
    """The sample model's answer under each condition, requested from inside; two containers run at a time."""
    code = start({"main.py": scoring.source}, options=["--network=none", "--volume=/var/azureml-app"], command=["true"])

    def score(options: tuple[str, ...]) -> Any:
        # The code is mounted read-only, as platforms do.
        one: Container = start({}, options=[f"--volumes-from={code.id}:ro", *options])
        try:
            return one.ask(scoring.request)
        finally:
            if one.state()["Running"]:
                docker("kill", one.id)  # frees its memory for the next one

    with ThreadPoolExecutor(max_workers=min(2, os.cpu_count() or 1)) as side_by_side:
        yield {
            name: side_by_side.submit(score, tuple(option.format(memory=scoring.memory) for option in options))
            for name, options in CONDITIONS.items()
            if image.scope in ("all", "base" if name in OF_THE_BASE else "image")
        }
        side_by_side.shutdown(cancel_futures=True)


@pytest.mark.parametrize(
    "condition",
    [pytest.param(name, marks=pytest.mark.depends("base")) if name in OF_THE_BASE else name for name in CONDITIONS],
)
def test_scores_with(scored: dict[str, Future[Any]], scoring: Any, condition: str) -> None:
    """The framework's sample model gives the right answer under a condition of the platforms."""
    prediction = scored[condition].result()["prediction"]
    assert same(prediction, scoring.answer), f"the score is {prediction}, expected {scoring.answer}"
