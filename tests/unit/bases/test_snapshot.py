"""The lines of apt's sources for a point in time."""

from __future__ import annotations

import datetime
from pathlib import Path

from build.bases import snapshot
from build.matrix.origins import Bootstrapped, DistributionPython, SnapshotArchive

MOMENT = datetime.datetime(2026, 11, 26, 22, 15, 7, tzinfo=datetime.UTC)
ORIGIN = Bootstrapped(suite="trixie", packages=(), python=DistributionPython(minor="3.13"))


def test_each_part_of_a_suite_has_a_line() -> None:
    archive = SnapshotArchive(url="https://snapshot.example/{archive}/{time}")
    assert snapshot.sources(ORIGIN, archive, MOMENT, None) == [
        "deb [check-valid-until=no] https://snapshot.example/debian/20261126T221507Z trixie main",
        "deb [check-valid-until=no] https://snapshot.example/debian/20261126T221507Z trixie-updates main",
        "deb [check-valid-until=no] https://snapshot.example/debian-security/20261126T221507Z trixie-security main",
    ]


def test_an_archive_with_keys_of_its_own_names_them() -> None:
    archive = SnapshotArchive(url="https://snapshot.example/{time}")
    (first, *_) = snapshot.sources(ORIGIN, archive, MOMENT, Path("/keys/ours.gpg"))
    options = "check-valid-until=no signed-by=/keys/ours.gpg"
    assert first == f"deb [{options}] https://snapshot.example/20261126T221507Z trixie main"
