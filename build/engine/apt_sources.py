"""Docker for Debian 12 from the Debian 13 of the machine's own mirror: the source and the pin for apt.  Pure."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from debian.deb822 import Deb822

from build.errors import EngineError

#: Debian 12's docker.io is 20.10 and has no buildx.  These packages of Debian 13 work with Debian 12's libc
#: (runc does not, so Debian 12's is used).
FROM_TRIXIE = ("docker.io", "docker-cli", "docker-buildx", "containerd")
_TRIXIE = "trixie"


@dataclass(frozen=True, kw_only=True)
class AptTarget:
    """One package index that apt knows."""

    #: ``/etc/apt/sources.list.d/debian.sources:1``: the file, and the stanza or line in it, counted from 1.
    entry: str
    uri: str
    release: str
    codename: str
    component: str


#: What ``read_targets`` reads: ``apt-get indextargets --format`` (apt-get(8); fields: apt's
#: acquire-additional-files documentation).
TARGETS_FORMAT = "$(CREATED_BY)|$(SOURCESENTRY)|$(REPO_URI)|$(RELEASE)|$(CODENAME)|$(COMPONENT)"


def read_targets(text: str) -> tuple[AptTarget, ...]:
    """Return the package indexes in the output of ``apt-get indextargets`` in ``TARGETS_FORMAT``."""
    targets = []
    for line in text.splitlines():
        kind, *values = line.split("|")
        if kind == "Packages" and len(values) == 5:
            entry, uri, release, codename, component = values
            # A field that apt does not know yet (no list fetched) is printed as it is in the format.
            codename = "" if codename.startswith("$(") else codename
            targets.append(AptTarget(entry=entry, uri=uri, release=release, codename=codename, component=component))
    return tuple(targets)


def trixie_source(targets: Sequence[AptTarget], read: Callable[[Path], str]) -> str | None:
    """Return the apt source for Debian 13, from the mirror of the machine's Debian 12.

    Args:
        targets: The package indexes that apt knows.
        read: Returns a file's text.

    Returns:
        The content of a ``.sources`` file (sources.list(5)), or None where apt has that suite already.

    Raises:
        EngineError: apt has no source for Debian 12.
    """
    main = [target for target in targets if target.component == "main"]
    if any(_TRIXIE in (target.release, target.codename) for target in main):
        return None
    for target in main:
        if "bookworm" in (target.release, target.codename):
            signed = _signed_by(target.entry, read)
            return (
                "# Written by inference-images: Docker for Debian 12 (see preferences.d/inference-images).\n"
                f"Types: deb\nURIs: {target.uri}\nSuites: {_TRIXIE}\nComponents: main\n" + signed
            )
    raise EngineError(
        "apt has no source for Debian 12 (bookworm main), so there is no mirror to take Docker from",
        where="/etc/apt/sources.list.d",
        fix="install a Docker engine 23 or newer with buildx, or fix apt's sources and run this command again",
    )


def _signed_by(entry: str, read: Callable[[Path], str]) -> str:
    """Return the ``Signed-By`` field of a source as a ``.sources`` file has it; empty where the source has none."""
    name, _, number = entry.rpartition(":")
    with contextlib.suppress(OSError, ValueError, IndexError):
        text = read(Path(name))
        if name.endswith(".sources"):
            stanzas = [stanza for stanza in Deb822.iter_paragraphs(text, use_apt_pkg=False) if "URIs" in stanza]
            value = stanzas[int(number) - 1].get("Signed-By", "")
            space = "" if value.startswith("\n") else " "  # a key written out begins on the next line
            return f"Signed-By:{space}{value}\n" if value else ""
        match = re.search(r"\bsigned-by=([^\s\]]+)", text.splitlines()[int(number) - 1], re.I)
        return f"Signed-By: {match[1]}\n" if match else ""
    return ""


def preferences(*, added_source: bool) -> str:
    """Return the content of apt's pin: these packages of Debian 13 and no others (apt_preferences(5)).

    Args:
        added_source: The suite comes from our own source.  Where the machine had it already, its other packages
            keep their priority.
    """
    rest = f"Package: *\nPin: release n={_TRIXIE}\nPin-Priority: -10\n\n" if added_source else ""
    return (
        "Explanation: Written by inference-images: Docker and buildx for Debian 12.\n"
        f"{rest}Package: {' '.join(FROM_TRIXIE)}\nPin: release n={_TRIXIE}\nPin-Priority: 700\n"
    )
