"""Read buildx's plain progress: its steps as they come, and the reason of a failure.  Pure.

buildx 0.13, which Debian 13 has, offers no machine-readable progress (``rawjson`` came later).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

#: The stage of a step that exports a target as an image.
EXPORT = "image"

Kind = Literal["began", "done", "cached", "failed"]


@dataclass(frozen=True, kw_only=True)
class Step:
    """The begin or the end of a step: the RUN of a stage, or an export."""

    kind: Kind
    #: The stage (``numpy-2.4.6``), or ``EXPORT``.
    stage: str
    #: The bake target that buildx names; every target with the same stage shares the step.
    target: str
    #: Its duration, for ``done``.
    seconds: float | None = None


@dataclass(kw_only=True)
class Parser:
    """Reads the output line by line."""

    #: The target of lines that name none: buildx leaves it out where it builds only one.
    only: str = ""
    _names: dict[str, tuple[str, str]] = field(default_factory=dict)

    def feed(self, line: str) -> Step | None:
        """Return the step that begins or ends with this line, if any does."""
        match = re.match(r"^#(\d+) (.*)$", line)
        if not match:
            return None
        vertex, text = match[1], match[2]
        if vertex not in self._names:
            named = _vertex(text)
            if named is None:
                return None
            self._names[vertex] = (named[0] or self.only, named[1])
            return Step(kind="began", stage=named[1], target=named[0] or self.only)
        target, stage = self._names[vertex]
        if done := re.match(r"^DONE (\d+(?:\.\d+)?)s$", text):
            return Step(kind="done", stage=stage, target=target, seconds=float(done[1]))
        if text == "CACHED":
            return Step(kind="cached", stage=stage, target=target)
        if text.startswith("ERROR") or text == "CANCELED":
            return Step(kind="failed", stage=stage, target=target)
        return None


def _vertex(text: str) -> tuple[str, str] | None:
    """Return target and stage of a vertex that is worth showing: a RUN of a stage, or an export."""
    if run := re.match(r"^\[(\S+) (\S+) +\d+/\d+\] RUN ", text):
        return run[1], run[2]
    if run := re.match(r"^\[(\S+) +\d+/\d+\] RUN ", text):
        return "", run[1]
    if export := re.match(r"^\[(\S+)\] exporting to (?:docker )?image", text):
        return export[1], EXPORT
    if text.startswith("exporting to "):
        return "", EXPORT
    return None


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a bake failed, from its log."""

    #: The target that buildx names, or None where it names none (the engine, the bake file).
    target: str | None
    #: The stage whose command failed, or None where none did.  Every image with that stage fails too.
    stage: str | None
    #: The lines of the log that explain the failure.
    lines: str


def failure(log: str) -> Failure:
    """Find in a bake's whole output the part that failed."""
    target = re.search(r"^(?:ERROR: )?target (\S+?): ", log, re.MULTILINE)
    block = re.search(r"^-{6}\n > \[(?:(\S+) )?(\S+) +\d+/\d+\][^\n]*\n(.*?)^-{6}$", log, re.MULTILINE | re.DOTALL)
    step = block or _failed_step(log)  # without the block, buildx was cut off by the loss of another connection
    final = [line for line in log.splitlines() if line.startswith("ERROR: ")]
    lines = []
    if block:
        # buildx repeats the step's output there, and sometimes only its last line: the log has all of it.
        repeated = [re.sub(r"^\d+\.\d+ ", "", line) for line in block[3].splitlines() if line.strip()]
        lines += max(_output_of_failed_step(log), repeated, key=len)[-12:]
    elif step:
        lines += _output_of_failed_step(log)[-12:]
    lines += final[-1:] or [line for line in log.splitlines() if line.strip()][-4:]
    return Failure(
        target=target[1] if target else (step[1] if step else None),
        stage=step[2] if step else None,
        lines="\n".join(lines),
    )


def _failed_step(log: str) -> re.Match[str] | None:
    """Return the heading of the step that failed first: target and stage."""
    failed = re.search(r"^#(\d+) ERROR: process ", log, re.MULTILINE)
    return re.search(rf"^#{failed[1]} \[(?:(\S+) )?(\S+) +\d+/\d+\]", log, re.MULTILINE) if failed else None


def _output_of_failed_step(log: str) -> list[str]:
    """Return the lines that the step wrote that failed first."""
    failed = re.search(r"^#(\d+) ERROR: process ", log, re.MULTILINE)
    if failed is None:
        return []
    return [line for line in re.findall(rf"^#{failed[1]} \d+\.\d+ (.*)$", log, re.MULTILINE) if line.strip()]
