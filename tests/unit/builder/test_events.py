"""What a person sees of buildx's steps."""

from __future__ import annotations

import pytest

from build.builder.buildx_log import EXPORT, Step
from build.builder.events import event
from build.builder.progress import Display

IMAGES = {"sklearn-1_9-debian12": "sklearn-1.9-debian12"}
BASES = {"base-debian12-py311-cuda11_8": "base-debian12-py311-cuda11.8"}


@pytest.mark.parametrize(
    ("target", "stage", "part", "name"),
    [
        ("sklearn-1_9-debian12", EXPORT, "image", "sklearn-1.9-debian12"),
        ("base-debian12-py311-cuda11_8", EXPORT, "base image", "base-debian12-py311-cuda11.8"),
        ("sklearn-1_9-debian12", "numpy-2.4.6", "layer", "numpy-2.4.6"),
        ("sklearn-1_9-debian12", "stage-0", "setup", "stage-0"),
        ("compiler-debian12-py311", "compiler", "compiler", "compiler"),
        ("builder-debian12-py311", "stage-1", "setup", "stage-1"),
    ],
)
def test_parts_and_their_names(target: str, stage: str, part: str, name: str) -> None:
    seen = event(Step(kind="done", stage=stage, target=target, seconds=1.0), IMAGES, BASES)
    assert (seen.part, seen.name) == (part, name)


def test_without_a_terminal_each_finished_part_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    steps = [
        Step(kind="began", stage="numpy-2.4.6", target="sklearn-1_9-debian12"),
        Step(kind="done", stage="numpy-2.4.6", target="sklearn-1_9-debian12", seconds=3.2),
        Step(kind="cached", stage="scipy-1.0", target="sklearn-1_9-debian12"),
        Step(kind="failed", stage="pandas-1.0", target="sklearn-1_9-debian12"),
        Step(kind="done", stage="stage-1", target="builder-debian12-py311", seconds=9.0),
        Step(kind="done", stage=EXPORT, target="base-debian12-py311-cuda11_8", seconds=1.0),
        Step(kind="done", stage=EXPORT, target="sklearn-1_9-debian12", seconds=1.4),
    ]
    with Display(total=2) as display:
        for step in steps:
            display(event(step, IMAGES, BASES))
    assert [line.strip() for line in capsys.readouterr().err.splitlines()] == [
        "layer numpy-2.4.6 installed, 3.2 s",
        "base-debian12-py311-cuda11.8 exported, 1.0 s",
        "[1/2] sklearn-1.9-debian12 exported, 1.4 s",
    ]
