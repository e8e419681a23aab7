"""The models of the parts of ``matrix.yaml`` that images are made from: bases, CUDA versions, places with wheels."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from build.matrix.origins import (
    BaseOrigin,
    Bootstrapped,
    CudaImage,
    CudaOrigin,
    DebianPackages,
    DistributionPython,
    FromImage,
    PrefixPython,
    SnapshotArchive,
    Wheels,
)
from build.matrix.strict import Strict
from build.matrix.upkeep import Lifecycle
from build.matrix.values import (
    DebianName,
    FullVersion,
    Glibc,
    Index,
    Name,
    Python,
    Reference,
    RequirementText,
    SnapshotUrl,
    VersionText,
)


class Snapshot(Strict):
    """An archive that keeps all versions of Debian's packages."""

    url: SnapshotUrl = Field(
        description="The address, with `{archive}` for `debian` or `debian-security`, and `{time}` for the time of the "
        "lock, as in `20261126T221500Z`: `https://snapshot.example/archive/{archive}/{time}`."
    )
    keyring: str | None = Field(
        default=None,
        description="A file with the keys that sign it, absolute or relative to matrix.yaml. By default Debian's.",
    )


class Bootstrap(Strict):
    """A base whose root file system mmdebstrap makes from Debian's signed archive."""

    suite: Name = Field(description="The Debian suite: `bookworm`, `trixie`.")
    packages: list[DebianName] = Field(
        default_factory=list, description="Debian packages in addition to the essential ones and apt."
    )
    snapshot: Snapshot | None = Field(
        default=None,
        description="Take the packages of the lock from here once Debian's archive has newer ones. Without it, the "
        "base gets the newer ones, with a warning.",
    )


class Prefix(Strict):
    """A CPython from a directory of the build machine, for Python versions that the distribution does not have.

    Builds of pyenv and of python-build-standalone work.
    """

    version: FullVersion = Field(description="The full version: `3.12.1`.")
    directory: str | None = Field(
        default=None,
        description="The directory, absolute or relative to matrix.yaml. By default the usual places are searched.",
    )
    lifecycle: Lifecycle = Field(
        default_factory=Lifecycle,
        description="The lifecycle of this minor version of Python. A distribution's own Python has that of the base.",
    )


class Base(Strict):
    """An operating system with a Python, on which images are built. It has either a `bootstrap` or an `image`."""

    title: str = Field(description="The name that people read: `Debian 12`.")
    os: Name = Field(description="The operating system in image names: `debian12`.")
    python: Python = Field(description="The minor version of Python: `3.11`.")
    glibc: Glibc = Field(description="The version of glibc. Wheels for it and for older ones are installed.")
    bootstrap: Bootstrap | None = Field(default=None, description="Make the base from Debian's archive.")
    image: Reference | None = Field(
        default=None, description="Start from this image. Without a digest, nothing can be built on it."
    )
    packages: list[DebianName] = Field(
        default_factory=list, description="Only with `image`: packages that apt adds to it, such as its Python."
    )
    prefix: Prefix | None = Field(default=None, description="Use this Python instead of the distribution's.")
    lifecycle: Lifecycle = Field(default_factory=Lifecycle, description="The lifecycle of the operating system.")

    @model_validator(mode="after")
    def _one_origin(self) -> Base:
        if (self.bootstrap is None) == (self.image is None):
            raise ValueError("a base needs either 'bootstrap' or 'image', but not both")
        return self

    @model_validator(mode="after")
    def _fitting(self) -> Base:
        if self.packages and self.bootstrap is not None:
            raise ValueError("'packages' is for an 'image'; those of a bootstrapped base are under 'bootstrap'")
        if self.prefix is not None and not self.prefix.version.startswith(f"{self.python}."):
            raise ValueError(f"the prefix is Python {self.prefix.version}, the base says {self.python}")
        return self

    @property
    def origin(self) -> BaseOrigin:
        """What the base is made from."""
        python: DistributionPython | PrefixPython = DistributionPython(minor=self.python)
        if self.prefix is not None:
            python = PrefixPython(version=self.prefix.version, directory=self.prefix.directory)
        if self.image is not None:
            return FromImage(reference=self.image, packages=tuple(self.packages), python=python)
        assert self.bootstrap is not None, "the model has exactly one of the two"
        snapshot = self.bootstrap.snapshot
        return Bootstrapped(
            suite=self.bootstrap.suite,
            packages=tuple(self.bootstrap.packages),
            python=python,
            snapshot=SnapshotArchive(url=snapshot.url, keyring=snapshot.keyring) if snapshot else None,
        )


class Cuda(Strict):
    """A CUDA version with its cuDNN, pinned to the patch, and its origin: wheels, Debian packages or images."""

    version: VersionText = Field(
        description="The version of the CUDA toolkit: `13.0.3`. It begins with the number in the name."
    )
    cudnn: VersionText | None = Field(default=None, description="The version of cuDNN: `9.12.0.46`.")
    packages: list[RequirementText] = Field(default_factory=list, description="The wheels that contain the libraries.")
    debian: list[DebianName] = Field(
        default_factory=list,
        description="Debian packages (non-free) that contain the libraries, instead of wheels. "
        "`packages` adds what Debian does not have.",
    )
    images: dict[Name, Reference] = Field(
        default_factory=dict,
        description="Images that contain the libraries: base name → the image to start from instead of the base's own.",
    )
    lifecycle: Lifecycle = Field(default_factory=Lifecycle, description="The lifecycle of the CUDA version.")

    @model_validator(mode="after")
    def _some_origin(self) -> Cuda:
        if not (self.packages or self.debian or self.images):
            raise ValueError("CUDA comes from 'packages' (wheels), 'debian' packages or 'images': give one of them")
        return self

    def origin_on(self, base_name: str) -> CudaOrigin:
        """Return where CUDA comes from in images on a base: an image for the base is preferred to Debian packages."""
        if base_name in self.images:
            return CudaImage(reference=self.images[base_name])
        return DebianPackages(packages=tuple(self.debian)) if self.debian else Wheels()


class WheelSource(Strict):
    """A place with wheels that the default index does not have: an `index`, a `directory`, or both."""

    index: Index | None = Field(default=None, description="The address of a simple index (PEP 503).")
    directory: str | None = Field(
        default=None, description="A directory of wheels, absolute or relative to matrix.yaml. It is searched first."
    )
    packages: list[Name] = Field(min_length=1, description="The distributions that are taken from this source.")
    where_not_reached: Literal["default-index"] | None = Field(
        default=None,
        description="What to do if the source cannot be reached. `default-index`: lock the images from "
        "the default index. Default: the images keep their locks.",
    )

    @model_validator(mode="after")
    def _some_origin(self) -> WheelSource:
        if self.index is None and self.directory is None:
            raise ValueError("a wheel source has an 'index', a 'directory', or both")
        return self
