"""Base images with CUDA: CUDA from Debian packages, or from an image that has it, and not from wheels.

There is one for each base and CUDA; all images with these pins are on it, and share its layers.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from build.matrix.origins import Bootstrapped, CudaImage, DebianPackages, FromImage, Wheels
from build.matrix.sources import Base, Cuda
from build.variants.variant import Variant

#: The component of Debian's archive that has CUDA: its licence allows redistribution, but not modification.
COMPONENT = "non-free"


@dataclass(frozen=True, kw_only=True)
class CudaBaseImage:
    """The base image of a base with CUDA in it."""

    #: ``debian12-py311-cuda11.8.0``.
    name: str
    base_name: str
    base: Base
    #: The name of the CUDA in the matrix: ``cuda11.8.0``.
    device: str
    cuda: Cuda
    #: The origin of its CUDA libraries.
    origin: DebianPackages | CudaImage

    @property
    def image_origin(self) -> FromImage:
        """Its origin if an image brings CUDA: that image, with the packages that the base would have.

        A bootstrapped base has them (Python, libgomp1) in its root file system; here apt adds them.
        """
        assert isinstance(self.origin, CudaImage)
        below = self.base.origin
        return FromImage(reference=self.origin.reference, packages=below.packages, python=below.python)

    @property
    def suite(self) -> str:
        """The Debian suite of its packages, if these bring CUDA."""
        assert isinstance(self.base.origin, Bootstrapped)
        return self.base.origin.suite

    @property
    def component(self) -> str:
        """The component of Debian's archive that has its packages; the base's own apt sources name the mirror."""
        return COMPONENT


def of(variants: Iterable[Variant]) -> dict[str, CudaBaseImage]:
    """The base images with CUDA that these variants are on, by name.

    Args:
        variants: As the matrix gives them, each on its own base.
    """
    found: dict[str, CudaBaseImage] = {}
    for variant in variants:
        if variant.cuda is None or variant.stand_in is not None:
            continue
        origin = variant.cuda.origin_on(variant.base_name)
        if not isinstance(origin, Wheels):
            found[variant.base_image_name] = CudaBaseImage(
                name=variant.base_image_name,
                base_name=variant.base_name,
                base=variant.base,
                device=variant.device,
                cuda=variant.cuda,
                origin=origin,
            )
    return dict(sorted(found.items()))
