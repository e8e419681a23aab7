"""What the indexes and wheel sources have for the cells of a matrix: each place and distribution asked once."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from build.checkout.project import Project
from build.matrix.model import WheelSource
from build.packages import compatibility, wheel_sources
from build.packages import index as package_index
from build.packages.compatibility import Finding, Kind
from build.packages.distribution import Distribution
from build.packages.index import PackageIndex
from build.packages.target import Target
from build.variants.variant import Variant


class Facts:
    """What the indexes and wheel sources of a project have; each distribution is asked for once."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._sources: dict[str, PackageIndex] = {}

    @functools.cached_property
    def default(self) -> PackageIndex:
        """The indexes that uv is configured for."""
        return package_index.configured()

    @functools.cached_property
    def directories(self) -> tuple[Path, ...]:
        """The wheel directories of pip's configuration."""
        return wheel_sources.directories_in_pip_configuration()

    def prepare(self) -> None:
        """Look up the places, before several threads ask; once is enough."""
        if self._sources:
            return
        self.default  # noqa: B018
        self.directories  # noqa: B018
        for name, source in self.project.matrix.wheel_sources.items():
            indexes = [source.index] if source.index else []
            self._sources[name] = PackageIndex(indexes, self._folders(source))

    def _folders(self, source: WheelSource) -> list[Path]:
        own = [self.project.paths.root / source.directory] if source.directory else []
        return [*own, *self.directories]

    def distribution(self, variant: Variant, name: str) -> Distribution:
        """What the places that a variant takes a distribution from have of it."""
        found = self._source(variant, name)
        if found is None:
            return self.default.distribution(name)
        source_name, _ = found
        there = self._sources[source_name].distribution(name)
        fetched = wheel_sources.folder(self.project.paths, source_name, variant.name)
        if not fetched.is_dir():
            return there
        here = PackageIndex([], [fetched]).distribution(name)
        return replace(there, files=(*there.files, *here.files))

    def links(self, variant: Variant) -> list[Path | str]:
        """Where uv finds the wheels of a variant's extra sources: directories, pages of links."""
        links: list[Path | str] = []
        for name, wanted in wheel_sources.needed(variant).items():
            source = self.project.matrix.wheel_sources[name]
            links.append(wheel_sources.folder(self.project.paths, name, variant.name))
            links += self._folders(source)
            if source.index is not None:
                names = {canonicalize_name(Requirement(text).name) for text in wanted}
                there = {item: self._sources[name].distribution(item) for item in sorted(names)}
                links += [f"{source.index.rstrip('/')}/{item}/" for item in there if not there[item].not_reached]
        return [link for link in links if isinstance(link, str) or link.is_dir()]

    def _source(self, variant: Variant, name: str) -> tuple[str, WheelSource] | None:
        for source_name, source in variant.wheel_sources:
            if canonicalize_name(name) in {canonicalize_name(item) for item in source.packages}:
                return source_name, source
        return None

    def target(self, variant: Variant) -> Target:
        return Target(python=variant.base.python, glibc=variant.base.glibc, exclude_newer=self.project.exclude_newer)

    def explain(self, variant: Variant, requirement: str) -> tuple[Finding | None, tuple[str, ...]]:
        """Why no wheel meets a requirement of a variant, and the places that did not say.

        A version without any wheel is no finding: it is built from its source.
        """
        parsed = Requirement(requirement)
        if parsed.url is not None:
            return None, ()
        there = self.distribution(variant, parsed.name)
        finding = compatibility.explain(requirement, there, self.target(variant))
        source = self._source(variant, parsed.name)
        if finding is not None and source is not None and wheel_sources.may_be_replaced(source[1], [requirement]):
            there = self.default.distribution(parsed.name)
            finding = compatibility.explain(requirement, there, self.target(variant))
        if finding is None or finding.kind is Kind.SOURCE_ONLY:
            return None, ()
        if not there.places and not there.not_reached:
            return finding, ("no place is named",)
        return finding, there.not_reached

    def from_source(self, variant: Variant, requirement: str) -> bool:
        """Whether a requirement of a variant is met by a wheel source alone."""
        source = self._source(variant, Requirement(requirement).name)
        return source is not None and not wheel_sources.may_be_replaced(source[1], [requirement])

    def source_only(self, variant: Variant, requirement: str) -> bool:
        """Whether what meets a requirement never had wheels, for anything: it is built from its source."""
        there = self.distribution(variant, Requirement(requirement).name)
        finding = compatibility.explain(requirement, there, self.target(variant))
        return finding is not None and finding.kind is Kind.SOURCE_ONLY

    def fits(self, variant: Variant, requirement: str, base_name: str) -> bool:
        """Whether another base would have a wheel for a requirement of a variant."""
        base = self.project.matrix.bases[base_name]
        target = Target(python=base.python, glibc=base.glibc, exclude_newer=self.project.exclude_newer)
        there = self.distribution(variant, Requirement(requirement).name)
        return compatibility.explain(requirement, there, target) is None
