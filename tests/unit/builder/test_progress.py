"""The progress of a build on a terminal and in a file."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from build.builder.events import Event
from build.builder.progress import Display
from build.system import console


@pytest.mark.parametrize("terminal", [True, False])
def test_finished_parts_are_lines_and_running_ones_move_on_a_terminal_only(
    terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.StringIO()
    screen = Console(file=written, force_terminal=terminal, width=100, color_system=None)
    monkeypatch.setattr(console, "_console", lambda *, stderr: screen)
    with Display(2) as display:
        display(Event(kind="began", part="layer", name="numpy-2.4.6", target="sklearn"))
        display(Event(kind="done", part="layer", name="numpy-2.4.6", target="sklearn", seconds=3.0))
        display(Event(kind="began", part="image", name="sklearn-1.9", target="sklearn"))
    assert "layer numpy-2.4.6 installed, 3.0 s" in written.getvalue()
    assert ("exporting sklearn-1.9" in written.getvalue()) == terminal
