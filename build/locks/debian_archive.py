"""Debian's archive today: the versions of packages, those with security updates, and what their changelogs say.

Effects: ``fetch``, ``changelogs`` and ``release_dates`` run mmdebstrap, which uses the network; the rest is pure.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from debian.deb822 import Packages
from debian.debian_support import Version as DebianVersion

from build.errors import NetworkError
from build.locks.debian_index import from_archive

#: Writes the index of each suite, after a line with the label of its Release file.
_PRINT_SUITES = (
    'export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"; '
    "apt-get indextargets --format '$(LABEL)|$(FILENAME)' 'Created-By: Packages' "
    "| while IFS='|' read -r label file; do "
    'printf "\\n%s%s\\n" "#label " "$label"; /usr/lib/apt/apt-helper cat-file "$file"; done > "$1/available"'
)
#: Writes the changelog of a package, after a line with its name.
_CLEAR = ': > "$1/available"'
_PRINT_CHANGELOG = """
(cd "$1/debs" && apt-get -qq -o APT::Sandbox::User=root download {pin})
printf '\\n#package %s\\n' {name} >> "$1/available"
for changelog in {changelogs}; do
    dpkg-deb --fsys-tarfile "$1"/debs/*.deb | tar --extract --to-stdout "$changelog" 2> /dev/null \\
        | gzip --decompress --stdout 2> /dev/null | head --lines={lines} >> "$1/available" || true
done
rm "$1"/debs/*.deb
"""
#: Writes the dates of Debian's and Ubuntu's releases, each file after a line with its name.
_PRINT_DATES = (
    'export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"; set -e; mkdir "$1/debs"; '
    '(cd "$1/debs" && apt-get -qq -o APT::Sandbox::User=root download distro-info-data); : > "$1/available"; '
    "for name in debian ubuntu; do "
    'printf "#file %s\\n" "$name" >> "$1/available"; dpkg-deb --fsys-tarfile "$1"/debs/*.deb '
    '| tar --extract --to-stdout "./usr/share/distro-info/$name.csv" >> "$1/available"; done; rm "$1"/debs/*.deb'
)
_LABEL = re.compile(r"^#label (.*)$", re.MULTILINE)
_PARAGRAPHS = re.compile(r"\n\n+")
_NAME = re.compile(r"^Package: (\S+)$", re.MULTILINE)
_ELSEWHERE = "elsewhere update the packages alone: nox -s update -- --only frameworks"
#: The label of Debian's security suites: https://www.debian.org/security/, the file Release of ``bookworm-security``.
_SECURITY = "Debian-Security"
#: Lines of a changelog that are read: a base is never so far behind.
_LINES = 3000
#: https://www.debian.org/doc/debian-policy/ch-source.html#debian-changelog-debian-changelog
_ENTRY = re.compile(r"^[a-z0-9][a-z0-9+.-]* \(([^)\s]+)\) ", re.MULTILINE)
_CVE = re.compile(r"\bCVE-\d{4}-\d{4,}\b")


@dataclass(frozen=True, kw_only=True)
class Available:
    """The newest version of a package in the archive."""

    name: str
    version: str
    #: The source package that it is built from.
    source: str
    #: The newest version in the suite of security updates; None if that does not have it.
    security: str | None


@dataclass(frozen=True, kw_only=True)
class Newer:
    """A recorded package of which the archive has a newer version."""

    name: str
    old: str
    new: str
    source: str
    #: True if the suite of security updates has a newer version than the recorded one.
    is_security: bool
    #: The CVE ids in the changelog of the new version, since the old one.
    cves: tuple[str, ...] = ()


def fetch(suite: str, names: Container[str]) -> dict[str, Available]:
    """Return packages of a suite with its updates, by name.

    Args:
        suite: The Debian suite: ``bookworm``.
        names: The packages.

    Raises:
        EngineError: mmdebstrap is not installed.
        NetworkError: The archive is not reached, or has no such suite.
    """
    return parse(from_archive(suite, _PRINT_SUITES, elsewhere=_ELSEWHERE), names)


def release_dates(suite: str) -> dict[str, str]:
    """Return the dates of the releases of distributions, as the package ``distro-info-data`` of a suite has them.

    Args:
        suite: The Debian suite.

    Returns:
        ``debian`` and ``ubuntu`` → the content of the file, CSV.

    Raises:
        EngineError: mmdebstrap is not installed.
        NetworkError: The archive is not reached, or does not have the package.
    """
    _, *parts = re.split(r"^#file (.*)$", from_archive(suite, _PRINT_DATES, elsewhere=_ELSEWHERE), flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def parse(text: str, names: Container[str]) -> dict[str, Available]:
    """Return packages of several indexes by name; a line ``#label`` before each index names its suite."""
    _, *parts = _LABEL.split(text)
    found: dict[str, Available] = {}
    for label, index in zip(parts[::2], parts[1::2], strict=True):
        # A base has 100 of the 60,000 packages, and reading all fields of all of them takes 10 seconds.
        wanted = [entry for entry in _PARAGRAPHS.split(index) if (match := _NAME.search(entry)) and match[1] in names]
        for paragraph in Packages.iter_paragraphs("\n\n".join(wanted), use_apt_pkg=False):
            name, version = paragraph["Package"], paragraph["Version"]
            known = found.get(name)
            security = known.security if known else None
            found[name] = Available(
                name=name,
                version=_newest(known.version if known else None, version),
                source=paragraph.get("Source", name).split(" ")[0],
                security=_newest(security, version) if label == _SECURITY else security,
            )
    return found


def _newest(known: str | None, version: str) -> str:
    return version if known is None or DebianVersion(known) < DebianVersion(version) else known


def newer(recorded: Sequence[str], archive: Mapping[str, Available]) -> tuple[Newer, ...]:
    """Return the recorded packages of which the archive has newer versions, sorted by name.

    Args:
        recorded: The packages of a base, ``name=version``.
        archive: The archive's packages.
    """
    found = []
    for name, old in sorted(item.split("=", 1) for item in recorded):
        now = archive.get(name)
        if now is not None and DebianVersion(old) < DebianVersion(now.version):
            is_security = now.security is not None and DebianVersion(old) < DebianVersion(now.security)
            found.append(Newer(name=name, old=old, new=now.version, source=now.source, is_security=is_security))
    return tuple(found)


def changelogs(suite: str, packages: Sequence[Newer]) -> dict[str, str]:
    """Return the changelogs of new packages, by package name; those of packages without one are left out.

    Args:
        suite: The Debian suite.
        packages: The packages; each is downloaded.

    Raises:
        NetworkError: The archive is not reached.
    """
    hook = f'export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"; set -e; mkdir "$1/debs"; {_CLEAR}'
    for package in packages:
        # The second name is that of packages that Debian itself develops.
        names = " ".join(f"./usr/share/doc/{package.name}/changelog{kind}.gz" for kind in (".Debian", ""))
        pin = shlex.quote(f"{package.name}={package.new}")
        hook += _PRINT_CHANGELOG.format(name=package.name, pin=pin, changelogs=names, lines=_LINES)
    text = from_archive(suite, hook, elsewhere=_ELSEWHERE)
    _, *parts = re.split(r"^#package (.*)$", text, flags=re.MULTILINE)
    if parts[::2] != [package.name for package in packages]:
        raise NetworkError("not all changelogs of Debian's new packages could be read", fix="run it again")
    return {name: log for name, log in zip(parts[::2], parts[1::2], strict=True) if log.strip()}


def cves(changelog: str, old: str) -> tuple[str, ...]:
    """Return the CVE ids that a changelog names in the entries after a version, each once, sorted.

    Args:
        changelog: The newest entry first.
        old: The version; entries of it and of older versions do not count.
    """
    found: set[str] = set()
    _, *parts = _ENTRY.split(changelog)
    for version, entry in zip(parts[::2], parts[1::2], strict=True):
        if _same_epoch(DebianVersion(version), old) <= DebianVersion(old):
            break
        found.update(_CVE.findall(entry))
    return tuple(sorted(found, key=lambda cve: [int(number) for number in cve.split("-")[1:]]))


def _same_epoch(version: DebianVersion, old: str) -> DebianVersion:
    """Return a source version with the epoch of a binary one: a few packages (``bsdutils``) have one of their own."""
    epoch = DebianVersion(old).epoch
    return DebianVersion(f"{epoch}:{version}") if epoch and version.epoch is None else version
