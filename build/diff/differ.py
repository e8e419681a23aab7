"""Read what two references name, and compare it: the one place of this package that asks registries."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from types import TracebackType

from build.diff.compare import ImageDifference, compare
from build.diff.facts import ImageFacts
from build.diff.layers import read_packages, unread
from build.diff.read import read_image
from build.diff.references import ImageReference, ReleaseReference
from build.diff.release_difference import ChangedImage, ReleaseDifference
from build.diff.releases import FoundRelease, Pair, pair, read_former, read_release
from build.errors import UsageError
from build.publish.release import ReleasedImage
from build.registry.address import Registry
from build.registry.client import Client
from build.system.parallel import run_parallel

_Sides = tuple[ImageReference, ImageReference]
_Facts = tuple[ImageFacts, ImageFacts]


class Differ:
    """Compares images and releases of one registry or of two. A context manager.

    Args:
        layers: Read packages from layers, where no attached document lists them.
    """

    def __init__(self, *, layers: bool = False) -> None:
        self._layers = layers
        self._lock = threading.Lock()
        self._stack = contextlib.ExitStack()
        self._clients: dict[Registry, Client] = {}

    def __enter__(self) -> Differ:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def images(self, before: ImageReference, after: ImageReference) -> ImageDifference:
        """Compare two images.

        Raises:
            UsageError: One of them is not in its registry, or is not an image.
            RegistryError: A registry is not there, refuses, or fails.
        """
        sides = before, after
        facts = self._read(before), self._read(after)
        (compared,) = self._compare([(sides, facts)])
        return compared

    def releases(self, before: ReleaseReference | None, after: ReleaseReference) -> ReleaseDifference:
        """Compare two releases, image by image.

        Args:
            before: The one release; None is the one before the other.
            after: The other one.

        Raises:
            UsageError: One of them is not in its registry.
            RegistryError: A registry is not there, refuses, or fails; or a record cannot be read.
        """
        newer = read_release(self._client(after.registry), after)
        if before is None:
            older = read_former(self._client(after.registry), after, newer.name)
        else:
            older = read_release(self._client(before.registry), before)
        pairs = pair(older.release if older else None, newer.release)
        return ReleaseDifference(
            before=(older.name, str(older.registry)) if older else None,
            after=(newer.name, str(newer.registry)),
            added=_names(pairs.added),
            removed=_names(pairs.removed),
            changed=self._changed(older, newer, pairs.changed) if older else (),
            unchanged=_names(pairs.unchanged),
        )

    def _changed(self, older: FoundRelease, newer: FoundRelease, pairs: Sequence[Pair]) -> tuple[ChangedImage, ...]:
        sides = [(older.image(each.before), newer.image(each.after)) for each in pairs]
        facts = run_parallel(self._read_sides, sides)
        read = [(side, found) for side, found in zip(sides, facts, strict=True) if not isinstance(found, UsageError)]
        compared = iter(self._compare(read))
        return tuple(
            ChangedImage(name=name, difference=None, problem=found.what)
            if isinstance(found, UsageError)
            else ChangedImage(name=name, difference=next(compared))
            for name, found in zip(_names([each.after for each in pairs]), facts, strict=True)
        )

    def _read_sides(self, sides: _Sides) -> _Facts | UsageError:
        """Read both images; one that was removed from the registry stops no other."""
        try:
            return self._read(sides[0]), self._read(sides[1])
        except UsageError as failure:
            return failure

    def _compare(self, read: Sequence[tuple[_Sides, _Facts]]) -> list[ImageDifference]:
        places = {
            side: facts
            for sides, pair_facts in read
            for side, facts, is_unread in zip(sides, pair_facts, unread(*pair_facts), strict=True)
            if self._layers and is_unread
        }
        clients = {side: self._client(side.registry) for side in places}
        with_packages = dict(zip(places, read_packages(list(places.items()), clients), strict=True)) if places else {}
        return [
            compare(with_packages.get(sides[0], facts[0]), with_packages.get(sides[1], facts[1]))
            for sides, facts in read
        ]

    def _read(self, reference: ImageReference) -> ImageFacts:
        return read_image(self._client(reference.registry), reference)

    def _client(self, registry: Registry) -> Client:
        with self._lock:
            if registry not in self._clients:
                self._clients[registry] = self._stack.enter_context(Client(registry))
            return self._clients[registry]


def _names(images: Sequence[ReleasedImage]) -> tuple[str, ...]:
    return tuple(f"{image.name} on {image.stand_in}" if image.stand_in else image.name for image in images)
