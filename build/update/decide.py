"""Decide which release each pin moves to.  Pure: the files of the indexes in, decisions with reasons out."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from packaging.utils import canonicalize_name
from packaging.version import Version

from build.packages import compatibility
from build.packages.distribution import Distribution
from build.packages.target import Target
from build.requirements import parse
from build.update.pins import Pin
from build.variants.variant import CPU, Variant


@dataclass(frozen=True, kw_only=True)
class Held:
    """A newer release that a pin does not move to."""

    #: The distribution.
    name: str
    #: The version that it keeps or gets.
    version: str
    #: The newer one; empty if it is not known whether there is one.
    newer: str
    #: The images that it is held back for.
    images: tuple[str, ...]
    reason: str


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What a pin becomes."""

    pin: Pin
    #: Python → version, for all Pythons of the pin's images.
    versions: Mapping[str, Version]
    held: tuple[Held, ...] = ()

    @property
    def moves(self) -> bool:
        """Tell whether the pin changes for any image."""
        return any(version != self.pin.version for version in self.versions.values())

    @property
    def moved_images(self) -> frozenset[str]:
        """The images that it changes for."""
        return frozenset(
            variant.name for variant in self.pin.variants if self.versions[variant.base.python] != self.pin.version
        )

    @property
    def texts(self) -> tuple[str, ...]:
        """The requirements to write in its place: one, or one for each range of Pythons, with markers."""
        pythons = self.pin.pythons
        #: The first Python of each range with one version.
        firsts = [
            python
            for before, python in zip((None, *pythons), pythons, strict=False)
            if before is None or self.versions[before] != self.versions[python]
        ]
        texts = []
        for python, following in zip(firsts, (*firsts[1:], None), strict=True):
            conditions = [f"python_version >= '{python}'"] if python != firsts[0] else []
            conditions += [f"python_version < '{following}'"] if following else []
            texts.append(_text(self.pin.text, self.versions[python], conditions))
        return tuple(reversed(texts))


def _text(text: str, version: Version, conditions: Sequence[str]) -> str:
    """Return a requirement with another version, and with conditions in addition to its marker."""
    (specifier,) = parse(text).specifier
    head, equals, rest = text.partition("==")
    new = head + equals + rest.replace(specifier.version, str(version), 1)
    if not conditions:
        return new
    requirement, _, marker = new.partition(";")
    marker = marker.strip()
    before = [f"({marker})" if " or " in marker else marker] if marker else []
    return f"{requirement.strip()}; {' and '.join([*before, *conditions])}"


def decide(pin: Pin, files: Mapping[str, Distribution], day: str, refused: Mapping[str, str] | None = None) -> Decision:
    """Decide which release a pin moves to: the newest that its rule allows and that its images can install.

    A release counts if it is final, was not yanked, was uploaded before the day, and has a wheel for the image. Images
    with the same Python move together; for a Python without a wheel, and for one whose images have all ended, the pin
    stays, and moves for the others.

    Args:
        pin: The pin.
        files: Image name → the files that exist where the image takes the distribution from.
        day: ISO date: the index is seen as of the start of this day.
        refused: Image name → why no lock could be made with a newer release.
    """
    parts = [
        _Part(
            pin=pin,
            variants=(variants := tuple(each for each in pin.variants if each.base.python == python)),
            files=files,
            day=day,
            refused=_refusal(pin, variants, refused or {}),
        )
        for python in pin.pythons
    ]
    held: dict[tuple[str, str, str], list[str]] = {}
    for part in parts:
        for newer, reason, names in part.held():
            held.setdefault((str(part.version), str(newer or ""), reason), []).extend(names)
    return Decision(
        pin=pin,
        versions={python: part.version for python, part in zip(pin.pythons, parts, strict=True)},
        held=tuple(
            Held(name=pin.name, version=version, newer=newer, images=tuple(sorted(names)), reason=reason)
            for (version, newer, reason), names in held.items()
        ),
    )


def usable_releases(pin: Pin, variant: Variant, distribution: Distribution, day: str) -> frozenset[Version]:
    """Return the releases newer than a pin that an image can install.

    Args:
        pin: The pin.
        variant: One of its images.
        distribution: The files that exist where the image takes them from.
        day: ISO date: the index is seen as of the start of this day.
    """
    target = Target(python=variant.base.python, glibc=variant.base.glibc, exclude_newer=day)
    newer = _newer(pin, distribution)
    return frozenset(
        file.version
        for file in distribution.files
        if file.version in newer
        and file.yanked is None
        and file.is_old_enough(target)
        and file.fits(target.python, target.glibc)
    )


def _newer(pin: Pin, distribution: Distribution) -> set[Version]:
    """Return the newer final releases; a CPU build (``+cpu``) is no update of another build."""
    current = pin.version
    return {
        file.version
        for file in distribution.files
        if file.version > current and not file.version.is_prerelease and file.version.local == current.local
    }


def _refusal(pin: Pin, variants: Sequence[Variant], refused: Mapping[str, str]) -> str | None:
    """Return why images with one Python cannot move; a reason of an image that has not ended comes first."""
    names = sorted((each.name for each in variants if each.name in refused), key=lambda name: name in pin.ended)
    if not names:
        return None
    hint = f"; {names[0]} has ended: without it in the matrix, the others can move" if names[0] in pin.ended else ""
    return refused[names[0]] + hint


