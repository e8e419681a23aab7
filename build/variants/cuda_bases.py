"""Bases with CUDA in them: where it comes with Debian packages, or with another image, and not with wheels.

One for each base and CUDA, under all images with these pins, so that they share its layers.  Pure, but for the
archive's index, which is asked when locked.
"""

from __future__ import annotations

import difflib
import lzma
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import requests
from packaging.version import Version

from build.errors import LockError, NetworkError
from build.matrix.model import Base, Cuda
from build.variants.variant import Variant

#: Where Debian's packages are; mmdebstrap's own default.
MIRROR = "http://deb.debian.org/debian"
#: The part of the archive that CUDA is in: its licence allows to redistribute, and no more.
COMPONENT = "non-free"
#: The toolkit's version within that of a package of it: 11.11.3.6~11.8.0-5~deb12u1.
_TOOLKIT = re.compile(r"~(\d+\.\d+\.\d+)-")


@dataclass(frozen=True, kw_only=True)
class CudaBase:
    """A base with a CUDA."""

    #: ``debian12-py311-cuda11.8.0``.
    name: str
    base_name: str
    #: What it is made as: the base, or the image that has the CUDA with all else of the base.
    base: Base
    #: The name of the CUDA.
    device: str
    cuda: Cuda

    @property
    def image(self) -> str | None:
        """The image that it is made from, or None where it is its base and Debian packages."""
        return self.cuda.images.get(self.base_name)

    @property
    def suite(self) -> str:
        """The Debian suite of its packages."""
        assert self.base.bootstrap is not None
        return self.base.bootstrap.suite

    @property
    def source(self) -> str:
        """apt's line for the part of the archive that has them."""
        return f"deb {MIRROR} {self.suite} {COMPONENT}"


def of(variants: Iterable[Variant]) -> dict[str, CudaBase]:
    """The bases with CUDA that these variants stand on, by name.

    Args:
        variants: As the matrix gives them; none on a stand-in.
    """
    found: dict[str, CudaBase] = {}
    for variant in variants:
        if variant.cuda is None or variant.base_image == variant.base_name:
            continue
        image = variant.cuda.images.get(variant.base_name)
        base = variant.base
        if image:  # what Debian's archive would have brought (Python, libgomp1), apt adds to it
            packages = base.bootstrap.packages if base.bootstrap else base.packages
            base = base.model_copy(update={"image": image, "bootstrap": None, "packages": packages})
        found[variant.base_image] = CudaBase(
            name=variant.base_image, base_name=variant.base_name, base=base, device=variant.device, cuda=variant.cuda
        )
    return dict(sorted(found.items()))


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
        match = _TOOLKIT.search(self.version)
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


def staleness(base: CudaBase, recorded: Sequence[str] | None, asked: Sequence[str]) -> Iterator[str]:
    """Why recorded pins no longer belong to the matrix, a sentence each.  Needs no network.

    Args:
        base: The base.
        recorded: The pins, ``name=version``; None where there are none.
        asked: The names that they were made from: the pins have what those need as well.
    """
    if recorded is None:
        yield "the Debian packages of its CUDA are not recorded"
        return
    added = [f"+{name}" for name in base.cuda.debian if name not in asked]
    removed = [f"-{name}" for name in asked if name not in base.cuda.debian]
    if added or removed:
        yield "the matrix now asks for " + ", ".join([*added, *removed])
    versions = dict(item.split("=", 1) for item in recorded)
    for name in base.cuda.debian:
        toolkit = _TOOLKIT.search(versions.get(name, ""))
        if toolkit and toolkit[1] != base.cuda.version:
            yield f"it has {name} of CUDA {toolkit[1]}, the matrix pins {base.cuda.version}"
