"""The exact pins of the matrix: where they are, which images they are for, and how far they may move.  Pure."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from packaging.utils import canonicalize_name
from packaging.version import Version

from build.checkout.project import Project
from build.matrix.edit import is_editable
from build.matrix.lifecycle import has_ended
from build.matrix.model import Matrix
from build.matrix.positions import KeyPath
from build.matrix.upkeep import Update
from build.matrix.values import NO_VERSION
from build.requirements import parse, without_marker
from build.variants.cell import product
from build.variants.variant import CPU, Variant


@dataclass(frozen=True, kw_only=True)
class Pin:
    """An exact pin (``==``) in a contract."""

    #: Its place in the matrix.
    keys: KeyPath
    #: As the matrix writes it.
    text: str
    #: The distribution (PEP 503).
    name: str
    version: Version
    rule: Update
    #: The release numbers that the version's key names, and all its pins must begin with; empty if it names none.
    key: tuple[int, ...]
    #: The images that it is for: those of its place in whose Python its marker holds.
    variants: tuple[Variant, ...]
    #: Why it stays whatever there is; None if it may move.
    held: str | None
    #: The names of those of its images that have ended.
    ended: frozenset[str] = frozenset()
    #: Image name → the numbers of the newest version of its framework on its base, for a CPU or a GPU like it.
    #: Empty if image names do not show the pin's version.
    newest: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    #: The keys of all versions of its framework, of those that name numbers.
    siblings: frozenset[str] = frozenset()

    @property
    def pythons(self) -> tuple[str, ...]:
        """The minor versions of Python in its images, oldest first."""
        return tuple(sorted({variant.base.python for variant in self.variants}, key=Version))

    def allows(self, version: Version) -> bool:
        """Tell whether its rule allows another version."""
        if version.release[: len(self.key)] != self.key:
            return False
        return self.rule.rule != "minor" or _minor(version) == _minor(self.version)


def _minor(version: Version) -> tuple[int, int, int]:
    return version.epoch, version.major, version.minor


def exact_pins(project: Project, today: datetime.date) -> tuple[Pin, ...]:
    """Return the exact pins in the contracts of a matrix; those of images that have all ended are left out.

    Args:
        project: The project.
        today: The day (UTC) that the ends of images are compared with.
    """
    found = []
    for keys, texts, rule, variants in _contracts(project.matrix, project.variants):
        for index, text in enumerate(texts):
            version = _exact_version(text)
            images = tuple(variant for variant in variants if without_marker(text, variant.base.python) is not None)
            if version is None or all(has_ended(variant.lifecycle, today) for variant in images):
                continue
            name = canonicalize_name(parse(text).name)
            path = (*keys, index)
            pin = Pin(
                keys=path,
                text=text,
                name=name,
                version=version,
                rule=rule,
                key=_key(keys, version),
                variants=images,
                held=_held(project, path, name, version, rule),
                ended=frozenset(variant.name for variant in images if has_ended(variant.lifecycle, today)),
                newest=_newest(project.matrix, project.variants, images) if _key(keys, version) else {},
                siblings=_siblings(project.matrix, keys),
            )
            found.append(pin)
    return tuple(found)


def _contracts(
    matrix: Matrix, variants: Sequence[Variant]
) -> Iterator[tuple[KeyPath, Sequence[str], Update, Sequence[Variant]]]:
    """Yield every contract: its place, its requirements, its rule, and the images that it is for."""
    default = matrix.project.update
    yield ("server", "contract"), matrix.server.contract, matrix.server.update or default, variants
    for name, framework in matrix.frameworks.items():
        here: KeyPath = ("frameworks", name)
        rule = framework.update or default
        of_framework = [variant for variant in variants if variant.framework == name]
        yield (*here, "contract"), framework.contract, rule, of_framework
        for key, version in framework.versions.items():
            place = (*here, "versions", key)
            rule = version.update or framework.update or default
            images = [variant for variant in of_framework if (variant.version or NO_VERSION) == key]
            yield (*place, "contract"), version.contract, rule, images
            cpu = [variant for variant in images if variant.device == CPU]
            yield (*place, "cpu", "contract"), version.cpu.contract, rule, cpu
            gpu = [variant for variant in images if variant.device != CPU]
            yield (*place, "gpu", "contract"), version.gpu.contract, rule, gpu


def _exact_version(text: str) -> Version | None:
    requirement = parse(text)
    specifiers = list(requirement.specifier)
    if requirement.url is not None or len(specifiers) != 1 or specifiers[0].operator != "==":
        return None
    return None if specifiers[0].version.endswith(".*") else Version(specifiers[0].version)


def _key(keys: KeyPath, version: Version) -> tuple[int, ...]:
    """Return the numbers of the key ``1.9`` if a pin is of 1.9.x; image names show the key, so it must stay true."""
    if "versions" not in keys or NO_VERSION in keys:
        return ()
    release = Version(str(keys[3])).release
    return release if version.release[: len(release)] == release else ()


def _newest(matrix: Matrix, variants: Sequence[Variant], images: Sequence[Variant]) -> dict[str, tuple[int, ...]]:
    """Return for each image the numbers of the newest version of its framework on its base.

    Only images for a CPU count if it is for one, and for a GPU: an image with another CUDA version succeeds it, too.
    So do images that are excluded: somebody decided against them.
    """
    cells = [(each.framework, each.version, each.base, each.device) for each in product(matrix)]
    cells += [(each.framework, each.version, each.base_name, each.device) for each in variants if each.version]
    releases: dict[tuple[str, str, bool], tuple[int, ...]] = {}
    for framework, version, base, device in cells:
        if version != NO_VERSION:
            place = (framework, base, device == CPU)
            releases[place] = max(releases.get(place, ()), Version(version).release)
    return {image.name: releases[image.framework, image.base_name, image.device == CPU] for image in images}


def _siblings(matrix: Matrix, keys: KeyPath) -> frozenset[str]:
    if keys[0] != "frameworks":
        return frozenset()
    return frozenset(matrix.frameworks[str(keys[1])].versions.keys() - {NO_VERSION})


def _held(project: Project, keys: KeyPath, name: str, version: Version, rule: Update) -> str | None:
    matrix = project.matrix
    if rule.rule == "held":
        return rule.reason
    for index, patch in enumerate(matrix.patches):
        patched, _, of = patch.distribution.partition("==")
        if canonicalize_name(patched) == name and Version(of) == version:
            return f"patches[{index}] is for exactly this release"
    for text in matrix.project.allow_yanked:
        allowed, _, of = text.partition("==")
        if canonicalize_name(allowed) == name and Version(of) == version:
            return "project.allow-yanked names exactly this release"
    if not is_editable(project.loaded.root, keys):
        return "it comes from an alias; edit it by hand"
    return None
