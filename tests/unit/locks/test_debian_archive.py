"""Debian's archive: what is newer than a lock, what of it is a security update, and what that fixes."""

from __future__ import annotations

import pytest

from build.locks.debian_archive import Newer, cves, newer, parse

#: As `apt-get indextargets` and `apt-helper cat-file` print it, shortened.
INDEX = """
#label Debian
Package: libssl3
Source: openssl
Version: 3.0.17-1~deb12u2
Description: TLS
 with several lines

Package: zlib1g
Source: zlib (1:1.2.13.dfsg-1)
Version: 1:1.2.13.dfsg-1

Package: unwanted
Version: 9

#label Debian
Package: tzdata
Version: 2026f-0+deb12u1

#label Debian-Security
Package: libssl3
Source: openssl
Version: 3.0.17-1~deb12u3

Package: zlib1g
Source: zlib
Version: 1:1.2.11.dfsg-1
"""
NAMES = {"libssl3", "zlib1g", "tzdata", "gone"}


def test_the_newest_version_of_all_suites_counts() -> None:
    archive = parse(INDEX, NAMES)
    assert archive.keys() == {"libssl3", "zlib1g", "tzdata"}
    assert (archive["libssl3"].version, archive["libssl3"].security) == ("3.0.17-1~deb12u3", "3.0.17-1~deb12u3")
    assert (archive["zlib1g"].version, archive["zlib1g"].security) == ("1:1.2.13.dfsg-1", "1:1.2.11.dfsg-1")
    assert (archive["zlib1g"].source, archive["tzdata"].source) == ("zlib", "tzdata")
    assert archive["tzdata"].security is None


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        ("libssl3=3.0.17-1~deb12u3", []),
        ("libssl3=3.0.17-1~deb12u2", [("3.0.17-1~deb12u3", True)]),
        ("zlib1g=1:1.2.13.dfsg-0", [("1:1.2.13.dfsg-1", False)]),
        ("zlib1g=1:1.2.10", [("1:1.2.13.dfsg-1", True)]),
        ("tzdata=2026e-0+deb12u1", [("2026f-0+deb12u1", False)]),
        ("tzdata=2027a-0", []),
        ("gone=1", []),
    ],
)
def test_what_is_newer_than_a_lock(recorded: str, expected: list[tuple[str, bool]]) -> None:
    found = newer([recorded], parse(INDEX, NAMES))
    assert [(package.new, package.is_security) for package in found] == expected
    assert all(isinstance(package, Newer) and f"{package.name}={package.old}" == recorded for package in found)


CHANGELOG = """\
openssl (3.0.17-1~deb12u3) bookworm-security; urgency=medium

  * CVE-2026-0002 and CVE-2026-10001, again CVE-2026-0002

 -- Someone <someone@example.org>  Tue, 03 Nov 2026 10:00:00 +0000

openssl (3.0.17-1~deb12u2) bookworm-security; urgency=medium

  * Fix CVE-2025-9230

 -- Someone <someone@example.org>  Tue, 04 Nov 2025 10:00:00 +0000

openssl (3.0.16-1~deb12u1) bookworm; urgency=medium

  * Fix CVE-2024-0001

 -- Someone <someone@example.org>  Tue, 04 Nov 2024 10:00:00 +0000
"""


@pytest.mark.parametrize(
    ("old", "expected"),
    [
        ("3.0.17-1~deb12u3", ()),
        ("3.0.17-1~deb12u2", ("CVE-2026-0002", "CVE-2026-10001")),
        ("3.0.17-1~deb12u1", ("CVE-2025-9230", "CVE-2026-0002", "CVE-2026-10001")),
        # A binary package may have an epoch that its source does not have, or the number of a rebuild.
        ("1:3.0.17-1~deb12u2", ("CVE-2026-0002", "CVE-2026-10001")),
        ("3.0.17-1~deb12u2+b1", ("CVE-2026-0002", "CVE-2026-10001")),
    ],
)
def test_the_cve_ids_since_a_version(old: str, expected: tuple[str, ...]) -> None:
    assert cves(CHANGELOG, old) == expected
    assert cves("", old) == ()
