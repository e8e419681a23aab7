"""Bases with CUDA in them: where it comes with Debian packages, or with another image, and not with wheels.

One for each base and CUDA, under all images with these pins, so that they share its layers.  Pure, but for the
archive's index, which is asked when locked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from build.matrix.model import Base, Cuda
from build.variants.variant import Variant

#: Where Debian's packages are; mmdebstrap's own default.
MIRROR = "http://deb.debian.org/debian"
#: The part of the archive that CUDA is in: its licence allows to redistribute, and no more.
COMPONENT = "non-free"


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
