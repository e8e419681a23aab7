"""The models of ``matrix.yaml``: what a maintainer may write, and nothing else.

``build.matrix.reader`` reads the file into these models and says where an error is; ``build.variants`` expands
them.  ``matrix.schema.json`` is generated from them (``nox -s generate``).
"""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Literal

from packaging.requirements import InvalidRequirement
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from build import requirements
from build.matrix.origins import (
    BaseOrigin,
    Bootstrapped,
    CudaImage,
    CudaOrigin,
    DebianPackages,
    DistributionPython,
    FromImage,
    PrefixPython,
    Wheels,
)

#: The version key of a framework that has none; it is left out of the image name.
NO_VERSION = "n/a"

_NAME = r"^[a-z0-9][a-z0-9.-]*$"
#: As PEP 440 has them, without an epoch and a local version: they are compared, and written into requirements.
_NUMBERS = r"[0-9]+(\.[0-9]+)*((a|b|rc)[0-9]+)?(\.post[0-9]+)?(\.dev[0-9]+)?"
_VERSION = rf"^{_NUMBERS}$"
_VERSION_KEY = rf"^({re.escape(NO_VERSION)}|{_NUMBERS})$"
_CUDA_NAME = r"^cuda[0-9]+\.[0-9]+(\.[0-9]+)?$"
_PYTHON = r"^3\.[0-9]+$"
_GLIBC = r"^2\.[0-9]+$"
_PATCH_VERSION = r"^3\.[0-9]+\.[0-9]+$"
_REFERENCE = r"^[^\s@]+(@sha256:[0-9a-f]{64})?$"
_DISTRIBUTION = rf"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?=={_NUMBERS}(\+[a-z0-9]+([._-][a-z0-9]+)*)?$"
#: https://www.debian.org/doc/debian-policy/ch-controlfields.html#source; apt takes an architecture and a version too.
_DEBIAN = r"^[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?(=[0-9A-Za-z.+:~-]+)?$"
_INDEX = r"^(https?|file)://\S+$"
_REGISTRY = r"^([A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:[0-9]{1,5})?|[A-Za-z0-9-]+:[0-9]{1,5})(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$"

#: What each pattern wants, in words: "write …".
PATTERNS = {
    _NAME: "lower-case letters, digits, '.' and '-', a letter or digit first",
    _VERSION: "a version: '1.9', '12.5.1'",
    _VERSION_KEY: f"a version: '1.9', '12.5.1'; or {NO_VERSION} for a framework that has none",
    _CUDA_NAME: "'cuda' and two or three numbers, as image names write it: cuda13.0, cuda13.0.3",
    _PYTHON: "Python's minor version: '3.11'",
    _GLIBC: "glibc's version: '2.36'",
    _PATCH_VERSION: "Python's full version: '3.12.1'",
    _REFERENCE: "a reference, with its digest where it is known: registry/name:tag@sha256:<64 hexadecimal digits>",
    _DISTRIBUTION: "a distribution and its exact version: 'pandas==0.25.1'",
    _DEBIAN: "one package of the distribution's archive: 'libgomp1', 'libssl3=3.0.15-1'",
    _INDEX: "a URL: https://…, http://… or file://…",
    _REGISTRY: "host[:port][/namespace], without a scheme: registry.example.com/acme",
}


def _requirement(text: str) -> str:
    """Accept what PEP 508 accepts, so that a pin fails here and not in the middle of a build."""
    try:
        requirements.parse(text)
    except InvalidRequirement as error:
        hint = ""
        if re.search(r"~=\s*[0-9.]+\.[x*]", text):
            hint = " (write '~=1.1.0' for 'the newest 1.1.z'; '~=1.1.x' is not a valid specifier)"
        # The further lines of packaging's message draw an arrow below the text.
        reason = str(error).splitlines()[0]
        raise ValueError(f"'{text}' is not a requirement as PEP 508 writes them{hint}: {reason}") from error
    return text


def _date(value: object) -> object:
    """Take a quoted date as well: editors that follow YAML 1.2 know no other, and the schema allows it."""
    if isinstance(value, str):
        try:
            return datetime.date.fromisoformat(value)
        except ValueError:
            raise ValueError(f"'{value}' is not a date; write it as 2026-11-19") from None
    return value


