"""Debian's archive as it was at the time of a lock, from a snapshot archive that the matrix names.  Pure.

A snapshot archive keeps all versions, under an address for each point in time. Its Release files are as old as their
packages, so apt must not ask them to be recent.
"""

from __future__ import annotations

import datetime
from pathlib import Path

from build.matrix.origins import Bootstrapped, SnapshotArchive

#: What follows the name of a suite, and the archive that has it (https://wiki.debian.org/SourcesList).
_PARTS = (("", "debian"), ("-updates", "debian"), ("-security", "debian-security"))


def sources(
    origin: Bootstrapped, snapshot: SnapshotArchive, time: datetime.datetime, keyring: Path | None
) -> list[str]:
    """Return the lines of apt's sources for a base at a point in time.

    Args:
        origin: What the base is made from.
        snapshot: The snapshot archive.
        time: When the packages of its lock were recorded (UTC).
        keyring: The keys that sign it, absolute; None: Debian's.
    """
    options = ["check-valid-until=no"]
    if keyring is not None:
        options.append(f"signed-by={keyring}")
    return [
        f"deb [{' '.join(options)}] {address(snapshot, archive, time)} {origin.suite}{part} main"
        for part, archive in _PARTS
    ]


def address(snapshot: SnapshotArchive, archive: str, time: datetime.datetime) -> str:
    """Return the address of an archive at a point in time."""
    return snapshot.url.replace("{archive}", archive).replace("{time}", f"{time:%Y%m%dT%H%M%SZ}")
