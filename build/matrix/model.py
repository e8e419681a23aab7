"""The models of ``matrix.yaml``: everything that a maintainer may write, and nothing else.

``build.matrix.reader`` reads the file into these models and reports errors with their lines; ``build.variants`` expands
them.  ``matrix.schema.json`` and ``docs/matrix.md`` are generated from them, with their descriptions.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from build.matrix.frameworks import Framework, Guard
from build.matrix.sources import Base, Cuda, WheelSource
from build.matrix.strict import Strict
from build.matrix.upkeep import Update, UpdateDefaults
from build.matrix.values import (
    Compression,
    CudaName,
    Date,
    Distribution,
    Name,
    Reason,
    Registry,
    RequirementText,
    VersionKey,
    VersionText,
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