RequirementText = Annotated[str, AfterValidator(_requirement)]
Name = Annotated[str, Field(pattern=_NAME)]
#: A version as text: '1.10' and not 1.10, which YAML reads as the number 1.1.
VersionText = Annotated[str, Field(pattern=_VERSION)]
VersionKey = Annotated[str, Field(pattern=_VERSION_KEY)]
#: A CUDA as image names write it.
CudaName = Annotated[str, Field(pattern=_CUDA_NAME)]
Date = Annotated[datetime.date, BeforeValidator(_date)]
#: A package that apt installs; it becomes a word of a shell's command.
DebianName = Annotated[str, Field(pattern=_DEBIAN)]


def _kebab(name: str) -> str:
    return name.replace("_", "-")


class Strict(BaseModel):
    """Unknown keys are errors, values are not coerced, models do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, alias_generator=_kebab, validate_by_name=False)


class Lifecycle(Strict):
    """When something was released, is deprecated, and ends; all optional, ISO dates (UTC)."""

    released: Date | None = Field(default=None, description="First published on.")
    deprecated: Date | None = Field(default=None, description="Not recommended from this day on.")
    end_of_life: Date | None = Field(default=None, description="No longer built from this day on.")

    @model_validator(mode="after")
    def _ordered(self) -> Lifecycle:
        dates = [date for date in (self.released, self.deprecated, self.end_of_life) if date]
        if dates != sorted(dates):
            raise ValueError("the dates must be in order: released, deprecated, end-of-life")
        return self


class Guard(Strict):
    """A pin that the catalogue does not promise, but that makes an image work."""

    pin: RequirementText = Field(description="The requirement, for example 'protobuf<3.21'.")
    reason: str = Field(min_length=10, description="Why it is needed; shown to whoever wants to remove it.")


class Bootstrap(Strict):
    """A base made from Debian's signed archive with mmdebstrap."""

    suite: Name = Field(description="The Debian suite: bookworm, trixie.")
    packages: list[DebianName] = Field(
        default_factory=list, description="Debian packages beside the essential ones and apt."
    )


class Prefix(Strict):
    """A CPython built elsewhere (pyenv, python-build-standalone), for a Python that the suite does not have."""

    version: Annotated[str, Field(pattern=_PATCH_VERSION)] = Field(description="Its full version: '3.12.1'.")
    directory: str | None = Field(
        default=None, description="Where it lies, absolute or from the root; else it is looked for."
    )


class Base(Strict):
    """What images stand on: an operating system and its Python."""

    title: str = Field(description="For people: 'Debian 12'.")
    os: Name = Field(description="As image names write it: debian12.")
    python: Annotated[str, Field(pattern=_PYTHON)] = Field(description="Python's minor version: '3.11'.")
    glibc: Annotated[str, Field(pattern=_GLIBC)] = Field(
        description="The suite's glibc: wheels for manylinux up to it are taken ('2.36' for Debian 12)."
    )
    bootstrap: Bootstrap | None = Field(default=None, description="Make it from Debian's archive.")
    image: Annotated[str, Field(pattern=_REFERENCE)] | None = Field(
        default=None, description="Take this image: a reference; with its digest, or it cannot be built on."
    )
    packages: list[DebianName] = Field(
        default_factory=list, description="Packages that apt adds to an 'image' (its Python, libgomp1)."
    )
    prefix: Prefix | None = Field(default=None, description="Take this Python instead of the distribution's.")
    lifecycle: Lifecycle = Field(default_factory=Lifecycle)

    @model_validator(mode="after")
    def _one_origin(self) -> Base:
        if (self.bootstrap is None) == (self.image is None):
            raise ValueError("a base has either 'bootstrap' or 'image', exactly one of the two")
        return self

    @model_validator(mode="after")
    def _fitting(self) -> Base:
        if self.packages and self.bootstrap is not None:
            raise ValueError("'packages' is for an 'image'; those of a bootstrapped base stand under 'bootstrap'")
        if self.prefix is not None and not self.prefix.version.startswith(f"{self.python}."):
            raise ValueError(f"the prefix is Python {self.prefix.version}, the base says {self.python}")
        return self

    @property
    def origin(self) -> BaseOrigin:
        """What it is made from, as a type of its own."""
        python: DistributionPython | PrefixPython = DistributionPython(minor=self.python)
        if self.prefix is not None:
            python = PrefixPython(version=self.prefix.version, directory=self.prefix.directory)
        if self.image is not None:
            return FromImage(reference=self.image, packages=tuple(self.packages), python=python)
        assert self.bootstrap is not None, "the model has exactly one of the two"
        return Bootstrapped(suite=self.bootstrap.suite, packages=tuple(self.bootstrap.packages), python=python)


