"""Make locks for the images of some bases, for the builds of their source-only packages, and for the builder's tools.

Effects: fetches wheels from extra wheel sources into ``.pipeline/``, runs uv, and prints progress; writes no lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from build.locks import lock as locks
from build.locks import resolve
from build.locks.agree import BaseResolution
from build.locks.lock import Lock
from build.locks.resolve import UnsatisfiableError
from build.locks.stale import stale_locks
from build.locks.store import LockStore
from build.matrix.model import Matrix
from build.packages import wheel_sources
from build.packages.target import Target
from build.packages.wheel_sources import SourceNotReachedError
from build.requirements import distribution_name
from build.system import console, processes
from build.variants.variant import Variant


@dataclass(frozen=True, kw_only=True)
class NewLocks:
    """The result of resolving some bases."""

    #: Path of the lock from the project's root → lock; those of a base with a failure are left out, since the locks of
    #: a base agree with each other.
    locks: dict[str, Lock] = field(default_factory=dict)
    #: Images whose wheel source was not reached, by name; they keep their locks.
    not_reached: dict[str, SourceNotReachedError] = field(default_factory=dict)
    #: Images whose wheel source was not reached and that take the wheels from the default index instead.
    replaced: dict[str, SourceNotReachedError] = field(default_factory=dict)
    #: Images that no set of packages satisfies, by name.
    failed: dict[str, UnsatisfiableError] = field(default_factory=dict)
    #: Bases whose server no set of packages satisfies, by name; their images fail, too.
    failed_servers: dict[str, UnsatisfiableError] = field(default_factory=dict)
    #: Bases for whose source-only packages there is nothing to build them with, by name.
    failed_builds: dict[str, UnsatisfiableError] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Wheels:
    """The wheels that the images of one base take from extra wheel sources."""

    directories: list[Path] = field(default_factory=list)
    #: The distributions in them.
    distributions: set[str] = field(default_factory=set)
    not_reached: dict[str, SourceNotReachedError] = field(default_factory=dict)
    replaced: dict[str, SourceNotReachedError] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Maker:
    """The inputs of all locks of a project."""

    matrix: Matrix
    variants: tuple[Variant, ...]
    store: LockStore

    @property
    def exclude_newer(self) -> str:
        return self.matrix.project.exclude_newer.isoformat()

    def base(self, base_name: str) -> tuple[dict[str, Lock | UnsatisfiableError], _Wheels]:
        """Resolve all images of one base together, so that they agree, and what its source-only packages need."""
        images = [variant for variant in self.variants if variant.base_name == base_name]
        wheels = self._fetch(images)
        resolved = tuple(variant for variant in images if variant.name not in wheels.not_reached)
        base = self.matrix.bases[base_name]
        target = Target(python=base.python, glibc=base.glibc, exclude_newer=self.exclude_newer)
        # Fetched wheels take precedence over what the default index gave while their source was not reached.
        preferred = {
            name: version for name, version in self._preferred(resolved).items() if name not in wheels.distributions
        }
        results = BaseResolution(
            variants=resolved, target=target, preferred=preferred, wheel_directories=tuple(wheels.directories)
        ).locks()
        packages = [package for lock in results.values() if isinstance(lock, Lock) for package in lock.packages]
        kept = [variant for variant in images if variant.name in wheels.not_reached]
        if any(package.source_only for package in packages) or any(map(self.store.has_source_only, kept)):
            results[locks.BUILD] = self._build(base_name, target)
        return results, wheels

    def tools(self) -> Lock:
        """Resolve the tools of the builder stages."""
        python, glibc = locks.TOOLS_PLATFORM
        target = Target(python=python, glibc=glibc, exclude_newer=self.exclude_newer)
        return resolve.lock(locks.TOOLS, locks.tools_requirements(self.matrix), target)

    def _fetch(self, images: Sequence[Variant]) -> _Wheels:
        """Fetch the images' wheels from extra wheel sources; stop for an image at its first unreachable source."""
        wheels = _Wheels()
        for variant in images:
            for name, wanted in wheel_sources.needed(variant).items():
                try:
                    wheels.directories.append(wheel_sources.fetch(self.store.paths, variant, name, wanted))
                except SourceNotReachedError as failure:
                    replaceable = may_be_replaced(self.matrix, self.store, variant, name, wanted)
                    (wheels.replaced if replaceable else wheels.not_reached)[variant.name] = failure
                    break
                wheels.distributions.update(distribution_name(text) for text in wanted)
        return wheels

    def _preferred(self, variants: Sequence[Variant]) -> dict[str, str]:
        """Return the versions in locks with the matrix's ``exclude-newer``; other locks would hold packages back."""
        preferred: dict[str, str] = {}
        for variant in variants:
            lock = self.store.find_valid(variant.base_name, variant.name)
            if lock is not None and lock.exclude_newer == self.exclude_newer:
                preferred = lock.versions() | preferred
        return preferred

    def _build(self, base_name: str, target: Target) -> Lock | UnsatisfiableError:
        """Resolve the packages that source-only packages of a base are built with."""
        old = self.store.find_valid(base_name, locks.BUILD)
        preferred = old.versions() if old is not None and old.exclude_newer == self.exclude_newer else {}
        try:
            return resolve.lock(locks.BUILD, locks.BUILD_REQUIREMENTS, target, preferred=preferred)
        except UnsatisfiableError as failure:
            return failure


