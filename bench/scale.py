"""The phase ``scale``: `list`, `check` and `plan` of matrices of several sizes, as whole processes; without an engine.

Effects: copies of the checkout in a temporary folder, and processes that run in them.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.plan import copy_checkout
from bench.scaled_matrix import grow
from bench.steps import step
from build.paths import Paths
from build.registry.address import PORT_VARIABLE
from build.system import console

#: Name → the command line.
COMMANDS = {"list": ("list",), "check": ("check",), "plan": ("plan", "--all")}
#: No registry listens there: the plan is made from the committed files alone.
_NO_REGISTRY = {PORT_VARIABLE: "1"}
#: Rows of the matrix → how often each command is run. The first is the matrix as it is.
SIZES = {0: 5, 1_000: 5, 10_000: 3}
#: To be reached, seconds: size → command → median of the wall-clock time.
TARGETS = {
    0: {"list": 0.4, "check": 0.8, "plan": 1.5},
    1_000: {"list": 2.0, "check": 6.0, "plan": 5.0},
    10_000: {"list": 20.0, "check": 60.0, "plan": 50.0},
}


@dataclass(frozen=True, kw_only=True)
class Scale:
    """One command on a matrix of one size."""

    command: str
    rows: int
    #: Wall-clock seconds of each run, Python's start included.
    seconds: tuple[float, ...]
    #: Seconds of all processors, of each run: what other work on the machine changes least.
    cpu: tuple[float, ...]
    #: Bytes: the largest resident memory of each run.
    memory: tuple[int, ...]
    #: Seconds.
    target: float

    @property
    def median(self) -> float:
        """Seconds."""
        return statistics.median(self.seconds)

    @property
    def peak(self) -> int:
        """Bytes."""
        return max(self.memory)

    @property
    def reached(self) -> bool:
        return self.median <= self.target

    @property
    def title(self) -> str:
        return f"{self.command}, {self.rows:,} rows"


def measure(paths: Paths, work: Path, log: Path) -> tuple[Scale, ...]:
    """Run the commands on matrices of all sizes, in turns.

    Args:
        paths: The checkout; nothing in it is changed.
        work: A folder for its copies.
        log: The output of the commands is appended to it.

    Raises:
        EngineError: A command failed.
    """
    console.step("scale: list, check and plan of larger matrices")
    return tuple(item for size, rounds in SIZES.items() for item in _measure(paths, work, log, size, rounds))


def _measure(paths: Paths, work: Path, log: Path, size: int, rounds: int) -> list[Scale]:
    copy = copy_checkout(paths, work / f"rows-{size}")
    rows = grow(copy, size)
    console.info(f"{rows:,} rows: generating their files, which is not in the figures")
    _run(copy, ("generate",), log)
    runs: dict[str, list[_Run]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name in COMMANDS:
            runs[name].append(_run(copy, COMMANDS[name], log))
    results = [
        Scale(
            command=name,
            rows=rows,
            seconds=tuple(run.seconds for run in runs[name]),
            cpu=tuple(run.cpu for run in runs[name]),
            memory=tuple(run.memory for run in runs[name]),
            target=TARGETS[size][name],
        )
        for name in COMMANDS
    ]
    for result in results:
        console.info(f"{result.title}: {result.median:.2f} s, {console.size(result.peak)}")
    return results


@dataclass(frozen=True, kw_only=True)
class _Run:
    #: Wall-clock seconds.
    seconds: float
    #: Seconds.
    cpu: float
    #: Bytes.
    memory: int


def _run(copy: Paths, command: Sequence[str], log: Path) -> _Run:
    """Run a command in a copy of the checkout."""
    report = copy.state / "cost.json"
    report.parent.mkdir(exist_ok=True)
    arguments = [sys.executable, "-m", "bench.measured", str(report), *command]
    what = f"{command[0]} of a larger matrix"
    seconds = step(arguments, cwd=copy.root, variables=_NO_REGISTRY, log=log, what=what)
    return _Run(seconds=seconds, **json.loads(report.read_text(encoding="utf-8")))


def print_table(results: Sequence[Scale]) -> None:
    """Print the figures: of the whole, and per row of what is more than with the matrix as it is."""
    columns = (
        "command",
        "rows>",
        "time>",
        "runs>",
        "target>",
        "reached",
        "CPU>",
        "CPU per row>",
        "memory>",
        "memory per row>",
    )
    smallest = {result.command: result for result in reversed(results)}
    table = []
    for result in results:
        base = smallest[result.command]
        more = result.rows - base.rows
        cpu, base_cpu = min(result.cpu), min(base.cpu)
        table.append(
            (
                result.command,
                f"{result.rows:,}",
                f"{result.median:.2f} s",
                f"{min(result.seconds):.2f} to {max(result.seconds):.2f} s",
                f"≤ {result.target:g} s",
                "yes" if result.reached else "NO",
                f"{cpu:.2f} s",
                f"{1000 * (cpu - base_cpu) / more:.2f} ms" if more else "-",
                console.size(result.peak),
                console.size((result.peak - base.peak) / more) if more else "-",
            )
        )
    console.table(columns, table)


def as_json(results: Sequence[Scale]) -> list[dict[str, Any]]:
    """Return all figures: seconds and bytes."""
    return [{**asdict(result), "median": result.median, "reached": result.reached} for result in results]


def verdict(results: Sequence[Scale]) -> str:
    """Return one sentence: how many targets were reached, and which were missed."""
    missed = [result.title for result in results if not result.reached]
    if not missed:
        return f"scale: all {len(results)} targets reached"
    return f"scale: {len(results) - len(missed)} of {len(results)} targets reached; missed: {'; '.join(missed)}"
