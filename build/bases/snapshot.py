"""Debian's archive as it was at the time of a lock, from a snapshot archive that the matrix names.  Pure.

A snapshot archive keeps all versions, under an address for each point in time. Its Release files are as old as their
packages, so apt must not ask them to be recent.
"""

from __future__ import annotations

import datetime
import re
from pathlib import Path

from build.matrix.origins import SnapshotArchive

#: A line of apt's sources in its one-line style (sources.list(5)).
_LINE = re.compile(r"^deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<url>\S+?)/?\s+(?P<rest>\S.*)$")


def sources(usual: str, snapshot: SnapshotArchive, time: datetime.datetime, keyring: Path | None) -> list[str]:
    """Return the lines of apt's sources for a point in time.

    Args:
        usual: The sources for today, as mmdebstrap writes them: its keys and parts of the suite are taken over.
        snapshot: The snapshot archive.
        time: When the packages of the lock were recorded (UTC).
        keyring: The keys that sign it, absolute; None: those of the usual sources.
    """
    found = []
    for line in usual.splitlines():
        match = _LINE.match(line.strip())
        if match is None:
            continue
        options = (match["options"] or "").split()
        if keyring is not None:
            options = [each for each in options if not each.startswith("signed-by=")] + [f"signed-by={keyring}"]
        archive = match["url"].rpartition("/")[2]
        where = address(snapshot, archive, time)
        found.append(f"deb [{' '.join((*options, 'check-valid-until=no'))}] {where} {match['rest']}")
    return found


def address(snapshot: SnapshotArchive, archive: str, time: datetime.datetime) -> str:
    """Return the address of an archive at a point in time.

    Args:
        snapshot: The snapshot archive.
        archive: ``debian`` or ``debian-security``.
        time: UTC.
    """
    return snapshot.url.replace("{archive}", archive).replace("{time}", f"{time:%Y%m%dT%H%M%SZ}")
