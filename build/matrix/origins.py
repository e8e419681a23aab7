"""The kinds of base and of CUDA, as types: what a base is made from, which Python it has, what brings CUDA.  Pure.

``build.matrix.sources`` describes what users write; these types are what the rest of the package works with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal


@dataclass(frozen=True, kw_only=True)
class DistributionPython:
    """The Python that the distribution packages."""

    kind: ClassVar[Literal["distribution"]] = "distribution"
    #: ``3.11``.
    minor: str


@dataclass(frozen=True, kw_only=True)
class PrefixPython:
    """A CPython built elsewhere, taken from a directory of this machine (a prefix)."""

    kind: ClassVar[Literal["prefix"]] = "prefix"
    #: The full version: ``3.12.1``.
    version: str
    #: The prefix, absolute or from the project's root; where it is None, the usual places are searched.
    directory: str | None = None

    @property
    def minor(self) -> str:
        """``3.12``."""
        return self.version.rpartition(".")[0]


@dataclass(frozen=True, kw_only=True)
class SnapshotArchive:
    """An archive that keeps all versions of Debian's packages."""

    #: With ``{archive}`` and ``{time}``.
    url: str
    #: The keys that sign it, absolute or from the project's root; None: Debian's.
    keyring: str | None = None


@dataclass(frozen=True, kw_only=True)
class Bootstrapped:
    """A base whose root file system mmdebstrap makes from Debian's archive."""

    kind: ClassVar[Literal["bootstrapped"]] = "bootstrapped"
    #: What its Dockerfile begins with: ``FROM scratch``.
    reference: ClassVar[str] = "scratch"
    #: Debian packages that apt adds while the base image is built: none, they are in the root file system.
    apt_packages: ClassVar[tuple[str, ...]] = ()
    #: True if files that a run prepares go into the base image: here always a root file system.
    needs_files: ClassVar[bool] = True

    #: ``bookworm``.
    suite: str
    #: Debian packages in addition to the essential ones and apt, in the matrix's order.
    packages: tuple[str, ...]
    python: DistributionPython | PrefixPython
    #: Where the packages of the lock are found once the archive has newer ones.
    snapshot: SnapshotArchive | None = None


@dataclass(frozen=True, kw_only=True)
class FromImage:
    """A base that begins with an existing image."""

    kind: ClassVar[Literal["image"]] = "image"

    #: The image, with its digest where the matrix gives it.
    reference: str
    #: Packages of the distribution that apt adds, in the matrix's order.
    packages: tuple[str, ...]
    python: DistributionPython | PrefixPython

    @property
    def apt_packages(self) -> tuple[str, ...]:
        return self.packages

    @property
    def needs_files(self) -> bool:
        """True if files that a run prepares go into the base image: here only a prefix."""
        return isinstance(self.python, PrefixPython)


#: What a base is made from.
BaseOrigin = Bootstrapped | FromImage


@dataclass(frozen=True, kw_only=True)
class Wheels:
    """CUDA from wheels alone: the images are on the base image of their base."""

    kind: ClassVar[Literal["wheels"]] = "wheels"
    own_base_image: ClassVar[bool] = False

    def misfit(self, base_name: str, base: BaseOrigin) -> str | None:
        """Tell why this does not work on a base, as the end of a sentence; None if it does."""
        return None


@dataclass(frozen=True, kw_only=True)
class DebianPackages:
    """CUDA from Debian packages, in a base image of their own on top of that of the base."""

    kind: ClassVar[Literal["debian"]] = "debian"
    own_base_image: ClassVar[bool] = True

    #: The packages that the matrix names.
    packages: tuple[str, ...]

    def misfit(self, base_name: str, base: BaseOrigin) -> str | None:
        """Tell why this does not work on a base, as the end of a sentence; None if it does."""
        if isinstance(base, Bootstrapped):
            return None
        return f"comes with Debian packages, but the base '{base_name}' is not a bootstrapped Debian"


@dataclass(frozen=True, kw_only=True)
class CudaImage:
    """CUDA from an image that takes the place of what the base is made from."""

    kind: ClassVar[Literal["image"]] = "image"
    own_base_image: ClassVar[bool] = True

    #: The image, with its digest where the matrix gives it.
    reference: str

    def misfit(self, base_name: str, base: BaseOrigin) -> str | None:
        """Tell why this does not work on a base, as the end of a sentence; None if it does."""
        if isinstance(base.python, PrefixPython):
            return f"comes with an image, but the base '{base_name}' takes its Python from a prefix"
        return None


#: What brings CUDA to the images on one base.
CudaOrigin = Wheels | DebianPackages | CudaImage


def has_digest(reference: str) -> bool:
    """Tell whether a reference names an image by its digest: then it is the same image tomorrow."""
    return "@" in reference
