"""The files that indexes and wheel sources have for the cells of a matrix; each distribution is looked up once.

Effects: the network; runs uv and pip to learn which indexes and directories they use.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

from packaging.utils import canonicalize_name

from build.checkout.project import Project
from build.errors import LockError
from build.matrix.sources import WheelSource
from build.packages import compatibility, wheel_sources
from build.packages import index as package_index
from build.packages.compatibility import Finding, Kind
from build.packages.distribution import Distribution
from build.packages.index import PackageIndex
from build.packages.index_client import IndexClient
from build.packages.target import Target
from build.requirements import distribution_name, parse
from build.variants.variant import Variant


class Facts:
    """The files that the indexes and wheel sources of a project have.

    Args:
        project: The project.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self._client = IndexClient()
        self._sources: dict[str, PackageIndex] = {}

    @functools.cached_property
    def default(self) -> PackageIndex:
        """The indexes that uv is configured for."""
        return package_index.configured(self._client)

    @functools.cached_property
    def directories(self) -> tuple[Path, ...]:
        """The wheel directories in pip's configuration."""
        return wheel_sources.directories_in_pip_configuration()

    def prepare(self) -> None:
        """Ask uv and pip for their indexes and directories, before several threads need them; repeating it is free."""
        if self._sources:
            return
        self.default  # noqa: B018
        self.directories  # noqa: B018
        for name, source in self.project.matrix.wheel_sources.items():
            indexes = [source.index] if source.index else []
            self._sources[name] = PackageIndex(indexes, self._folders(source), client=self._client)

    def check_upload_times(self) -> None:
        """Check that the indexes that were searched tell when their files were uploaded.

        The resolver would say so for each image, after minutes.

        Raises:
            LockError: An index does not (PEP 700), so it cannot be seen as of a day, and none of its files can be used.
        """
        if indexes := sorted(self.default.without_times):
            raise LockError(
                "the package index does not tell when its files were uploaded, so it cannot be seen as of "
                f"{self.project.exclude_newer} (exclude-newer)",
                where=", ".join(indexes),
                fix="use an index with upload times (PEP 700), for example the one behind this mirror: "
                "UV_DEFAULT_INDEX",
            )

    def distribution(self, variant: Variant, name: str) -> Distribution:
        """Return all files of a distribution in the places that an image takes it from.

        Args:
            variant: The image.
            name: The distribution's name in any spelling.
        """
        source = self._source(variant, name)
        if source is None:
            return self.default.distribution(name)
        source_name, _ = source
        served = self._sources[source_name].distribution(name)
        fetched = wheel_sources.folder(self.project.paths, source_name, variant.name)
        if not fetched.is_dir():
            return served
        local = PackageIndex([], [fetched], client=self._client).distribution(name)
        return replace(served, files=(*served.files, *local.files))

    def links(self, variant: Variant) -> list[Path | str]:
        """Return where uv finds the wheels of an image's extra wheel sources: directories, pages of links (URLs)."""
        links: list[Path | str] = []
        for name, wanted in wheel_sources.needed(variant).items():
            source = self.project.matrix.wheel_sources[name]
            links.append(wheel_sources.folder(self.project.paths, name, variant.name))
            links += self._folders(source)
            if source.index is not None:
                for package in sorted({distribution_name(text) for text in wanted}):
                    if not self._sources[name].distribution(package).not_reached:
                        links.append(f"{source.index.rstrip('/')}/{package}/")
        return [link for link in links if isinstance(link, str) or link.is_dir()]

    def target(self, variant: Variant, base_name: str | None = None) -> Target:
        """Return what the wheels of an image must fit.

        Args:
            variant: The image.
            base_name: Another base than its own.
        """
        base = variant.base if base_name is None else self.project.matrix.bases[base_name]
        return Target(python=base.python, glibc=base.glibc, exclude_newer=self.project.exclude_newer)

    def explain(self, variant: Variant, requirement: str) -> tuple[Finding | None, tuple[str, ...]]:
        """Return why no wheel meets a requirement of an image, and the places that did not answer.

        A version without any wheel is not a finding: it is built from its source.
        """
        parsed = parse(requirement)
        if parsed.url is not None:
            return None, ()
        distribution = self.distribution(variant, parsed.name)
        finding = compatibility.explain(requirement, distribution, self.target(variant))
        source = self._source(variant, parsed.name)
        if finding is not None and source is not None and wheel_sources.may_be_replaced(source[1], [requirement]):
            distribution = self.default.distribution(parsed.name)
            finding = compatibility.explain(requirement, distribution, self.target(variant))
        if finding is None or finding.kind is Kind.SOURCE_ONLY:
            return None, ()
        if not distribution.places and not distribution.not_reached:
            return finding, ("no index or directory is configured",)
        return finding, distribution.not_reached

    def yanked(self, variant: Variant, requirement: str) -> Finding | None:
        """Return that a release which an image pins was yanked from the index, with the index's reason."""
        parsed = parse(requirement)
        if parsed.url is not None:
            return None
        return compatibility.yanked(requirement, self.distribution(variant, parsed.name), self.target(variant))

    def needs_source(self, variant: Variant, requirement: str) -> bool:
        """Tell whether only a wheel source, not the default index, may meet a requirement of an image."""
        source = self._source(variant, distribution_name(requirement))
        return source is not None and not wheel_sources.may_be_replaced(source[1], [requirement])

    def source_only(self, variant: Variant, requirement: str) -> bool:
        """Tell whether the distribution never had wheels for any platform: it is built from its source."""
        distribution = self.distribution(variant, distribution_name(requirement))
        finding = compatibility.explain(requirement, distribution, self.target(variant))
        return finding is not None and finding.kind is Kind.SOURCE_ONLY

    def fits(self, variant: Variant, requirement: str, base_name: str) -> bool:
        """Tell whether there is a wheel for a requirement of an image on another base."""
        distribution = self.distribution(variant, distribution_name(requirement))
        return compatibility.explain(requirement, distribution, self.target(variant, base_name)) is None

    def _folders(self, source: WheelSource) -> list[Path]:
        own = [self.project.paths.root / source.directory] if source.directory else []
        return [*own, *self.directories]

    def _source(self, variant: Variant, name: str) -> tuple[str, WheelSource] | None:
        for source_name, source in variant.wheel_sources:
            if canonicalize_name(name) in {canonicalize_name(item) for item in source.packages}:
                return source_name, source
        return None