class Cuda(Strict):
    """CUDA and cuDNN, pinned to the patch, and what brings them: wheels, Debian packages, or a base image."""

    version: VersionText = Field(description="The CUDA toolkit's version: '13.0.3'.")
    cudnn: VersionText | None = Field(default=None, description="The cuDNN version, where there is one: '9.12.0.46'.")
    packages: list[RequirementText] = Field(
        default_factory=list, description="The pinned wheels that carry the libraries."
    )
    debian: list[DebianName] = Field(
        default_factory=list, description="The Debian packages (non-free) that carry them; 'packages' brings the rest."
    )
    images: dict[Name, Annotated[str, Field(pattern=_REFERENCE)]] = Field(
        default_factory=dict, description="Base name → an image that has them, taken instead of the base's own."
    )
    lifecycle: Lifecycle = Field(default_factory=Lifecycle)

    @model_validator(mode="after")
    def _some_origin(self) -> Cuda:
        if not (self.packages or self.debian or self.images):
            raise ValueError("a CUDA comes from 'packages' (wheels), 'debian' packages or 'images': give one of them")
        return self

    def origin_on(self, base_name: str) -> CudaOrigin:
        """What brings it to the images on a base; an image for the base goes before Debian packages."""
        if base_name in self.images:
            return CudaImage(reference=self.images[base_name])
        return DebianPackages(packages=tuple(self.debian)) if self.debian else Wheels()


class WheelSource(Strict):
    """Where wheels come from that the default index does not have."""

    index: Annotated[str, Field(pattern=_INDEX)] | None = Field(default=None, description="A simple index (PEP 503).")
    directory: str | None = Field(default=None, description="A directory of wheels, absolute or from the root.")
    packages: list[Name] = Field(min_length=1, description="The distributions that are taken from it.")
    where_not_reached: Literal["default-index"] | None = Field(
        default=None,
        description="'default-index': lock rows that need it from the default index where it is not reached.",
    )

    @model_validator(mode="after")
    def _some_origin(self) -> WheelSource:
        if self.index is None and self.directory is None:
            raise ValueError("a wheel source has an 'index', a 'directory', or both")
        return self


class CpuPins(Strict):
    """What holds for the CPU images of a framework version alone."""

    contract: list[RequirementText] = Field(default_factory=list, description="Promised beside the version's.")
    guards: list[Guard] = Field(default_factory=list, description="Guards beside the version's.")
    wheel_source: Name | None = Field(default=None, description="An extra wheel source, instead of the framework's.")


class GpuPins(CpuPins):
    """What holds for the GPU images of a framework version alone."""

    cuda_packages: list[RequirementText] | None = Field(
        default=None, min_length=1, description="Wheels that carry the CUDA libraries, instead of those of the CUDA."
    )


class FrameworkVersion(Strict):
    """One version of a framework: its promises, its guards, where it exists."""

    contract: list[RequirementText] = Field(
        default_factory=list, description="What the catalogue promises; the tests assert each."
    )
    guards: list[Guard] = Field(default_factory=list, description="What makes it work, each with its reason.")
    bases: list[Name] | None = Field(
        default=None, min_length=1, description="Only on these bases, instead of the axis."
    )
    devices: list[Name] | None = Field(default=None, min_length=1, description="Only for these, instead of the axis.")
    cpu: CpuPins = Field(default_factory=CpuPins, description="For CPU images alone.")
    gpu: GpuPins = Field(default_factory=GpuPins, description="For images with CUDA alone.")
    lifecycle: Lifecycle = Field(default_factory=Lifecycle)