def make_locks(matrix: Matrix, variants: Sequence[Variant], store: LockStore, base_names: Sequence[str]) -> NewLocks:
    """Resolve the images of some bases, and, if none failed, the builder's tools.

    Args:
        matrix: The matrix.
        variants: The images that are resolved; those of a base agree with each other.
        store: The existing locks: their versions are preferred, so that an edit changes only what it must.
        base_names: The bases.

    Raises:
        NetworkError: The index cannot be reached.
        UnsatisfiableError: The pinned uv does not exist.
    """
    maker = _Maker(matrix=matrix, variants=tuple(variants), store=store)
    result = NewLocks()
    with processes.worker_threads() as pool:
        for base_name, (made, wheels) in zip(base_names, pool.map(maker.base, base_names), strict=True):
            count = sum(isinstance(lock, Lock) for lock in made.values())
            console.info(f"{base_name}: {count} of {len(made)} locks resolved")
            result.not_reached.update(wheels.not_reached)
            result.replaced.update(wheels.replaced)
            failures = {title: lock for title, lock in made.items() if isinstance(lock, UnsatisfiableError)}
            for title, failure in failures.items():
                if title == locks.SERVER:
                    result.failed_servers[base_name] = failure
                elif title == locks.BUILD:
                    result.failed_builds[base_name] = failure
                else:
                    result.failed[title] = failure
            if not failures:
                resolved = {title: lock for title, lock in made.items() if isinstance(lock, Lock)}
                result.locks.update({store.relative(base_name, title): lock for title, lock in resolved.items()})
    if not (result.failed or result.failed_servers or result.failed_builds):
        result.locks[store.relative(".", locks.TOOLS)] = maker.tools()
    return result


def may_be_replaced(
    matrix: Matrix, store: LockStore, variant: Variant, source_name: str, requirements: Sequence[str]
) -> bool:
    """Tell whether the default index may replace a wheel source that was not reached.

    It may if the matrix allows it and the image requires no local version (``+cpu``), since public indexes have none.
    It may not if the image has an up-to-date lock that was made with the source.

    Args:
        matrix: The matrix.
        store: The existing locks.
        variant: The image.
        source_name: The wheel source.
        requirements: What the image takes from it.
    """
    if not wheel_sources.may_be_replaced(dict(variant.wheel_sources)[source_name], requirements):
        return False
    if stale_locks(matrix, store, [variant]).get(store.relative(variant.base_name, variant.name)):
        return True
    return not wheel_sources.locked(variant, store.image(variant).versions())
