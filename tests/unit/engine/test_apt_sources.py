"""The source and the pin for Docker on Debian 12."""

from __future__ import annotations

import pytest

from build.engine import apt_sources
from build.errors import EngineError

#: `apt-get indextargets --format …` on a Debian 12 with a mirror of its own.
TARGETS = """\
Packages|/etc/apt/debian.sources:1|http://mirror.example/debian/|bookworm|bookworm|main
Translations|/etc/apt/sources.list.d/debian.sources:1|http://mirror.example/debian/|bookworm|bookworm|main
Packages|/etc/apt/debian.sources:1|http://mirror.example/debian/|bookworm-updates|bookworm-updates|main
Packages|/etc/apt/debian.sources:2|http://mirror.example/security/|bookworm-security|bookworm-security|main
"""
DEB822 = """\
Types: deb
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/mirror.gpg

Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/other.gpg
"""


def test_debian_13_comes_from_the_machines_own_mirror_and_key() -> None:
    source = apt_sources.trixie_source(apt_sources.read_targets(TARGETS), lambda path: DEB822)
    assert source is not None
    assert source.splitlines()[1:] == [
        "Types: deb",
        "URIs: http://mirror.example/debian/",
        "Suites: trixie",
        "Components: main",
        "Signed-By: /usr/share/keyrings/mirror.gpg",
    ]


def test_the_key_of_a_one_line_source() -> None:
    targets = apt_sources.read_targets(
        "Packages|/etc/apt/sources.list:2|http://mirror.example/debian/|oldstable|bookworm|main\n"
    )
    lines = "# mirror\ndeb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian oldstable main\n"
    source = apt_sources.trixie_source(targets, lambda path: lines)
    assert source is not None
    assert "Signed-By: /k.gpg\n" in source


def test_a_key_written_into_the_source_is_taken_whole() -> None:
    block = "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBF\n -----END PGP PUBLIC KEY-----\n"
    text = DEB822.replace("Signed-By: /usr/share/keyrings/mirror.gpg\n", block)
    source = apt_sources.trixie_source(apt_sources.read_targets(TARGETS), lambda path: text)
    assert source is not None
    assert source.endswith(block)


def test_a_machine_that_has_debian_13_already_gets_no_second_source() -> None:
    both = TARGETS + "Packages|/etc/apt/sources.list.d/x.sources:1|http://mirror.example/debian/|trixie|trixie|main\n"
    assert apt_sources.trixie_source(apt_sources.read_targets(both), lambda path: DEB822) is None
    assert "Package: *" not in apt_sources.preferences(added_source=False)
    assert "Package: *\nPin: release n=trixie\nPin-Priority: -10" in apt_sources.preferences(added_source=True)


def test_a_machine_without_a_debian_12_source_is_an_error() -> None:
    with pytest.raises(EngineError, match="apt has no source for Debian 12"):
        apt_sources.trixie_source((), lambda path: "")
