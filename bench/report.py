"""The results of the benchmark: figures, targets, and the table that compares them.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from build.errors import UsageError
from build.system import console

#: The values of ``--only``: phases, in the order in which they run, and the two sides.
PHASES = ("serving", "scale", "limit", "cold", "unchanged", "pin", "base", "first-answer")
#: Phases that run only if they are named: serving uses the user's engine, and an image that is already built.
_NAMED_ONLY = ("serving",)
SIDES = ("ours", "plain")

_TITLES = {
    "cold": "cold, build and push",
    "unchanged": "nothing changed",
    "pin": "one pin changed",
    "base": "the base changed",
}

#: Target: at least this many times faster than the plain side.
FASTER = {"cold": 5.0, "pin": 10.0, "base": 10.0}
#: Target: the cold build and push take at most this many times the machine's limit.
LIMIT_RATIO = 2.0
#: Target: seconds if nothing changed.
UNCHANGED_SECONDS = 2.0
#: Target: our unique bytes as a share of the plain side's sum.
FAMILY_SHARE = 0.45


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One phase of one side."""

    #: Seconds.
    build: float
    push: float
    #: Wall-clock seconds of the whole; more than build and push where a process starts in between.
    total: float
    #: Bytes of blobs and manifests that the registry did not have before the phase.
    pushed: int


@dataclass(frozen=True, kw_only=True)
class Side:
    """All phases of one side."""

    phases: Mapping[str, Measure]
    #: Compressed bytes of all images after the cold phase: each blob once, and image by image.
    unique: int
    summed: int
    #: Compressed bytes of each image.
    images: Mapping[str, int]
    #: Largest resident memory of our own process, bytes; None for the plain side.
    peak_memory: int | None = None
    #: Layers in all images after the base changed, and how many of them have the digest they had before.
    layers: int | None = None
    layers_kept: int | None = None
    #: Seconds for the base's root file system, which is not timed as a phase.
    bootstrap: float | None = None


@dataclass(frozen=True, kw_only=True)
class Limit:
    """Seconds that this machine needs for the same packages, each step done once on all cores."""

    install: float
    bytecode: float
    #: None if this machine has no zstd.
    zstd: float | None
    #: For information.
    gzip: float
    packages: int
    #: Bytes, unpacked with bytecode.
    size: int
    zstd_size: int | None
    gzip_size: int

    @property
    def total(self) -> float:
        """Install, bytecode and zstd; without zstd the limit is stricter."""
        return self.install + self.bytecode + (self.zstd or 0.0)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table."""

    phase: str
    plain: str
    ours: str
    ratio: str = "-"
    target: str = "-"
    #: None if there is no target.
    reached: bool | None = None

    @property
    def cells(self) -> tuple[str, ...]:
        reached = {True: "yes", False: "no", None: "-"}[self.reached]
        return (self.phase, self.plain, self.ours, self.ratio, self.target, reached)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The phases and sides that run."""

    phases: tuple[str, ...] = PHASES
    sides: tuple[str, ...] = SIDES

    @property
    def builds(self) -> tuple[str, ...]:
        """The phases that build; all of them follow the cold one."""
        chosen = [phase for phase in _TITLES if phase in self.phases]
        return ("cold", *(phase for phase in chosen if phase != "cold")) if chosen else ()


def choose(only: Sequence[str]) -> Choice:
    """Read ``--only``.

    Args:
        only: Names of phases and sides; without a phase all phases but serving run, without a side both.

    Raises:
        UsageError: A name is neither a phase nor a side.
    """
    unknown = [name for name in only if name not in (*PHASES, *SIDES)]
    if unknown:
        raise UsageError(
            f"the benchmark has no phase '{unknown[0]}'", where="--only", fix=f"one of: {', '.join((*PHASES, *SIDES))}"
        )
    return Choice(
        phases=tuple(name for name in PHASES if name in only)
        or tuple(name for name in PHASES if name not in _NAMED_ONLY),
        sides=tuple(name for name in SIDES if name in only) or SIDES,
    )


def rows(plain: Side | None, ours: Side | None, limit: Limit | None) -> list[Row]:
    """Return the lines of the table; a side or phase that did not run is a ``-``."""
    found = []
    for phase, title in _TITLES.items():
        left, right = _phase(plain, phase), _phase(ours, phase)
        if left or right:
            found.append(_time_row(phase, title, left, right))
        if phase == "cold" and right and limit:
            ratio = right.total / limit.total
            found.append(
                Row(
                    phase=f"cold, against the machine's limit ({console.seconds(limit.total)})",
                    plain=f"{left.total / limit.total:.1f} ×" if left else "-",
                    ours=f"{ratio:.2f} ×",
                    target=f"≤ {LIMIT_RATIO:g} ×",
                    reached=ratio <= LIMIT_RATIO,
                )
            )
    for phase, title in _TITLES.items():
        left, right = _phase(plain, phase), _phase(ours, phase)
        if left or right:
            found.append(
                Row(
                    phase=f"bytes pushed: {title.split(',')[0]}",
                    plain=console.size(left.pushed) if left else "-",
                    ours=console.size(right.pushed) if right else "-",
                    ratio=_times(left.pushed, right.pushed) if left and right else "-",
                )
            )
    found += _family_rows(plain, ours)
    if ours and ours.layers is not None and ours.layers_kept is not None:
        found.append(
            Row(
                phase="layers with the same digest after the base changed",
                plain=f"{plain.layers_kept} of {plain.layers}" if plain and plain.layers is not None else "-",
                ours=f"{ours.layers_kept} of {ours.layers}",
            )
        )
    if ours and ours.peak_memory is not None:
        found.append(Row(phase="peak memory of our process", plain="-", ours=console.size(ours.peak_memory)))
    return found


