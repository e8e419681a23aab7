"""Figures of the phase ``serving``: ratios of pairs, the rules for passing, the table.  Pure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.serving_points import CLIENTS, Point
from bench.wrk import Load
from build.system import console

#: CPU time per request, at most: ours as a share of the bare server's. On Python 3.7 it may be more.
CPU_LIMIT = 1.05
CPU_LIMIT_PYTHON_37 = 1.2
#: Answers per second, at least: ours as a share of the bare server's. A single client waits for each answer, so that
#: every microsecond counts.
RATE_LIMIT = 1.0
RATE_LIMIT_ONE_CLIENT = 0.95


def cpu_limit(python: str) -> float:
    """Return the limit of the CPU time for an image's Python (``3.13``)."""
    return CPU_LIMIT_PYTHON_37 if python == "3.7" else CPU_LIMIT


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of the load tool against one container."""

    load: Load
    #: Seconds of all processors that the container took, for each request that was answered.
    cpu: float


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """The ratio of one figure in each pair of runs."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def range(self) -> str:
        """``0.98–1.03``."""
        return f"{min(self.values):.2f}–{max(self.values):.2f}"

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.range})"


@dataclass(frozen=True, kw_only=True)
class Round:
    """One run of each of the three containers, one after the other."""

    ours: Run
    bare: Run
    #: A second container with the bare server: what differs from ``bare`` is the spread of the measurement.
    again: Run


@dataclass(frozen=True, kw_only=True)
class Result:
    """All rounds of one point."""

    point: Point
    rounds: tuple[Round, ...]
    #: From ``cpu_limit``.
    cpu_limit: float

    def ratio(self, figure: Callable[[Run], float]) -> Ratio:
        """A figure of ours, divided by the bare server's."""
        return Ratio(values=tuple(_divided(figure(one.ours), figure(one.bare)) for one in self.rounds))

    def spread(self, figure: Callable[[Run], float]) -> Ratio:
        """A figure of the bare server, divided by that of the other bare server."""
        return Ratio(values=tuple(_divided(figure(one.again), figure(one.bare)) for one in self.rounds))

    def median(self, figure: Callable[[Run], float], name: str) -> float:
        """The median of a figure of ``ours`` or ``bare``."""
        return statistics.median(figure(getattr(one, name)) for one in self.rounds)

    @property
    def rate_limit(self) -> float:
        return RATE_LIMIT if self.point.clients >= CLIENTS else RATE_LIMIT_ONE_CLIENT

    @property
    def errors(self) -> int:
        """Requests to our server that failed."""
        return sum(sum(one.ours.load.errors.values()) for one in self.rounds)

    @property
    def cpu_bound(self) -> float:
        """The ratio of the CPU time that passes: the limit, or the largest of the bare server against itself."""
        return max(self.cpu_limit, *self.spread(cpu).values)

    @property
    def rate_bound(self) -> float:
        """The ratio of the answers that passes: the limit, or the smallest of the bare server against itself."""
        return min(self.rate_limit, *self.spread(rate).values)

    @property
    def missed(self) -> tuple[str, ...]:
        """The rules that the point does not pass: ``errors``, ``CPU``, ``answers``."""
        rules = {
            "errors": self.errors == 0,
            "CPU": self.ratio(cpu).median <= self.cpu_bound,
            "answers": self.ratio(rate).median >= self.rate_bound,
        }
        return tuple(rule for rule, passed in rules.items() if not passed)


def _divided(ours: float, bare: float) -> float:
    """Divide; a figure that is 0 (less than wrk's microsecond) is equal to another 0."""
    if bare == 0.0:
        return 1.0 if ours == 0.0 else float("inf")
    return ours / bare


def cpu(run: Run) -> float:
    """Seconds per request."""
    return run.cpu


def rate(run: Run) -> float:
    """Answers per second."""
    return run.load.rate


def p50(run: Run) -> float:
    """Seconds."""
    return run.load.p50


def p99(run: Run) -> float:
    """Seconds."""
    return run.load.p99


def sentence(result: Result) -> str:
    """Return a point's figures as one line."""
    passed = f"NOT PASSED: {', '.join(result.missed)}" if result.missed else "passed"
    return (
        f"{result.point.name}: {passed}; CPU {_micro(result.median(cpu, 'ours'))} against "
        f"{_micro(result.median(cpu, 'bare'))}, × {result.ratio(cpu)}; answers × {result.ratio(rate)}"
    )


def print_table(results: Sequence[Result]) -> None:
    """Print one line for each point; on a narrow terminal the last columns are left out."""
    columns = (
        "point",
        "passed",
        "CPU ×>",
        "limit>",
        "answers ×>",
        "limit>",
        "p50 ×>",
        "p99 ×>",
        "CPU µs>",
        "per s>",
        "p50 ms>",
        "p99 ms>",
    )
    console.table(columns, [_cells(result) for result in results])
    console.info(
        "×: ours divided by the bare server, the median of the pairs (smallest–largest); "
        "limit: widened to the spread of the bare server against itself; last columns: ours"
    )


def _cells(result: Result) -> tuple[str, ...]:
    return (
        result.point.name,
        "NO" if result.missed else "yes",
        str(result.ratio(cpu)),
        f"≤{result.cpu_bound:.2f}",
        str(result.ratio(rate)),
        f"≥{result.rate_bound:.2f}",
        f"{result.ratio(p50).median:.2f}",
        f"{result.ratio(p99).median:.2f}",
        f"{result.median(cpu, 'ours') * 1e6:.0f}",
        f"{result.median(rate, 'ours'):.0f}",
        f"{result.median(p50, 'ours') * 1e3:.1f}",
        f"{result.median(p99, 'ours') * 1e3:.1f}",
    )


def _micro(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} µs"


def verdict(results: Sequence[Result]) -> str:
    """Return one sentence: how many points passed, and which did not."""
    missed = [f"{result.point.name} ({', '.join(result.missed)})" for result in results if result.missed]
    if not missed:
        return f"serving: all {len(results)} points passed"
    return f"serving: {len(results) - len(missed)} of {len(results)} points passed; not passed: {'; '.join(missed)}"


def as_json(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Return all figures: seconds, and answers per second."""
    figures = (cpu, rate, p50, p99)
    return [
        {
            "point": result.point.name,
            "passed": not result.missed,
            "missed": list(result.missed),
            "cpu_limit": result.cpu_limit,
            "rate_limit": result.rate_limit,
            "ratio": {figure.__name__: _ratio(result.ratio(figure)) for figure in figures},
            "bare_against_bare": {figure.__name__: _ratio(result.spread(figure)) for figure in figures},
            "rounds": [asdict(one) for one in result.rounds],
        }
        for result in results
    ]


def _ratio(ratio: Ratio) -> dict[str, Any]:
    return {"median": ratio.median, "values": list(ratio.values)}
