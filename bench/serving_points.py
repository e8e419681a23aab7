"""The points of the phase ``serving``: a score script, a number of workers, and clients.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from build.errors import UsageError

#: Score script (``bench/serving-scripts/NAME.py``) → seconds that one request takes in it.
SCRIPTS = {"trivial": 0.0, "cpu": 0.005, "sleep": 0.05}
#: The number of clients at most points.
CLIENTS = 16


@dataclass(frozen=True, kw_only=True)
class Point:
    """One combination that is measured."""

    #: A key of ``SCRIPTS``.
    script: str
    #: ``WORKER_COUNT``.
    workers: int
    #: Connections that send one request after the other.
    clients: int = CLIENTS
    #: The clients keep their connections for as long as the server does; else they connect for each request.
    kept: bool = True

    @property
    def name(self) -> str:
        """Its name: ``trivial-2w-16``, or ``trivial-2w-16-new`` with a new connection for each request."""
        return f"{self.script}-{self.workers}w-{self.clients}{'' if self.kept else '-new'}"

    @property
    def backlog(self) -> float:
        """Seconds until the requests that were on their way at the end of a run are answered."""
        return SCRIPTS[self.script] * self.clients / self.workers


POINTS = (
    *(Point(script=script, workers=workers) for script in SCRIPTS for workers in (1, 2, 4)),
    *(Point(script="trivial", workers=workers, clients=clients) for workers in (1, 2) for clients in (1, 64)),
    *(Point(script="trivial", workers=workers, kept=False) for workers in (1, 2)),
)


def choose(patterns: Sequence[str]) -> tuple[Point, ...]:
    """Return the points that match one of the patterns, in the order of ``POINTS``; all of them without a pattern.

    Args:
        patterns: Names or globs: ``trivial-2w-16``, ``trivial-*``.

    Raises:
        UsageError: A pattern matches nothing.
    """
    for pattern in patterns:
        if not any(fnmatchcase(point.name, pattern) for point in POINTS):
            raise UsageError(
                f"no point matches '{pattern}'",
                where="--points",
                fix=f"a name or a glob of: {', '.join(point.name for point in POINTS)}",
            )
    return tuple(
        point for point in POINTS if not patterns or any(fnmatchcase(point.name, pattern) for pattern in patterns)
    )


def by_server(points: Sequence[Point]) -> list[tuple[Point, ...]]:
    """Group the points that the same containers can serve: those with the same script and number of workers."""
    groups: dict[tuple[str, int], list[Point]] = {}
    for point in points:
        groups.setdefault((point.script, point.workers), []).append(point)
    return [tuple(group) for group in groups.values()]