def _phase(side: Side | None, phase: str) -> Measure | None:
    return side.phases.get(phase) if side else None


def _time_row(phase: str, title: str, plain: Measure | None, ours: Measure | None) -> Row:
    target, reached = "-", None
    ratio = _times(plain.total, ours.total) if plain and ours else "-"
    if phase in FASTER:
        target = f"≥ {FASTER[phase]:g} ×"
        reached = plain.total >= FASTER[phase] * ours.total if plain and ours else None
    elif phase == "unchanged":
        target = f"< {UNCHANGED_SECONDS:g} s"
        reached = ours.total < UNCHANGED_SECONDS if ours else None
    return Row(
        phase=title,
        plain=_seconds(plain),
        ours=_seconds(ours),
        ratio=ratio,
        target=target,
        reached=reached,
    )


def _seconds(measure: Measure | None) -> str:
    if measure is None:
        return "-"
    return f"{measure.total:.1f} s ({measure.build:.1f} + {measure.push:.1f})"


def _times(plain: float, ours: float) -> str:
    return f"{plain / ours:.1f} ×" if ours else "-"


def _family_rows(plain: Side | None, ours: Side | None) -> list[Row]:
    if not plain and not ours:
        return []
    found = [
        Row(
            phase="family bytes, image by image",
            plain=console.size(plain.summed) if plain else "-",
            ours=console.size(ours.summed) if ours else "-",
        ),
        Row(
            phase="family bytes, unique",
            plain=console.size(plain.unique) if plain else "-",
            ours=console.size(ours.unique) if ours else "-",
        ),
    ]
    if plain and ours:
        share = ours.unique / plain.summed
        found.append(
            Row(
                phase="our unique bytes as a share of the plain sum",
                plain=console.size(plain.summed),
                ours=console.size(ours.unique),
                ratio=f"{share:.1%}",
                target=f"≤ {FAMILY_SHARE:.0%}",
                reached=share <= FAMILY_SHARE,
            )
        )
    return found


def verdict(table: Sequence[Row]) -> str:
    """Return one sentence: how many targets were reached, and which were missed."""
    with_target = [row for row in table if row.reached is not None]
    missed = [row.phase for row in with_target if not row.reached]
    if not with_target:
        return "no target was measured"
    if not missed:
        return f"all {len(with_target)} targets reached"
    return f"{len(with_target) - len(missed)} of {len(with_target)} targets reached; missed: {'; '.join(missed)}"


@dataclass(frozen=True, kw_only=True)
class Image:
    """One image in a registry."""

    #: Digest → compressed bytes: configuration and layers.
    blobs: Mapping[str, int]
    #: Layer digests, lowest first.
    layers: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """The contents of a registry."""

    #: Digest → bytes of everything that a tag reaches: manifests, configurations, layers.
    everything: Mapping[str, int] = field(default_factory=dict)
    #: Repository → its ``latest``.
    images: Mapping[str, Image] = field(default_factory=dict)

    @property
    def unique(self) -> int:
        """Bytes of the images' blobs, each once."""
        return sum({digest: size for image in self.images.values() for digest, size in image.blobs.items()}.values())

    @property
    def summed(self) -> int:
        """Bytes of the images' blobs, image by image, as machines with one image each would pull them."""
        return sum(sum(image.blobs.values()) for image in self.images.values())


def new_bytes(before: Mapping[str, int], after: Mapping[str, int]) -> int:
    """Return the bytes of everything that is in ``after`` and not in ``before``, by digest."""
    return sum(size for digest, size in after.items() if digest not in before)


def layers_kept(before: Inventory, after: Inventory) -> tuple[int, int]:
    """Return the number of layers of ``after``'s images, and how many of them the same image had before."""
    total = kept = 0
    for repository, image in after.images.items():
        old = before.images[repository].layers if repository in before.images else ()
        total += len(image.layers)
        kept += len([layer for layer in image.layers if layer in old])
    return total, kept


def as_json(
    *,
    machine: Mapping[str, Any],
    plain: Side | None,
    ours: Side | None,
    limit: Limit | None,
    table: Sequence[Row],
) -> dict[str, Any]:
    """Return all figures for the JSON file: bytes and seconds, not rounded."""
    from dataclasses import asdict

    return {
        "machine": dict(machine),
        "plain": asdict(plain) if plain else None,
        "ours": asdict(ours) if ours else None,
        "limit": {**asdict(limit), "total": limit.total} if limit else None,
        "table": [asdict(row) for row in table],
        "verdict": verdict(table),
    }
