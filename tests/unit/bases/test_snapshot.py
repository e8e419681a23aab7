"""The lines of apt's sources for a point in time."""

from __future__ import annotations

import datetime
from pathlib import Path

from build.bases import snapshot
from build.matrix.origins import SnapshotArchive

MOMENT = datetime.datetime(2026, 11, 26, 22, 15, 7, tzinfo=datetime.UTC)
DEBIAN = "signed-by=/usr/share/keyrings/debian.gpg"
USUAL = f"""\
# a comment
deb http://mirror.example/debian trixie main
deb [{DEBIAN}] http://mirror.example/debian/ trixie-updates main
deb http://mirror.example/debian-security trixie-security main contrib
"""


def test_each_of_the_usual_lines_has_one_for_the_moment() -> None:
    archive = SnapshotArchive(url="https://snapshot.example/{archive}/{time}")
    there = "https://snapshot.example"
    assert snapshot.sources(USUAL, archive, MOMENT, None) == [
        f"deb [check-valid-until=no] {there}/debian/20261126T221507Z trixie main",
        f"deb [{DEBIAN} check-valid-until=no] {there}/debian/20261126T221507Z trixie-updates main",
        f"deb [check-valid-until=no] {there}/debian-security/20261126T221507Z trixie-security main contrib",
    ]


def test_an_archive_with_keys_of_its_own_is_checked_with_them_alone() -> None:
    archive = SnapshotArchive(url="https://snapshot.example/{time}")
    for line in snapshot.sources(USUAL, archive, MOMENT, Path("/keys/ours.gpg")):
        assert line.startswith("deb [signed-by=/keys/ours.gpg check-valid-until=no] https://snapshot.example/2026")
