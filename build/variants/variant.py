"""One image of the matrix: its names, its base, its device and what it promises.  Pure."""

from __future__ import annotations

from dataclasses import dataclass

from build.matrix.frameworks import Guard
from build.matrix.sources import Base, Cuda, WheelSource
from build.matrix.upkeep import Lifecycle
from build.matrix.values import NO_VERSION

#: The device of images without a GPU.
CPU = "cpu"
#: The name of all other devices in selections and in image names.
GPU = "gpu"


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One image: a framework version on a base, for a device."""

    #: The image name: ``sklearn-1.9-debian12-py311-cpu-inference``.
    name: str
    #: The repository without the registry: ``azureml/sklearn-1.9-…``.
    repository: str
    framework: str
    framework_title: str
    #: The framework's version key, or None for images without a framework.
    version: str | None
    #: ``cpu``, or the name of an entry of the matrix's ``cuda``.
    device: str
    cuda: Cuda | None
    base_name: str
    base: Base
    #: The base that it is built on: its own, or the one that stands in for it.
    build_base: Base
    #: The base image in its ``FROM`` line: the base, or ``<base>-<cuda>`` if CUDA comes as Debian packages or an image.
    base_image_name: str
    #: The promised requirements: the server's, the framework's, the version's, in this order.
    contract: tuple[str, ...]
    guards: tuple[Guard, ...]
    #: Extra wheel sources by name.
    wheel_sources: tuple[tuple[str, WheelSource], ...]
    lifecycle: Lifecycle
    #: The part of the contract that every image of the base has: the server's.
    server_contract: tuple[str, ...] = ()
    #: The part of the contract that the version adds, its framework first; empty without a framework.
    own_contract: tuple[str, ...] = ()
    #: The GPUs for which the framework promises code: ``sm_80`` (machine code), ``compute_90`` (PTX).
    reach: tuple[str, ...] = ()
    #: The base that it is built on instead of its own (``--base ubuntu18.04=debian12-py37``).
    stand_in: str | None = None
    #: Distributions that patches remove from the metadata of pinned ones; they are neither resolved nor installed.
    left_out: tuple[str, ...] = ()

    @property
    def build_base_name(self) -> str:
        """The name of the base that it is built on: its own, or the stand-in."""
        return self.stand_in or self.base_name

    @property
    def cuda_absent(self) -> str | None:
        """Why a GPU image lacks CUDA, or None if it does not: a stand-in base has none."""
        if self.cuda is None or self.stand_in is None:
            return None
        if not self.cuda.origin_on(self.base_name).own_base_image:
            return None  # CUDA comes in wheels
        return f"CUDA comes with the base of {self.base_name}; {self.stand_in} stands in for it and has none"

    @property
    def requirements(self) -> tuple[str, ...]:
        """The requirements to resolve: promises, guards and, for a GPU, the CUDA packages."""
        cuda = tuple(self.cuda.packages) if self.cuda else ()
        return (*self.contract, *(guard.pin for guard in self.guards), *cuda)


def image_name(framework: str, version: str, os: str, python: str, device: str) -> str:
    """Return the name of an image.

    Args:
        framework: The framework's name in the matrix.
        version: The version key; ``NO_VERSION`` is left out.
        os: The base's ``os``: ``debian12``.
        python: The minor version: ``3.11``.
        device: ``cpu``, or the name of a CUDA version: ``cuda12.5``.
    """
    parts = [framework, *([] if version == NO_VERSION else [version]), os, "py" + python.replace(".", "")]
    parts += [CPU] if device == CPU else [device, GPU]
    return "-".join([*parts, "inference"])
