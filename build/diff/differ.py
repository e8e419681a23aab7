"""Read what two references name, and compare it: the one place of this package that asks registries and folders."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from types import TracebackType

from build.diff.compare import ImageDifference, compare, fetched
from build.diff.facts import Blobs, ImageFacts
from build.diff.layers import read_packages, unread
from build.diff.read import read_blobs, read_image
from build.diff.references import ImageReference, ReleaseReference
from build.diff.release_difference import NOTHING, ChangedImage, ReleaseDifference, Totals
from build.diff.releases import FoundRelease, Pair, pair, read_former, read_release
from build.diff.sources import Source, open_source
from build.errors import UsageError
from build.publish.release import ReleasedImage
from build.registry.places import Location
from build.system.parallel import run_parallel

_Sides = tuple[ImageReference, ImageReference]
_Facts = tuple[ImageFacts, ImageFacts]


class Differ:
    """Compares images and releases of one or two registries or folders. A context manager.

    Args:
        layers: Read packages from layers, where no attached document lists them.
    """

    def __init__(self, *, layers: bool = False) -> None:
        self._layers = layers
        self._lock = threading.Lock()
        self._stack = contextlib.ExitStack()
        self._sources: dict[Location, Source] = {}

    def __enter__(self) -> Differ:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def images(self, before: ImageReference, after: ImageReference) -> ImageDifference:
        """Compare two images.

        Raises:
            UsageError: One of them does not exist, or is not an image.
            RegistryError: A registry is not there, refuses, or fails.
            PipelineError: A folder cannot be read.
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
            UsageError: One of them does not exist.
            RegistryError: A registry is not there, refuses, or fails; or a record cannot be read.
            PipelineError: A folder cannot be read.
        """
        newer = read_release(self._source(after.location), after)
        if before is None:
            older = read_former(self._source(after.location), after, newer.name)
        else:
            older = read_release(self._source(before.location), before)
        pairs = pair(older.release if older else None, newer.release)
        changed = self._changed(older, newer, pairs.changed) if older else ()
        is_same = not (pairs.added or pairs.removed or pairs.changed)
        return ReleaseDifference(
            before=(older.name, str(older.location)) if older else None,
            after=(newer.name, str(newer.location)),
            added=_names(pairs.added),
            removed=_names(pairs.removed),
            changed=changed,
            unchanged=_names(pairs.unchanged),
            totals=NOTHING if is_same else self._totals(older, newer, changed),
        )

    def _totals(self, older: FoundRelease | None, newer: FoundRelease, changed: Sequence[ChangedImage]) -> Totals:
        known = {
            facts.digest: facts.blobs
            for each in changed
            if each.difference
            for facts in (each.difference.before, each.difference.after)
        }

        def read(image: ImageReference) -> Blobs | None:
            try:
                return known.get(image.reference) or read_blobs(self._source(image.location), image)
            except UsageError:
                return None

        sides = [_images(found) if found else {} for found in (older, newer)]
        wanted = list(dict.fromkeys(image for side in sides for image in side.values()))
        blobs = dict(zip(wanted, run_parallel(read, wanted), strict=True))
        has, wants = [[found for image in side.values() if (found := blobs[image])] for side in sides]
        unread = dict.fromkeys(name for side in sides for name, image in side.items() if blobs[image] is None)
        return Totals(fetched=fetched(has, wants), fetched_back=fetched(wants, has), uncounted=tuple(unread))

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
        """Read both images; one that does not exist any more stops no other."""
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
        sources = {side: self._source(side.location) for side in places}
        with_packages = dict(zip(places, read_packages(list(places.items()), sources), strict=True)) if places else {}
        return [
            compare(with_packages.get(sides[0], facts[0]), with_packages.get(sides[1], facts[1]))
            for sides, facts in read
        ]

    def _read(self, reference: ImageReference) -> ImageFacts:
        return read_image(self._source(reference.location), reference)

    def _source(self, location: Location) -> Source:
        with self._lock:
            if location not in self._sources:
                self._sources[location] = open_source(location, self._stack)
            return self._sources[location]


def _images(found: FoundRelease) -> dict[str, ImageReference]:
    return dict(zip(_names(found.release.images), map(found.image, found.release.images), strict=True))


def _names(images: Sequence[ReleasedImage]) -> tuple[str, ...]:
    return tuple(f"{image.name} on {image.stand_in}" if image.stand_in else image.name for image in images)
