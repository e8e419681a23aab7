"""Figures of the first scored answer and of an idle server: targets, and lines of the benchmark's table.  Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.report import Row
from build.system import console

#: The contenders, in the order of the first round: our image, the plain image, and our image with Microsoft's server
#: started by hand.
OURS, PLAIN, BARE = "ours", "plain", "bare"

#: Targets: our median as a share of the plain image's, and of the bare server's.
PLAIN_SHARE = 1.0
BARE_SHARE = 1.10


@dataclass(frozen=True, kw_only=True)
class Start:
    """One start of one contender."""

    #: From the start of `docker run` to the first answer 200.
    seconds: float
    #: Bytes at idle after it, as `docker stats` counts them: all but what is only cached of files.
    memory: int
    #: Of them, what the processes themselves allocated.
    anonymous: int


@dataclass(frozen=True, kw_only=True)
class FirstAnswer:
    """All starts of all contenders."""

    #: Contender → its starts, round by round.
    starts: Mapping[str, Sequence[Start]]
    #: Seconds of `docker run` of our image with the command `true`, until it ended: the lower bound for every server.
    container: Sequence[float] = field(default_factory=tuple)

    def seconds(self, contender: str) -> list[float]:
        """Seconds to the first answer, round by round; empty if the contender did not run."""
        return [start.seconds for start in self.starts.get(contender, ())]

    def memory(self, contender: str) -> float | None:
        """Median bytes at idle; None if the contender did not run."""
        values = [start.memory for start in self.starts.get(contender, ())]
        return statistics.median(values) if values else None

    def share(self, contender: str) -> float | None:
        """Our median seconds as a share of a contender's; None if one of them did not run."""
        ours, other = self.seconds(OURS), self.seconds(contender)
        return statistics.median(ours) / statistics.median(other) if ours and other else None


def rotated(contenders: Sequence[str], number: int) -> list[str]:
    """Return the order of one round: each contender is first, second, … equally often."""
    shift = number % len(contenders)
    return [*contenders[shift:], *contenders[:shift]]


def memory_used(stats: Mapping[str, Any]) -> tuple[int, int]:
    """Read the engine's statistics of a container.

    Args:
        stats: One answer of ``/containers/ID/stats``.

    Returns:
        Bytes used, as `docker stats` counts them (cgroup v2: ``memory.current`` less ``inactive_file``), and bytes of
        them that do not belong to files.
    """
    memory = stats["memory_stats"]
    usage, details = int(memory["usage"]), memory["stats"]
    cached = int(details.get("total_inactive_file", details.get("inactive_file", 0)))
    anonymous = int(details.get("anon", details.get("total_rss", 0)))
    return (usage - cached if cached < usage else usage), anonymous


def rows(first: FirstAnswer | None) -> list[Row]:
    """Return the lines of the table; a contender that did not run is a ``-``."""
    if first is None:
        return []
    plain, ours, bare = (first.seconds(name) for name in (PLAIN, OURS, BARE))
    found = [_share_row("first answer", _spread(plain), _spread(ours), first.share(PLAIN), PLAIN_SHARE)]
    if bare:
        title = f"first answer, against the bare server in our image ({_spread(bare)})"
        found.append(_share_row(title, "-", _spread(ours), first.share(BARE), BARE_SHARE))
    if first.container:
        found.append(Row(phase="first answer: the container alone", plain="-", ours=_spread(first.container)))
    used = {name: first.memory(name) for name in (PLAIN, OURS, BARE)}
    ours_used, plain_used = used[OURS], used[PLAIN]
    bare_used = f" (the bare server's: {_size(used[BARE])})" if used[BARE] is not None else ""
    found.append(
        Row(
            phase=f"memory at idle{bare_used}",
            plain=_size(plain_used),
            ours=_size(ours_used),
            ratio=f"{ours_used / plain_used:.1%}" if ours_used is not None and plain_used else "-",
        )
    )
    return found


def _share_row(title: str, plain: str, ours: str, share: float | None, bound: float) -> Row:
    return Row(
        phase=title,
        plain=plain,
        ours=ours,
        ratio=f"{share:.1%}" if share is not None else "-",
        target=f"≤ {bound:.0%}",
        reached=share <= bound if share is not None else None,
    )


def _spread(values: Sequence[float]) -> str:
    """``2.31 s (2.25–2.60)``: median, smallest, largest."""
    return f"{statistics.median(values):.2f} s ({min(values):.2f}–{max(values):.2f})" if values else "-"


def _size(count: float | None) -> str:
    return console.size(count) if count is not None else "-"


def as_json(first: FirstAnswer | None) -> dict[str, Any] | None:
    """Return all figures for the JSON file: bytes and seconds, not rounded; None if nothing was measured."""
    if first is None:
        return None
    contenders = {
        name: {
            "seconds": _figures(first.seconds(name)),
            "memory": _figures([start.memory for start in starts]),
            "anonymous": _figures([start.anonymous for start in starts]),
        }
        for name, starts in first.starts.items()
    }
    return {
        "contenders": contenders,
        "container_alone": _figures(first.container) if first.container else None,
        "share_of_plain": first.share(PLAIN),
        "share_of_bare": first.share(BARE),
    }


def _figures(values: Sequence[float]) -> dict[str, Any]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "rounds": list(values)}
