"""The progress of a verification, on terminals of two widths and in a file."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from build.verify.display import Display
from build.verify.events import Collected, Completed, Error, Event, Started

LONG = "tensorflow-2.21-debian13-py313-cuda12.5.82-gpu-inference"
SHORT = "minimal-debian12-py311-cpu-inference"


def result(image: str, outcome: str = "passed", *, test: str = "test_port", reason: str = "") -> Completed:
    content = {"event": "completed", "image": image, "group": "config", "test": test, "depends": "image"}
    return Completed.model_validate({**content, "outcome": outcome, "reason": reason, "seconds": 1.0})


def shown(*events: Event, width: int | None) -> tuple[list[str], list[str]]:
    """Return what a display prints, and its moving lines at the end; without a width it prints to a file."""
    screen = Console(file=io.StringIO(), force_terminal=width is not None, width=width or 200, color_system=None)
    with Display([SHORT, LONG], screen) as display:
        for event in events:
            display(event)
        moving = io.StringIO()
        Console(file=moving, width=width or 200).print(display.draw())
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue().splitlines(), [line.rstrip() for line in moving.getvalue().splitlines()]


COLLECTED = Collected(event="collected", tests={SHORT: 2, LONG: 3})
START = Started(event="started", image=SHORT), Started(event="started", image=LONG)


def test_a_log_has_a_line_for_each_start_failure_and_end() -> None:
    lines, _ = shown(
        COLLECTED,
        *START,
        result(LONG, "failed", reason="EXPOSE is []"),
        result(SHORT),
        result(LONG, "failed", test="test_user", reason="root"),
        result(SHORT, "skipped", reason="no network"),
        width=None,
    )
    assert [line.rpartition(", ")[0] if " passed" in line else line for line in lines] == [
        f"    {SHORT}: 2 tests start",
        f"    {LONG}: 3 tests start",
        f"    {LONG}: FAILED test_port: EXPOSE is []",
        f"    {LONG}: FAILED test_user: root",
        f"    {SHORT}: 1 passed, 1 skipped",
    ]


def test_a_log_shows_a_cause_once_and_no_more_than_five() -> None:
    same = [result(LONG, "failed", reason="the container ended") for _ in range(100)]
    different = [result(LONG, "failed", reason=f"container {number} is not running") for number in range(100)]
    lines, _ = shown(
        COLLECTED.model_copy(update={"tests": {SHORT: 1, LONG: 200}}), *START, *same, *different, width=None
    )
    assert sum("FAILED" in line for line in lines) == 5
    assert "200 failed" in lines[-1]


@pytest.mark.parametrize("width", [80, 120])
def test_a_terminal_shows_each_running_image_on_one_line(width: int) -> None:
    failed = result(LONG, "failed", reason="EXPOSE is []")
    _, moving = shown(COLLECTED, *START, failed, result(LONG), result(SHORT), result(SHORT), width=width)
    assert len(moving) == 2
    assert moving[0].startswith("    1 of 2 images done")
    assert moving[1].startswith("      tensorflow-2.21-debian13-py313-cuda12.5.82-gpu")
    assert " 2/3 " in moving[1]
    assert "1 failed" in moving[1]
    assert all(len(line) <= width for line in moving)


def test_a_terminal_shows_the_first_failure_of_an_image_at_once_and_counts_the_others() -> None:
    lines, _ = shown(
        COLLECTED,
        *START,
        result(LONG, "failed", reason="EXPOSE is []"),
        result(LONG, "failed", test="test_user", reason="root"),
        width=120,
    )
    text = "\n".join(lines)
    assert f"{LONG}: FAILED test_port: EXPOSE is []" in text
    assert "FAILED test_user" not in text
    assert "2 failed" in text


def test_a_failure_of_the_tests_themselves_is_shown() -> None:
    lines, _ = shown(Error(event="error", where="test_image_user.py", reason="No module named 'x'"), width=None)
    assert lines == ["    ERROR test_image_user.py: No module named 'x'"]