def source_not_reached(variant: Variant, distribution: Distribution) -> str | None:
    """Return in words which wheel source of an image did not answer; None if all places of a distribution did.

    Args:
        variant: The image.
        distribution: Its files, and the places that did not answer.
    """
    if not distribution.not_reached:
        return None
    name = canonicalize_name(distribution.name)
    sources = [
        source_name
        for source_name, source in variant.wheel_sources
        if name in {canonicalize_name(package) for package in source.packages}
    ]
    if distribution.places and not sources:
        return None  # one of several indexes, each of which counts only if those before it do not have the distribution
    source = f"the wheel source '{sources[0]}'" if sources else "the package index"
    return f"{source} did not answer ({', '.join(distribution.not_reached)})"


@dataclass(frozen=True, kw_only=True)
class _Part:
    """The images of a pin with one Python: they move together, since a marker tells only Pythons apart."""

    pin: Pin
    variants: tuple[Variant, ...]
    files: Mapping[str, Distribution]
    day: str
    #: Why no lock could be made with a newer release.
    refused: str | None

    @property
    def _has_ended(self) -> bool:
        return all(variant.name in self.pin.ended for variant in self.variants)

    @functools.cached_property
    def version(self) -> Version:
        """The version that the pin gets here."""
        return self.pin.version if self._best is None or self.refused or self._has_ended else self._best

    def held(self) -> Iterator[tuple[Version | None, str, list[str]]]:
        """Yield the newer releases that are not taken: the version (None if it is unknown), the reason, the images."""
        names = [variant.name for variant in self.variants]
        if self.pin.held is not None:
            if self._common:
                yield max(self._common), self.pin.held, names
            return
        if self._has_ended:
            if self._best is not None:
                yield self._best, f"the images with Python {self.variants[0].base.python} have ended", names
            return
        if self.refused and self._best is not None:
            yield self._best, self.refused, names
        else:
            yield from self._unusable()
        yield from self._outside()

    def _outside(self) -> Iterator[tuple[Version, str, list[str]]]:
        """Yield the newest release that the rule does not allow, with the images whose framework has nothing as new."""
        others: dict[Version, list[Variant]] = {}
        for variant in self.variants:
            newest = self.pin.newest.get(variant.name, ())
            unknown = [
                other
                for other in self._common
                if not self.pin.allows(other) and (other.release[: len(newest)] > newest or not newest)
            ]
            if unknown and max(unknown) > self.version:
                others.setdefault(max(unknown), []).append(variant)
        for version, variants in others.items():
            yield version, _outside(self.pin, version, variants), [variant.name for variant in variants]

    @functools.cached_property
    def _common(self) -> set[Version]:
        """The newer releases that all images can install."""
        return set(frozenset[Version].intersection(*(self._usable(variant) for variant in self.variants)))

    @functools.cached_property
    def _best(self) -> Version | None:
        if self.pin.held is not None:
            return None
        return max((version for version in self._common if self.pin.allows(version)), default=None)

    def _usable(self, variant: Variant) -> frozenset[Version]:
        return usable_releases(self.pin, variant, self.files[variant.name], self.day)

    def _unusable(self) -> Iterator[tuple[Version | None, str, list[str]]]:
        """Yield for each image the newest release that the rule allows, if the image cannot install it."""
        for variant in self.variants:
            distribution = self.files[variant.name]
            unanswered = source_not_reached(variant, distribution)
            if unanswered is not None and self.version == self.pin.version:
                yield None, f"{unanswered}, so it is not known whether it has a newer release", [variant.name]
            newer = [each for each in _newer(self.pin, distribution) if each > self.version and self.pin.allows(each)]
            if newer and max(newer) not in self._usable(variant):
                requirement, target = f"{self.pin.name}=={max(newer)}", self._target(variant)
                finding = compatibility.yanked(requirement, distribution, target)
                finding = finding or compatibility.explain(requirement, distribution, target)
                if finding is not None:
                    yield max(newer), finding.says, [variant.name]

    def _target(self, variant: Variant) -> Target:
        return Target(python=variant.base.python, glibc=variant.base.glibc, exclude_newer=self.day)


def _outside(pin: Pin, version: Version, variants: Sequence[Variant]) -> str:
    """Return why a rule does not allow a release that all images can install."""
    known = [key for key in pin.siblings if version.release[: len(Version(key).release)] == Version(key).release]
    if pin.key and known:
        key = max(known, key=len)
        kinds = "/".join(sorted({"CPU" if variant.device == CPU else "GPU" for variant in variants}))
        place = ".".join(map(str, pin.keys[:3]))
        return (
            f"{key} has no {kinds} image there, although {pin.name} {version} has a wheel for it; to get one, "
            f'add the base and the device to {place}."{key}"'
        )
    add = f"; to add it: nox -s new -- version {pin.keys[1]} {version}" if pin.key else ""
    if pin.rule.rule == "minor":
        return f"the rule is 'minor', and {version} is another minor version{add}"
    key = ".".join(str(number) for number in pin.key)
    return f"the version's key, which image names show, is {key}{add}"
