"""The models of the frameworks of ``matrix.yaml``: what their images promise, and what they need to work."""

from __future__ import annotations

from pydantic import Field

from build.matrix.strict import Strict
from build.matrix.upkeep import Lifecycle, Update
from build.matrix.values import (
    Architecture,
    Name,
    Reason,
    RequirementText,
    VersionKey,
)


class Guard(Strict):
    """A pin that an image needs to work, but that the catalogue does not promise."""

    pin: RequirementText = Field(description="The requirement: `protobuf<3.21`.")
    reason: Reason = Field(description="Why the image needs it, for whoever wants to remove it.")


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
