"""Which new versions of frameworks the index has.  Pure."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from packaging.version import Version

from build.matrix.model import Matrix
from build.packages import compatibility
from build.packages.distribution import Distribution
from build.packages.target import Target
from build.scaffold.model import ModelImages, find_models, main_pin
from build.update.additions import Addition
from build.update.decide import Held, usable_releases
from build.update.lookup import Files
from build.update.pins import Pin
from build.variants.variant import Variant

#: ISO date: as of this day, every file of an index is old enough.
_END_OF_TIME = "9999-12-31"


@dataclass(frozen=True, kw_only=True)
class Proposals:
    """The new versions that could be added, and those that are put off."""

    additions: tuple[Addition, ...] = ()
    #: New versions of which some images would have to wait for the cool-down.
    put_off: tuple[Held, ...] = ()


def propose(matrix: Matrix, variants: Sequence[Variant], pins: Sequence[Pin], files: Files, day: str) -> Proposals:
    """Return the newest version of each framework that is newer than those of the matrix; each has some images.

    A framework with versions for CPUs and others for GPUs may get one of each (`find_models`). If both could have the
    same version, the newer line gets it, and the other is reported: one entry cannot be made after two.

    A framework whose rule is ``held``, and one whose newest version has ended, gets none.  A version is put off while
    more of its images could be had after the cool-down: an entry that the matrix has is not extended later.

    Args:
        matrix: The matrix.
        variants: All its images.
        pins: All its exact pins.
        files: The files that exist.
        day: ISO date: the index is seen as of the start of this day.
    """
    found: list[Addition] = []
    put_off: list[Held] = []
    for name in matrix.frameworks:
        keys = frozenset(matrix.frameworks[name].versions)
        lines = [
            _Candidates(of=of, keys=keys, pins=_main_pins(pins, of.images), files=files, day=day)
            for of in find_models(matrix, variants, name)
        ]
        own: list[Addition] = []
        claimed: dict[str, Addition] = {}
        for candidates in lines:
            if candidates.version is None:
                continue
            addition = _addition(variants, name, candidates, candidates.version)
            if addition.key in claimed:
                put_off.append(_claimed(addition, claimed[addition.key]))
                continue
            claimed[addition.key] = addition  # also if it waits: an entry of the other line would take its place
            if candidates.waiting:
                put_off.append(_put_off(addition, candidates))
            else:
                own.append(addition)
        found += own
        put_off += [
            _behind(addition, candidates)
            for addition in own
            for candidates in lines
            if candidates.is_behind(addition.version)
        ]
    return Proposals(additions=tuple(found), put_off=tuple(put_off))


@dataclass(frozen=True, kw_only=True)
class _Candidates:
    """The releases that a new version could be made of."""

    of: ModelImages
    #: The keys of the framework's versions, also of those without an image.
    keys: frozenset[str]
    #: Image name → its main pin; images without one are left out.
    pins: Mapping[str, Pin]
    files: Files
    day: str

    @functools.cached_property
    def version(self) -> Version | None:
        """The release: of the newest minor version, the one that the most images can have, and the newest of these.

        Distributions of one framework (``onnxruntime``, ``onnxruntime-gpu``) may differ in the patch number.
        """
        every = {version for of_image in self.usable.values() for version in of_image}
        if not every:
            return None
        minor = max(map(_minor, every))
        return max((each for each in every if _minor(each) == minor), key=lambda each: (self._count(each), each))

    @functools.cached_property
    def usable(self) -> Mapping[str, frozenset[Version]]:
        """Image name → the releases that it can have."""
        return self._usable(self.day)

    @functools.cached_property
    def waiting(self) -> tuple[Variant, ...]:
        """The images that another release of the minor version, or the same one, will have after the cool-down.

        Empty if the version would not have more images then.
        """
        assert self.version is not None, "there is a version to wait for"
        have = {name for name, versions in self.usable.items() if self.version in versions}
        later = self._usable(_END_OF_TIME)
        of_minor = {each for of_image in later.values() for each in of_image if _minor(each) == _minor(self.version)}
        best = max(
            ({name for name, versions in later.items() if version in versions} for version in of_minor),
            key=len,
            default=set[str](),
        )
        if len(best) <= len(have):
            return ()
        return tuple(image for image in self.of.images if image.name in best - have)

    def is_behind(self, version: Version) -> bool:
        """Tell whether the images could not have a version, and it is newer than any that they could."""
        newest = self.version or Version(self.of.model.key)
        return _minor(newest) < _minor(version) and bool(self.pins)

    def distribution(self, image: str) -> Distribution:
        """Return the files that exist for an image that has a pin."""
        return self.files[self.pins[image].keys][image]

    def _usable(self, day: str) -> dict[str, frozenset[Version]]:
        key = Version(self.of.model.key).release
        found = {}
        for image in self.of.images:
            pin = self.pins.get(image.name)
            if pin is not None and pin.rule.rule != "held":
                releases = usable_releases(pin, image, self.distribution(image.name), day)
                public = (Version(version.public) for version in releases)
                found[image.name] = frozenset(
                    each
                    for each in public
                    if each.release[: len(key)] > key and f"{each.major}.{each.minor}" not in self.keys
                )
        return found

    def _count(self, version: Version) -> int:
        return sum(version in versions for versions in self.usable.values())


def _minor(version: Version) -> tuple[int, int, int]:
    return version.epoch, version.major, version.minor


def _addition(variants: Sequence[Variant], name: str, candidates: _Candidates, version: Version) -> Addition:
    """Return a version of a framework without the images that cannot have it."""
    of = candidates.of
    addition = Addition(
        framework=name,
        of=of,
        version=version,
        day=_day(map(candidates.distribution, candidates.pins), version),
        missing={},
        older=tuple(
            each
            for each in variants
            if each.framework == name and each.version is not None and Version(each.version) < version
        ),
    )
    return addition.without(
        {
            addition.name(image): _why_not(image, candidates, version)
            for image in of.images
            if version not in candidates.usable.get(image.name, ())
        }
    )


def _put_off(addition: Addition, candidates: _Candidates) -> Held:
    images = candidates.waiting
    reasons = dict.fromkeys(_why_not(image, candidates, addition.version) for image in images)
    return Held(
        name=addition.framework,
        version=addition.of.model.key,
        newer=str(addition.version),
        images=tuple(image.name for image in images),
        reason=f"{'; '.join(reasons)}; {addition.key} is added once releases for these images are old enough",
    )


def _claimed(addition: Addition, first: Addition) -> Held:
    """A version that another line of the framework gets."""
    place = f'frameworks.{addition.framework}.versions."{addition.key}"'
    return Held(
        name=addition.framework,
        version=addition.of.model.key,
        newer=str(addition.version),
        images=tuple(image.name for image in addition.of.images),
        reason=f"{addition.key} is made after {first.of.model.key}, which has no such images; once it is in the "
        f"matrix, add their devices and contract to {place} by hand",
    )


def _behind(addition: Addition, candidates: _Candidates) -> Held:
    """A version of which the images of another line of the framework cannot have a release."""
    of = candidates.of
    images = [image for image in of.images if image.name in candidates.pins]
    reasons = dict.fromkeys(_why_not(image, candidates, addition.version) for image in images)
    return Held(
        name=addition.framework,
        version=str(candidates.version or of.model.key),
        newer=str(addition.version),
        images=tuple(image.name for image in images),
        reason="; ".join(reasons),
    )


def _main_pins(pins: Sequence[Pin], images: Iterable[Variant]) -> dict[str, Pin]:
    return {image.name: pin for image in images if (pin := _main(pins, image)) is not None}


def _main(pins: Sequence[Pin], image: Variant) -> Pin | None:
    """Return the pin that an image's own contract begins with; None if its image has ended, or it has no exact pin."""
    main = main_pin(image)
    if main is None:
        return None
    of_image = [pin for pin in pins if pin.name == main[0] and pin.keys[0] != "server" and image in pin.variants]
    return next((pin for pin in of_image if image.name not in pin.ended), None)


def _why_not(image: Variant, candidates: _Candidates, version: Version) -> str:
    pin = candidates.pins.get(image.name)
    if pin is None:
        return f"{image.name}, which it would be made after, has ended"
    if pin.rule.rule == "held":
        return f"the rule of {image.name}, which it would be made after, is 'held'"
    local = f"+{pin.version.local}" if pin.version.local else ""
    requirement = f"{pin.name}=={version}{local}"
    target = Target(python=image.base.python, glibc=image.base.glibc, exclude_newer=candidates.day)
    distribution = candidates.distribution(image.name)
    finding = compatibility.yanked(requirement, distribution, target)
    finding = finding or compatibility.explain(requirement, distribution, target)
    return finding.says if finding is not None else f"{requirement} cannot be installed there"


def _day(distributions: Iterable[Distribution], version: Version) -> datetime.date | None:
    times = [
        file.uploaded
        for distribution in distributions
        for file in distribution.files
        if file.uploaded is not None and file.version.public == version.public
    ]
    return min(times).astimezone(datetime.UTC).date() if times else None
