"""Download layers and read the packages in them, as streams: nothing is unpacked, and no file is written."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import sys
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from typing import IO, cast

from build.diff import layer_packages
from build.diff.compare import contents
from build.diff.facts import ImageFacts, Layer
from build.diff.layer_packages import LayerPackages
from build.diff.references import ImageReference
from build.diff.sources import Pieces, Source
from build.errors import RegistryError
from build.system import console

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_GZIP = b"\x1f\x8b"
#: RFC 8878; skippable frames, which some tools begin with, have the second one.
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"
#: How often a layer is begun, in case the connection fails in the middle of it.
_ATTEMPTS = 3
_PIECE = 1 << 20

#: An image and where it is read.
Place = tuple[ImageReference, ImageFacts]


def unread(before: ImageFacts, after: ImageFacts) -> tuple[bool, bool]:
    """Tell which of two images must be read to compare their packages: those whose documents do not list them."""
    if contents(before) == contents(after):
        return False, False
    return not before.packages.are_known, not after.packages.are_known


def read_packages(places: Sequence[Place], sources: Mapping[ImageReference, Source]) -> list[ImageFacts]:
    """Read the packages of images from their layers; a layer that several images have is downloaded once.

    Args:
        places: The images.
        sources: Where each one is.

    Returns:
        The images with their packages, in the same order.

    Raises:
        RegistryError: A registry is not there, refuses, or fails, or a layer cannot be read.
        PipelineError: A folder cannot be read.
    """
    wanted = {layer.digest: (layer, reference) for reference, facts in places for layer in facts.layers}
    total = sum(layer.size for layer, _ in wanted.values())
    names = console.some([str(reference) for reference, _ in places])
    console.step(f"downloading {console.count(len(wanted), 'layer')}, {console.size(total)}, of {names}")
    read: dict[str, LayerPackages] = {}
    for number, (digest, (layer, reference)) in enumerate(wanted.items(), start=1):
        console.info(f"layer {number} of {len(wanted)}: {console.size(layer.size)}")
        read[digest] = _read(sources[reference], reference, layer)
    return [
        dataclasses.replace(facts, packages=layer_packages.put_together([read[each.digest] for each in facts.layers]))
        for _, facts in places
    ]


def _read(remote: Source, image: ImageReference, layer: Layer) -> LayerPackages:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with remote.open_blob(image.repository, layer.digest) as stream:
                return _read_stream(remote, image, layer, stream)
        except RegistryError as failure:
            if not failure.is_unanswered or attempt == _ATTEMPTS:
                raise
            console.warn(f"{failure.what}; reading the layer again (attempt {attempt + 1} of {_ATTEMPTS})")
    raise AssertionError("unreachable")


def _read_stream(remote: Source, image: ImageReference, layer: Layer, stream: Pieces) -> LayerPackages:
    hashed = _Hashed(stream)
    buffer = io.BufferedReader(hashed, _PIECE)
    try:
        found: LayerPackages | str = layer_packages.read(_uncompressed(buffer))
    except (tarfile.TarError, zlib.error, zstd.ZstdError, EOFError, ValueError, gzip.BadGzipFile) as failure:
        found = str(failure)
    while buffer.read(_PIECE):  # the digest is that of all bytes
        pass
    if hashed.digest != layer.digest:
        raise remote.damaged(layer.digest, f"a layer of {image} has the digest {hashed.digest}")
    if isinstance(found, str):
        raise RegistryError(
            f"a layer of {image} is not a tar that can be read",
            where=f"{layer.digest} ({layer.media_type or 'without a media type'})",
            fix="compare without --layers",
            details=found,
        )
    return found


def _uncompressed(buffer: io.BufferedReader[_Hashed]) -> IO[bytes]:
    """By the first bytes: media types are not always right."""
    first = buffer.peek(4)[:4]
    if first.startswith(_GZIP):
        return cast(IO[bytes], gzip.GzipFile(fileobj=buffer))
    if first == _ZSTD or first[1:] == _ZSTD_SKIPPABLE:
        return cast(IO[bytes], zstd.ZstdFile(buffer))
    return cast(IO[bytes], buffer)


class _Hashed(io.RawIOBase):
    """The bytes of a layer, with their SHA-256."""

    def __init__(self, stream: Pieces) -> None:
        super().__init__()
        self._stream = stream
        self._hash = hashlib.sha256()

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        content = self._stream.read(len(view))
        self._hash.update(content)
        view[: len(content)] = content
        return len(content)
