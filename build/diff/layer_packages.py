"""The packages in the layers of an image, read from their tars as streams.  Pure, but for reading a stream.

A layer says what it adds and what it removes; put together, they give the packages of the image.
"""

from __future__ import annotations

import email.parser
import re
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from debian import deb822
from packaging.utils import canonicalize_name

from build.diff.facts import Packages

# An installed distribution (packaging.python.org, "Recording installed projects"; before that, setuptools' egg-info).
# One that is deeper in a package is a copy of its own, which Python does not find.
_PYTHON = re.compile(
    r"(?:.*/)?(?:site|dist)-packages/(?P<stem>[^/]+)\.(?:dist-info/METADATA|egg-info/PKG-INFO|egg-info)"
)
_STATUS = "var/lib/dpkg/status"
#: Images without dpkg have one file for each package here (distroless).
_STATUS_FOLDER = "var/lib/dpkg/status.d/"
# Layers say what they remove by names (OCI image specification 1.1, "Whiteouts").
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"

#: Bytes that are read of a distribution's metadata, whose head has the name and the version.
_METADATA = 100_000
#: Bytes that are read of a list of Debian packages; that of a large desktop has 5 MB.
_LIST = 50_000_000


@dataclass(frozen=True, kw_only=True)
class LayerPackages:
    """What one layer says about packages; paths are without a slash at the beginning."""

    #: Path of a distribution's metadata → its name and version.
    python: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    #: Path of a list → the Debian packages in it, name → version.
    debian: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    #: Paths of earlier layers that are removed, with everything below them.
    removed: frozenset[str] = frozenset()
    #: Folders of which earlier layers' files are removed.
    emptied: frozenset[str] = frozenset()


def read(stream: IO[bytes]) -> LayerPackages:
    """Read a layer.

    Args:
        stream: An uncompressed tar, which is read to its end.

    Raises:
        tarfile.TarError: It is not a tar.
    """
    python: dict[str, tuple[str, str]] = {}
    debian: dict[str, dict[str, str]] = {}
    removed: set[str] = set()
    emptied: set[str] = set()
    with tarfile.open(fileobj=stream, mode="r|") as tar:
        for entry in tar:
            path = re.sub(r"^(\.?/)+", "", entry.name)
            folder, _, name = path.rpartition("/")
            if name == _OPAQUE:
                emptied.add(folder)
            elif name.startswith(_WHITEOUT):
                removed.add("/".join(filter(None, (folder, name.removeprefix(_WHITEOUT)))))
            elif not entry.isdir() and (match := _PYTHON.fullmatch(path)):
                python[path] = _distribution(match["stem"], _head(tar, entry, _METADATA))
            elif entry.isfile() and (path == _STATUS or path.startswith(_STATUS_FOLDER)):
                debian[path] = _debian(_head(tar, entry, _LIST), needs_status=path == _STATUS)
    return LayerPackages(python=python, debian=debian, removed=frozenset(removed), emptied=frozenset(emptied))


def put_together(layers: Sequence[LayerPackages]) -> Packages:
    """Return the packages of an image with these layers, the lowest first.

    A distribution that is installed in several places has all of its versions: ``1.0, 2.0``.
    """
    python: dict[str, tuple[str, str]] = {}
    debian: dict[str, Mapping[str, str]] = {}
    for layer in layers:
        python = {path: value for path, value in python.items() if not _is_removed(path, layer)} | dict(layer.python)
        debian = {path: value for path, value in debian.items() if not _is_removed(path, layer)} | dict(layer.debian)
    versions: dict[str, set[str]] = {}
    for name, version in python.values():
        versions.setdefault(name, set()).add(version)
    return Packages(
        python={name: ", ".join(sorted(found)) for name, found in versions.items()},
        debian={name: version for found in debian.values() for name, version in found.items()},
        source="layers",
    )


def _is_removed(path: str, layer: LayerPackages) -> bool:
    parts = path.split("/")
    parents = {"/".join(parts[:count]) for count in range(len(parts))}
    return not layer.removed.isdisjoint(parents | {path}) or not layer.emptied.isdisjoint(parents)


def _head(tar: tarfile.TarFile, entry: tarfile.TarInfo, most: int) -> bytes:
    """The beginning of a file; nothing of a link, whose target may be in another layer."""
    content = tar.extractfile(entry) if entry.isfile() else None
    return content.read(most) if content else b""


def _distribution(stem: str, metadata: bytes) -> tuple[str, str]:
    """The name and version of a distribution, by its metadata, else by the name of the folder."""
    head = email.parser.BytesHeaderParser().parsebytes(metadata)
    name, _, version = stem.partition("-")
    return canonicalize_name(str(head.get("Name") or name)), str(head.get("Version") or version).strip()


def _debian(content: bytes, *, needs_status: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    for paragraph in deb822.Deb822.iter_paragraphs(content, use_apt_pkg=False):
        name, version = paragraph.get("Package"), paragraph.get("Version")
        is_installed = paragraph.get("Status", "").endswith(" installed") or not needs_status
        if name and version and is_installed:
            found[str(name)] = str(version)
    return found
