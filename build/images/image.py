"""An image before it is built: a variant, its lock, and the layers that its packages are grouped into.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from build.images import layers
from build.images.layers import Layer
from build.locks.lock import Lock
from build.matrix.model import Patch
from build.packages import wheel_sources
from build.variants.variant import Variant


@dataclass(frozen=True, kw_only=True)
class Image:
    """One variant with its lock, grouped into layers: all that its Dockerfile is rendered from."""

    variant: Variant
    lock: Lock
    layers: tuple[Layer, ...]

    @property
    def target(self) -> str:
        """The bake target: the image name, with ``_`` where bake allows no ``.``."""
        return bake_target(self.variant.name)

    @property
    def cuda_links(self) -> str | None:
        """The name of the stage that links CUDA's libraries for the loader; None where no wheel brings any."""
        return layers.links_name(self.layers)

    @property
    def wheel_sources(self) -> tuple[str, ...]:
        """The names of the extra wheel sources that its packages come from."""
        return tuple(sorted({name for layer in self.layers for name in layer.wheel_sources}))

    @property
    def patches(self) -> tuple[Patch, ...]:
        """The edits of its packages, in the order of its layers."""
        return tuple(patch for layer in self.layers for patch in layer.patches)

    @property
    def needs_compiler(self) -> bool:
        """True if one of its packages must be built from source."""
        return any(layer.source_only for layer in self.layers)


def bake_target(name: str) -> str:
    """The name of a bake target, for an image or ``base-<base>``: bake allows letters, digits, ``-`` and ``_``."""
    return name.replace(".", "_")


def make_image(
    variant: Variant,
    lock: Lock,
    server: Lock,
    *,
    layer_order: Sequence[str] = (),
    patches: Sequence[Patch] = (),
) -> Image:
    """Group a variant's lock into layers.

    Args:
        variant: The variant.
        lock: Its lock.
        server: The server's lock of the same base.
        layer_order: Distributions whose layers come first.
        patches: The matrix's edits of distributions.
    """
    sources = wheel_sources.locked(variant, lock.versions())
    return Image(
        variant=variant,
        lock=lock,
        layers=layers.group(
            lock,
            server,
            own=variant.own_contract,
            order=layer_order,
            wheel_sources=sources,
            patches=patches,
        ),
    )