class Framework(Strict):
    """A framework and its versions."""

    title: str = Field(description="For people: 'scikit-learn'.")
    contract: list[RequirementText] = Field(default_factory=list, description="Promised by every version.")
    guards: list[Guard] = Field(default_factory=list, description="Guards of every version.")
    wheel_source: Name | None = Field(default=None, description="An extra wheel source, by its name.")
    versions: dict[VersionKey, FrameworkVersion] = Field(min_length=1)


class Axes(Strict):
    """The axes whose product, with each framework version, gives the variants."""

    base: list[Name] = Field(min_length=1, description="Names from 'bases'.")
    device: list[Name] = Field(min_length=1, description="'cpu', or names from 'cuda'.")


class Cell(Strict):
    """One variant outside the product of the axes."""

    framework: Name
    version: VersionKey
    base: Name
    device: Name


class Exclusion(Strict):
    """Cells of the product that are left out; a key that is missing matches everything."""

    framework: str | None = Field(default=None, description="A glob.")
    version: str | None = Field(default=None, description="A glob.")
    base: str | None = Field(default=None, description="A glob.")
    device: str | None = Field(default=None, description="A glob.")
    because: Literal["impossible", "choice"] = Field(
        default="impossible",
        description="'choice': they could exist and shall not. 'impossible' (where nothing is said): they cannot, "
        "and `nox -s lock` says when they can.",
    )
    reason: str = Field(min_length=10, description="Why these cells cannot or shall not exist.")


class Patch(Strict):
    """An edit of one file of an installed distribution, for what its makers will not release again."""

    distribution: Annotated[str, Field(pattern=_DISTRIBUTION)] = Field(
        description="Wherever exactly this is installed: 'pandas==0.25.1'."
    )
    file: str = Field(description="From site-packages: 'pandas/core/dtypes/cast.py'.")
    find: str = Field(min_length=1, description="What stands there exactly once.")
    replace: str = Field(description="What shall stand there.")
    reason: str = Field(min_length=10, description="Why it is needed; shown where it does not fit any more.")


class Project(Strict):
    """What all images share."""

    namespace: Name = Field(description="The first part of each repository: 'azureml'.")
    vendor: str = Field(description="Who makes the images.")
    source: str | None = Field(default=None, description="Where this repository is published (a URL).")
    registry: Annotated[str, Field(pattern=_REGISTRY)] | None = Field(
        default=None,
        description="Where users find the images, host[:port][/namespace]: the curated environments name them there. "
        "(Where they are published to is said by the variable REGISTRY.)",
    )
    exclude_newer: Date = Field(
        description="Locks see the index as it was at the start of this day (UTC): the same lock tomorrow."
    )
    uv: VersionText = Field(description="The uv that installs packages into layers.")
    layer_order: list[Name] = Field(
        default_factory=list,
        description="Heavy distributions whose layers come first, the most shared first: "
        "the longer the run of layers that images have in common, the less an engine unpacks.",
    )


class Server(Strict):
    """What every image carries beside its framework: the scoring server and pip."""

    title: str
    contract: list[RequirementText] = Field(min_length=1)
    guards: list[Guard] = Field(default_factory=list)


class Matrix(Strict):
    """``matrix.yaml``: the one file that maintainers edit."""

    project: Project
    server: Server
    axes: Axes
    bases: dict[Name, Base] = Field(min_length=1)
    cuda: dict[CudaName, Cuda] = Field(default_factory=dict)
    wheel_sources: dict[Name, WheelSource] = Field(default_factory=dict)
    frameworks: dict[Name, Framework] = Field(min_length=1)
    patches: list[Patch] = Field(default_factory=list, description="Edits of installed distributions.")
    include: list[Cell] = Field(default_factory=list)
    exclude: list[Exclusion] = Field(default_factory=list)
    groups: dict[Name, list[str]] = Field(
        default_factory=dict, description="Names for sets of images: lists of globs on image names."
    )
