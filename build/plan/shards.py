"""Divide images into shards: jobs on machines of their own, which share nothing but a registry.  Pure.

The shards follow from the committed files alone. What the registry has changes while the first shards run, and a shard
that is run again later must be about the same images.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from build.errors import UsageError
from build.images.image import Image
from build.variants.variant import Variant

#: GitHub starts at most this many jobs from a job matrix (docs.github.com, "Actions limits").
MOST = 256
#: Gigabytes of disk space that GitHub promises for its runners (docs.github.com, "GitHub-hosted runners reference").
DISK = 14
#: Images of one shard, at most: each is tested for about a minute, whatever its size.
_IMAGES = 16
#: Bytes on the disk for each byte of a wheel: BuildKit's cache has it unpacked, and the image compressed and unpacked.
#: The GPU images of PyTorch (3 GB of wheels) need 20 GB while they are built.
_ON_DISK = 7
#: Bytes of a base, and of what builds on it.
_BASE = 2_000_000_000
_GB = 1_000_000_000
_ID = re.compile(r"([1-9][0-9]{0,4})/([1-9][0-9]{0,4})-([0-9a-f]{4})")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """An image as far as shards are concerned."""

    #: The image name.
    name: str
    #: The base that it is built on; images on two bases have no layers in common.
    base: str
    framework: str
    is_gpu: bool
    #: Layer → bytes of its wheels, compressed.
    layers: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Shard:
    """Some of the images."""

    #: Counted from 1, the shard with the most bytes first.
    number: int
    #: The number of all shards.
    count: int
    #: Four hexadecimal digits of a hash of all shards: of two divisions, both may have 12 shards.
    division: str
    #: Image names, sorted.
    images: tuple[str, ...]
    #: Bytes on the disk while they are built, estimated.
    bytes: int

    @property
    def id(self) -> str:
        """``3/12-1f2e``."""
        return f"{self.number}/{self.count}-{self.division}"


@dataclass(frozen=True, kw_only=True, order=True)
class _Part:
    """A shard that has no number yet; parts are compared by their bytes."""

    bytes: int
    images: tuple[str, ...]


def cells(images: Iterable[Image]) -> tuple[Cell, ...]:
    """Return what decides about the shards of images."""
    return tuple(_cell(image.variant, image) for image in images)


def _cell(variant: Variant, image: Image) -> Cell:
    return Cell(
        name=variant.name,
        base=variant.build_base_name,
        framework=variant.framework,
        is_gpu=variant.cuda is not None,
        layers={layer.text: sum(package.size or 0 for package in layer.packages) for layer in image.layers},
    )


def divide(images: Iterable[Cell], *, disk: int = DISK, most: int = MOST) -> tuple[Shard, ...]:
    """Divide images into shards; each image is in exactly one.

    A shard has images of one base, ordered by framework, so that they share as many layers as possible; as many as fit
    on the disk, and at most 16. A GPU image has a shard of its own. If that gives too many shards, the smallest are
    put together, even if they do not fit on the disk then.

    Args:
        images: The images, in any order.
        disk: Gigabytes that a shard may take.
        most: The number of shards, at most.
    """
    parts: list[_Part] = []
    together: list[Cell] = []
    for cell in sorted(images, key=lambda each: (each.base, each.framework, each.name)):
        if cell.is_gpu:
            parts.append(_part([cell]))
        elif together and (cell.base != together[0].base or not _fit([*together, cell], disk)):
            parts.append(_part(together))
            together = [cell]
        else:
            together = [*together, cell]
    if together:
        parts.append(_part(together))
    parts = sorted(_merged(parts, most), key=lambda part: (-part.bytes, part.images))
    division = hashlib.sha256(json.dumps([part.images for part in parts]).encode()).hexdigest()[:4]
    return tuple(
        Shard(number=number, count=len(parts), division=division, images=part.images, bytes=part.bytes)
        for number, part in enumerate(parts, start=1)
    )


def _fit(images: Sequence[Cell], disk: int) -> bool:
    return len(images) <= _IMAGES and _part(images).bytes <= disk * _GB


def _part(images: Sequence[Cell]) -> _Part:
    layers = {(cell.base, layer): size for cell in images for layer, size in cell.layers.items()}
    bases = {cell.base for cell in images}
    return _Part(
        bytes=_BASE * len(bases) + _ON_DISK * sum(layers.values()), images=tuple(sorted(cell.name for cell in images))
    )


def _merged(parts: Sequence[_Part], most: int) -> list[_Part]:
    """Put the smallest parts together until there are few enough."""
    heap = list(parts)
    heapq.heapify(heap)
    while len(heap) > most:
        one, two = heapq.heappop(heap), heapq.heappop(heap)
        heapq.heappush(heap, _Part(bytes=one.bytes + two.bytes, images=tuple(sorted((*one.images, *two.images)))))
    return heap


def with_work(shards: Iterable[Shard], names: Iterable[str]) -> tuple[Shard, ...]:
    """Return the shards that have one of these images."""
    wanted = set(names)
    return tuple(shard for shard in shards if wanted & set(shard.images))


def too_large(shards: Iterable[Shard], disk: int) -> tuple[Shard, ...]:
    """Return the shards that take more than the disk has."""
    return tuple(shard for shard in shards if shard.bytes > disk * _GB)


def find(shards: Sequence[Shard], text: str) -> Shard:
    """Return the shard that an argument names.

    Args:
        shards: All shards.
        text: ``3/12-1f2e``.

    Raises:
        UsageError: It is not of that form, or the images are divided in another way.
    """
    match = _ID.fullmatch(text)
    if match is None or int(match[1]) > int(match[2]):
        raise UsageError(f"'{text}' is not a shard", fix="name one as nox -s plan -- --github does: --shard 1/2-1f2e")
    found = next((shard for shard in shards if shard.id == text), None)
    if found is None:
        ids = f", as {shards[0].id}" if shards else ""
        raise UsageError(
            f"the selected images are not divided as '{text}' says, but into {len(shards)} shards{ids}",
            fix="use the same commit, selection and --disk as the plan that named the shard; on GitHub, start a new "
            "run if a variable has changed since",
        )
    return found
