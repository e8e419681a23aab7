"""A checkout with a larger matrix: copies of its framework versions under other version keys, with locks.

A copy promises another version of its framework (``lightgbm==4.7.0.post3``), so that its own layer is another one, as
in a real matrix of that size; all else is the original's.  No index is asked.  Effects: it writes into a new folder.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from build.checkout.project import Project, open_project
from build.locks import lock as locks
from build.locks.lock import Lock
from build.paths import Paths
from build.variants.variant import Variant, image_name


@dataclass(frozen=True, kw_only=True)
class _Family:
    """All images of one framework version, which is copied as a whole."""

    framework: str
    version: str
    variants: tuple[Variant, ...]

    @property
    def bases(self) -> list[str]:
        return sorted({variant.base_name for variant in self.variants})

    @property
    def devices(self) -> list[str]:
        return sorted({variant.device for variant in self.variants})

    @property
    def can_be_copied(self) -> bool:
        """Its images are all of its bases times all of its devices, and each promises one version of the framework."""
        return 0 < len(self.variants) == len(self.bases) * len(self.devices) and all(
            variant.own_contract and "==" in variant.own_contract[0] and not variant.wheel_sources
            for variant in self.variants
        )

    @property
    def own_names(self) -> frozenset[str]:
        """The distributions that are the framework: ``tensorflow``, ``tensorflow-cpu``."""
        return frozenset(canonicalize_name(Requirement(variant.own_contract[0]).name) for variant in self.variants)


def grow(paths: Paths, rows: int) -> int:
    """Add images to a checkout's matrix until it has so many, and write their locks.

    Args:
        paths: A copy of a checkout; its matrix and locks are changed, its generated files are not.
        rows: The number of images; where the matrix has as many already, it is left as it is.

    Returns:
        The number of images that it has then: ``rows``, or a few more, as framework versions are copied as a whole.
    """
    project = open_project(paths)
    count = len(project.variants)
    if count >= rows:
        return count
    data = yaml.safe_load(paths.matrix.read_text(encoding="utf-8"))
    families = [family for family in _families(project) if family.can_be_copied]
    originals = {variant.name: project.lock(variant) for family in families for variant in family.variants}
    for number, family in ((number, family) for number in itertools.count(1) for family in families):
        if count >= rows:
            break
        _add(data, family, number)
        for variant in family.variants:
            lock = _copied(originals[variant.name], family, variant, number)
            locks.path(paths.locks, variant.base_name, lock.title).write_text(locks.to_text(lock), encoding="utf-8")
        count += len(family.variants)
    paths.matrix.write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return count


def _families(project: Project) -> Iterator[_Family]:
    for framework_name, framework in project.matrix.frameworks.items():
        for version in framework.versions:
            variants = [
                item for item in project.variants if (item.framework, item.version) == (framework_name, version)
            ]
            yield _Family(framework=framework_name, version=version, variants=tuple(variants))


def _add(data: Mapping[str, Any], family: _Family, number: int) -> None:
    """Add a copy of a framework version to the matrix's data."""
    versions = data["frameworks"][family.framework]["versions"]
    version = copy.deepcopy(versions[family.version])
    for pins in (version, version.get("cpu", {}), version.get("gpu", {})):
        if "contract" in pins:
            pins["contract"] = _renumbered(pins["contract"], family, number)
    version |= {"bases": family.bases, "devices": family.devices}
    versions[_numbered(family.version, number)] = version


def _copied(lock: Lock, family: _Family, variant: Variant, number: int) -> Lock:
    """A row's lock as that of its copy."""
    packages = [
        replace(
            package,
            version=_numbered(package.version, number),
            sha256=hashlib.sha256(f"{package.sha256} {number}".encode()).hexdigest(),
        )
        if package.name in family.own_names
        else package
        for package in lock.packages
    ]
    name = image_name(
        family.framework, _numbered(family.version, number), variant.base.os, variant.base.python, variant.device
    )
    requirements = tuple(_renumbered(lock.requirements, family, number))
    return replace(lock, title=name, requirements=requirements, packages=tuple(packages))


def _renumbered(requirements: Sequence[str], family: _Family, number: int) -> list[str]:
    return [
        _numbered(text, number)
        if "==" in text and canonicalize_name(Requirement(text).name) in family.own_names
        else text
        for text in requirements
    ]


def _numbered(version: str, number: int) -> str:
    return f"{version}.post{number}"
