"""The models of ``matrix.yaml``: everything that a maintainer may write, and nothing else.

``build.matrix.reader`` reads the file into these models and reports errors with their lines; ``build.variants`` expands
them.  ``matrix.schema.json`` and ``docs/matrix.md`` are generated from them, with their descriptions.
"""

from __future__ import annotations

import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

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
from build.matrix.values import (
    Architecture,
    Compression,
    CudaName,
    Date,
    DebianName,
    Distribution,
    FullVersion,
    Glibc,
    Index,
    Name,
    Python,
    Reason,
    Reference,
    Registry,
    RequirementText,
    SnapshotUrl,
    VersionKey,
    VersionText,
)

#: How far the pins of a contract may move.
UpdateRule = Literal["minor", "newest", "held"]


def _kebab(name: str) -> str:
    return name.replace("_", "-")


class Strict(BaseModel):
    """Unknown keys are errors, values are not converted, models do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, alias_generator=_kebab, validate_by_name=False)


class Support(Strict):
    """A phase of a lifecycle: its end, and where that is published."""

    until: Date = Field(description="The day (UTC) from which the phase is over.")
    source: Reason = Field(description="Where upstream publishes the date: an address, or a sentence.")


class Lifecycle(Strict):
    """The phases of upstream's support: full support, then long-term support (LTS), then none.

    All keys are optional; `lts` needs a `full-support`. From the end of the last phase on, its images are built only
    if you select them; the default group leaves them out.
    """

    released: Date | None = Field(default=None, description="The day of the first release.")
    deprecated: Date | None = Field(default=None, description="The day from which it is not recommended any more.")
    full_support: Support | None = Field(default=None, description="Upstream fixes bugs and security holes.")
    lts: Support | None = Field(
        default=None, description="After the full support: upstream, or its LTS team, fixes security holes only."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Lifecycle:
        if self.lts and not self.full_support:
            raise ValueError("'lts' follows 'full-support': give both, or 'full-support' alone")
        for middle in (self.full_support and self.full_support.until, self.deprecated):
            dates = [date for date in (self.released, middle, self.end_of_life) if date]
            if dates != sorted(dates):
                raise ValueError("the dates must be in order: released, full-support or deprecated, the end")
        return self

    @property
    def last(self) -> Support | None:
        """The last phase; None if no end is known."""
        return self.lts or self.full_support

    @property
    def end_of_life(self) -> datetime.date | None:
        """The day (UTC) from which upstream fixes nothing any more."""
        return self.last.until if self.last else None


class Update(Strict):
    """How far `nox -s update` moves the exact pins (`==`) of a contract. Guards and CUDA packages are never moved."""

    rule: UpdateRule = Field(
        description="`minor`: to the newest release of the pinned minor version. `newest`: to the newest release that "
        "the version's key names (any with `n/a`, 2.x with `2`). `held`: the pins stay."
    )
    reason: Reason | None = Field(default=None, description="Why; required unless the rule is `minor`.")

    @model_validator(mode="after")
    def _with_reason(self) -> Update:
        if self.rule != "minor" and self.reason is None:
            raise ValueError(f"the rule '{self.rule}' needs a 'reason'")
        return self


class UpdateDefaults(Update):
    """What `nox -s update` does where no server, framework or version says otherwise."""

    rule: UpdateRule = Field(default="minor", description="The rule for all pins; see [update](#update).")
    cool_down: int = Field(
        default=7,
        ge=0,
        description="Days that a release must have been in the index before it is taken: `exclude-newer` moves to "
        "this many days before today. A release that turns out to be broken is usually yanked sooner.",
    )
    overlap: int = Field(
        default=180,
        ge=0,
        description="Days that a framework version is kept after `nox -s update -- --new-versions` added a newer one: "
        "the end of its `lifecycle`, unless it has one already, or an image without a successor.",
    )


class Guard(Strict):
    """A pin that an image needs to work, but that the catalogue does not promise."""

    pin: RequirementText = Field(description="The requirement: `protobuf<3.21`.")
    reason: Reason = Field(description="Why the image needs it, for whoever wants to remove it.")


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


class CpuPins(Strict):
    """Additions to a framework version for its CPU images only."""

    contract: list[RequirementText] = Field(
        default_factory=list, description="Promises in addition to those of the version."
    )
    guards: list[Guard] = Field(default_factory=list, description="Guards in addition to those of the version.")
    wheel_source: Name | None = Field(
        default=None, description="An entry of `wheel-sources`, instead of the framework's."
    )


class GpuPins(CpuPins):
    """Additions to a framework version for its GPU images only."""

    cuda_packages: list[RequirementText] | None = Field(
        default=None,
        min_length=1,
        description="Wheels that contain the CUDA libraries, instead of the `packages` of the CUDA version.",
    )
    reach: list[Architecture] = Field(
        default_factory=list,
        description="The GPU architectures for which the framework has code. `sm_80` is machine code for GPUs of "
        "compute capability 8.0 and above in the same major version (`sm_90a`: for 9.0 alone); `compute_90` is PTX, "
        "which the driver compiles for all newer GPUs. `nox -s verify` reads them from the framework's libraries and "
        "fails if they differ.",
    )


class FrameworkVersion(Strict):
    """One version of a framework: what its images promise, what they need to work, and their bases and devices."""

    contract: list[RequirementText] = Field(
        default_factory=list, description="The requirements that the catalogue promises. `nox -s verify` tests each."
    )
    guards: list[Guard] = Field(default_factory=list, description="Further requirements that make the images work.")
    bases: list[Name] | None = Field(default=None, min_length=1, description="Bases, instead of those of `axes`.")
    devices: list[Name] | None = Field(default=None, min_length=1, description="Devices, instead of those of `axes`.")
    cpu: CpuPins = Field(default_factory=CpuPins, description="Additions for CPU images.")
    gpu: GpuPins = Field(default_factory=GpuPins, description="Additions for GPU images.")
    lifecycle: Lifecycle = Field(default_factory=Lifecycle, description="The lifecycle of the framework version.")
    update: Update | None = Field(default=None, description="How its pins move, instead of the framework's rule.")


class Framework(Strict):
    """A framework and its versions."""

    title: str = Field(description="The name that people read: `scikit-learn`.")
    contract: list[RequirementText] = Field(default_factory=list, description="Promises of every version.")
    guards: list[Guard] = Field(default_factory=list, description="Guards of every version.")
    wheel_source: Name | None = Field(default=None, description="An entry of `wheel-sources`.")
    update: Update | None = Field(default=None, description="How its pins move, instead of `project.update`.")
    versions: dict[VersionKey, FrameworkVersion] = Field(
        min_length=1, description="The versions, as image names show them; `n/a`: image names have no version."
    )


class Axes(Strict):
    """The axes of the matrix: each framework version gives an image for each base and device."""

    base: list[Name] = Field(min_length=1, description="Entries of `bases`.")
    device: list[Name] = Field(min_length=1, description="`cpu`, and entries of `cuda`.")


class Cell(Strict):
    """One image in addition to those of the axes."""

    framework: Name = Field(description="An entry of `frameworks`.")
    version: VersionKey = Field(description="One of its versions.")
    base: Name = Field(description="An entry of `bases`.")
    device: Name = Field(description="`cpu`, or an entry of `cuda`.")


class Exclusion(Strict):
    """Images of the axes that are left out: all that match every given key. At least one key is needed."""

    framework: str | None = Field(default=None, description="A name or a glob.")
    version: str | None = Field(default=None, description="A name or a glob.")
    base: str | None = Field(default=None, description="A name or a glob.")
    device: str | None = Field(default=None, description="A name or a glob.")
    because: Literal["impossible", "choice"] = Field(
        default="impossible",
        description="`impossible`: the images cannot be built; `nox -s lock` reports when they can. "
        "`choice`: they could be built, but are not wanted.",
    )
    reason: Reason = Field(description="Why they are left out.")


class Patch(Strict):
    """An edit of one file of an installed distribution, for bugs that upstream will not fix."""

    distribution: Distribution = Field(
        description="The distribution and its exact version: `pandas==0.25.1`. All images that have it are patched."
    )
    file: str = Field(description="The file, relative to site-packages: `pandas/core/dtypes/cast.py`.")
    find: str = Field(min_length=1, description="The text to replace. The file must contain it exactly once.")
    replace: str = Field(description="The text to put in its place.")
    reason: Reason = Field(description="Why it is needed. It is shown if the patch no longer fits.")


class Project(Strict):
    """Settings for all images."""

    namespace: Name = Field(description="The first part of every repository name: `azureml`.")
    vendor: str = Field(description="Who makes the images; a label of each image.")
    source: str | None = Field(default=None, description="The address (URL) of this repository; a label of each image.")
    registry: Registry | None = Field(
        default=None,
        description="The registry that users pull from; docs/images.md and the curated environments name it. "
        "The variable `REGISTRY` tells `nox -s publish` where to push.",
    )
    compression: dict[Registry, Compression] = Field(
        default_factory=dict,
        description="How the layers are compressed that a registry gets: host, or host and namespace, as in `REGISTRY` "
        "→ `gzip` or `zstd`. Others get `zstd`. Published images stay as they are "
        "([registries](registries.md#compression)).",
    )
    exclude_newer: Date = Field(
        description="Locks see the package index as of the start of this day (UTC). A later day gives newer packages."
    )
    update: UpdateDefaults = Field(
        default_factory=lambda: UpdateDefaults.model_validate({}), description="What `nox -s update` does."
    )
    uv: VersionText = Field(description="The version of uv, which installs the packages of every layer.")
    allow_yanked: list[Distribution] = Field(
        default_factory=list,
        description="Releases that were yanked from the index and are pinned all the same: `pandas==3.0.4`. "
        "`nox -s lock` refuses other yanked releases, and warns about these with the index's reason.",
    )
    layer_order: list[Name] = Field(
        default_factory=list,
        description="Large distributions whose layers come first, the most shared one first. "
        "The more layers images have in common from the bottom up, the less there is to pull and unpack.",
    )


class Server(Strict):
    """The scoring server and pip, which every image has in addition to its framework."""

    title: str = Field(description="The name that people read.")
    contract: list[RequirementText] = Field(min_length=1, description="Promises of every image.")
    guards: list[Guard] = Field(default_factory=list, description="Guards of every image.")
    update: Update | None = Field(default=None, description="How its pins move, instead of `project.update`.")


class Matrix(Strict):
    """The file `matrix.yaml` describes all images; it is the one file that maintainers edit."""

    project: Project = Field(description="Settings for all images.")
    server: Server = Field(description="The packages of every image.")
    axes: Axes = Field(description="The bases and devices of every framework version that does not name its own.")
    bases: dict[Name, Base] = Field(min_length=1, description="The bases, by name.")
    cuda: dict[CudaName, Cuda] = Field(default_factory=dict, description="The CUDA versions, by name.")
    wheel_sources: dict[Name, WheelSource] = Field(
        default_factory=dict, description="Further sources of wheels, by name."
    )
    frameworks: dict[Name, Framework] = Field(
        min_length=1, description="The frameworks, by the name that image names begin with."
    )
    patches: list[Patch] = Field(default_factory=list, description="Edits of installed distributions.")
    include: list[Cell] = Field(default_factory=list, description="Single images in addition to those of the axes.")
    exclude: list[Exclusion] = Field(default_factory=list, description="Images of the axes that are left out.")
    groups: dict[Name, list[str]] = Field(
        default_factory=dict,
        description="Groups for `--group`: name → image names or globs. Without a selection, `build`, `verify`, "
        "`publish` and `pipeline` use the group `default`.",
    )
