"""What an update changes, and what it holds back: the values.  Pure."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from build.locks.debian_archive import Newer
from build.locks.lock import Lock
from build.system import console
from build.update.additions import Added
from build.update.decide import Decision, Held
from build.update.lifecycles import OtherDate


@dataclass(frozen=True, kw_only=True)
class PackageChange:
    """A Python package of an image, before and after."""

    name: str
    #: None if it is new.
    old: str | None
    #: None if it is gone.
    new: str | None

    def __str__(self) -> str:
        return f"{self.name} {self.old or '(none)'} → {self.new or '(none)'}"


@dataclass(frozen=True, kw_only=True)
class NotLocked:
    """An image that cannot be locked, whatever its pins become."""

    reason: str
    #: What is left of its lock, in words.
    lock: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """What an update changes, and what it does not."""

    #: ``exclude-newer`` before and after.
    old_day: datetime.date
    new_day: datetime.date
    decisions: tuple[Decision, ...] = ()
    #: Image name → its changed packages; images without a change are left out.
    images: Mapping[str, tuple[PackageChange, ...]] = field(default_factory=dict)
    #: Base → the Debian packages of which the archive has newer versions.
    bases: Mapping[str, tuple[Newer, ...]] = field(default_factory=dict)
    #: Base with CUDA from Debian → its changed packages, one line each.
    cuda_bases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: The new versions of frameworks.
    added: tuple[Added, ...] = ()
    #: The images whose recipes change, without those that have ended.
    rebuilt: tuple[str, ...] = ()
    #: The images that have ended, whose recipes change all the same → the pins that they share with other images.
    ended: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: Bytes of the Python packages that no lock had before.
    new_bytes: int = 0
    held: tuple[Held, ...] = ()
    #: The dates of bases that a maintainer should look at.
    lifecycles: tuple[OtherDate, ...] = ()
    #: Image name → why it cannot be locked; everything else moves.
    failed: Mapping[str, NotLocked] = field(default_factory=dict)

    @property
    def moves(self) -> bool:
        """Tell whether anything but the day changes."""
        return bool(self.pins or self.added or self.images or self.bases or self.cuda_bases)

    @property
    def pins(self) -> tuple[Decision, ...]:
        """The pins that move."""
        return tuple(decision for decision in self.decisions if decision.moves)

    @property
    def title(self) -> str:
        """The totals, in one line."""
        failed = f"{console.count(len(self.failed), 'image')} cannot be locked"
        if not self.moves:
            return f"nothing to update; {failed}" if self.failed else "nothing to update"
        pins, images, bases = len(self.pins), len(self.images), len(self.bases) + len(self.cuda_bases)
        parts = [f"{console.count(pins, 'pin')} {'moves' if pins == 1 else 'move'}"] if pins else []
        if self.added:
            parts.append(console.count(len(self.added), "new version"))
        if images:
            new = console.size(self.new_bytes)
            parts.append(f"{console.count(images, 'image')} with other packages ({new} of new ones)")
        if bases:
            parts.append(f"{console.count(bases, 'base')} with newer Debian packages")
        parts.append(f"{console.count(len(self.rebuilt), 'image')} to build again")
        if self.failed:
            parts.append(failed)
        return ", ".join(parts)


def changes(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[PackageChange, ...]:
    """Return the packages that differ between two locks, sorted by name: distribution → version, twice."""
    return tuple(
        PackageChange(name=name, old=old.get(name), new=new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )


def new_bytes(old: Sequence[Lock], new: Sequence[Lock]) -> int:
    """Return the bytes of the files that are in some new lock and in no old one, each counted once."""
    known = {package.sha256 for lock in old for package in lock.packages}
    files = {package.sha256: package.size or 0 for lock in new for package in lock.packages}
    return sum(size for sha256, size in files.items() if sha256 not in known)
