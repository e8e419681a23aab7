"""The index of Debian's archive: which versions of CUDA's packages it has, and what they need.

Effects: ``fetch_index`` asks the archive; the rest is pure.
"""

from __future__ import annotations

import difflib
import lzma
import re
from collections.abc import Mapping
from dataclasses import dataclass

import requests
from packaging.version import Version

from build.errors import LockError, NetworkError
from build.variants.cuda_bases import COMPONENT, MIRROR, CudaBase

#: The toolkit's version within that of a package of it: 11.11.3.6~11.8.0-5~deb12u1.
TOOLKIT = re.compile(r"~(\d+\.\d+\.\d+)-")


@dataclass(frozen=True, kw_only=True)
class DebianPackage:
    """One entry of an archive's index."""

    name: str
    version: str
    #: The packages that it asks for in exactly one version: those of its own source.
    needs: tuple[str, ...]

    @property
    def toolkit(self) -> str | None:
        """The version of the CUDA toolkit that it is a part of."""
        match = TOOLKIT.search(self.version)
        return match[1] if match else None


def fetch_index(suite: str, mirror: str = MIRROR) -> str:
    """The index of a suite's packages for this platform, about 100 KB.

    apt checks the archive's signature when it installs them; this only says which versions there are.

    Raises:
        NetworkError: The archive is not reached, or has no such suite.
    """
    url = f"{mirror}/dists/{suite}/{COMPONENT}/binary-amd64/Packages.xz"
    try:
        answer = requests.get(url, timeout=60)
        answer.raise_for_status()
        return lzma.decompress(answer.content).decode()
    except (requests.RequestException, lzma.LZMAError) as failure:
        raise NetworkError(
            "Debian's archive cannot be reached",
            where=url,
            fix="check the network, then run it again",
            details=str(failure),
        ) from failure


def parse_index(text: str) -> dict[str, DebianPackage]:
    """The packages of an index by name; the newest version where there are several."""
    found: dict[str, DebianPackage] = {}
    for paragraph in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and line[0] != " ")
        if "Package" in fields:
            needs = re.findall(r"(?:^|, )([a-z0-9][a-z0-9+.-]+) \(= [^)]+\)", fields.get("Depends", ""))
            # Paragraphs of one package come oldest first.
            found[fields["Package"]] = DebianPackage(
                name=fields["Package"], version=fields["Version"], needs=tuple(needs)
            )
    return found


def pins(base: CudaBase, index: Mapping[str, DebianPackage], where: str) -> tuple[str, ...]:
    """The Debian packages of a base's CUDA, and those of the same source that they need, as ``name=version``.

    Args:
        base: The base.
        index: The archive's packages.
        where: The place of the CUDA in the matrix, for messages.

    Raises:
        LockError: The archive has no such package, or it is a part of another toolkit than the matrix pins.
    """
    chosen: dict[str, DebianPackage] = {}
    waiting = list(base.cuda.debian)
    while waiting:
        name = waiting.pop(0)
        package = index.get(name)
        if package is None:
            near = difflib.get_close_matches(name, index, n=4, cutoff=0.5)
            raise LockError(
                f"Debian {base.suite} ({COMPONENT}) has no package '{name}'",
                where=where,
                fix=f"the nearest: {', '.join(near) or 'none'}; its toolkits: {', '.join(_toolkits(index)) or 'none'}",
            )
        if package.toolkit is not None and package.toolkit != base.cuda.version:
            raise LockError(
                f"Debian {base.suite} ({COMPONENT}) has no CUDA {base.cuda.version}: {name} is {package.version}",
                where=where,
                fix=f"CUDA versions that it has: {', '.join(_toolkits(index))}; pin one of them, take CUDA from wheels "
                "('packages') or from an image ('images'), or another suite",
            )
        chosen[name] = package
        waiting += [need for need in package.needs if need in index and need not in chosen]
    return tuple(f"{name}={chosen[name].version}" for name in sorted(chosen))


def _toolkits(index: Mapping[str, DebianPackage]) -> list[str]:
    cudart = [package for name, package in index.items() if name.startswith("libcudart")]
    return sorted({package.toolkit for package in cudart if package.toolkit}, key=Version)
