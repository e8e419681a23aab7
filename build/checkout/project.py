"""One checkout, read: the matrix, its variants, their locks.  Every command begins here."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from build.errors import LockError
from build.images import dockerfiles as render
from build.images.dockerfiles import Image
from build.locks import lock as locks
from build.locks import resolve
from build.locks.lock import Lock
from build.matrix.model import Matrix
from build.matrix.reader import LoadedMatrix, load
from build.packages import wheel_sources
from build.packages.wheel_sources import SourceNotReachedError
from build.paths import Paths, ToolPaths
from build.paths import tool as tool_paths
from build.variants import cuda_bases, stand_in
from build.variants.cuda_bases import CudaBase
from build.variants.expand import expand
from build.variants.names import group_members
from build.variants.select import Selection, select
from build.variants.variant import Variant

#: The group that build, verify, publish and pipeline take where nothing is selected.
DEFAULT_GROUP = "default"
#: The lock of the tools of the builder stages (uv).
TOOLS = "tools"


@dataclass(frozen=True, kw_only=True)
class Project:
    """A checkout with its matrix read and expanded."""

    tool: ToolPaths
    paths: Paths
    loaded: LoadedMatrix
    variants: tuple[Variant, ...]

    @property
    def matrix(self) -> Matrix:
        return self.loaded.matrix

    @property
    def exclude_newer(self) -> str:
        return self.matrix.project.exclude_newer.isoformat()

    def select(
        self, selection: Selection, *, default_group: str | None = None, today: datetime.date | None = None
    ) -> tuple[Variant, ...]:
        """The selected variants, by name; see `select`.  Stand-in bases are in their places.

        Raises:
            UsageError: Nothing matches, or a stand-in does not fit.
        """
        found = select(self.variants, selection, self.matrix.groups, default_group, today)
        return stand_in.apply(found, selection.stand_ins, self.loaded)

    def variant(self, name: str) -> Variant:
        """The variant of an image name that exists."""
        return next(variant for variant in self.variants if variant.name == name)

    def groups(self) -> dict[str, tuple[str, ...]]:
        """Group name → image names."""
        return {name: group_members(self.variants, globs) for name, globs in self.matrix.groups.items()}

    def lock_path(self, variant: Variant) -> str:
        return str(locks.path(self.paths.locks, variant.base_name, variant.name).relative_to(self.paths.root))

    def lock(self, variant: Variant) -> Lock:
        """A variant's lock.

        Raises:
            LockError: There is none, or it is not readable.
        """
        return self._read(variant.base_name, variant.name)

    def server_lock(self, base_name: str) -> Lock:
        """The lock of what every image of a base has."""
        return self._read(base_name, locks.SERVER)

    def tools_lock(self) -> Lock:
        """The lock of the builder's tools."""
        return self._read(".", TOOLS)

    def _read(self, base_name: str, title: str) -> Lock:
        file = locks.path(self.paths.locks, base_name, title)
        lock = locks.read(file)
        if lock is None:
            raise LockError(
                f"{title} has no lock", where=str(file.relative_to(self.paths.root)), fix="make it: nox -s lock"
            )
        return lock

    def images(self, variants: Sequence[Variant]) -> tuple[Image, ...]:
        """Variants with their locks, grouped into layers.

        Raises:
            LockError: A lock is missing.
        """
        return tuple(
            render.image(
                variant,
                self.lock(variant),
                self.server_lock(variant.base_name),
                layer_order=self.matrix.project.layer_order,
                patches=self.matrix.patches,
            )
            for variant in variants
        )

    @property
    def own_bases(self) -> frozenset[str]:
        """The names of the bases that have images of their own."""
        return frozenset(variant.base_name for variant in self.variants)

    @property
    def source_only_bases(self) -> frozenset[str]:
        """The bases that have a package which must be built, in a lock that is there and readable."""
        return frozenset(variant.base_name for variant in self.variants if _has_source_only(self, variant))

    def build_locks(self) -> dict[str, Lock]:
        """Base name → the lock of what its source-only packages are built with, of the bases that have such packages.

        Raises:
            LockError: A lock is missing.
        """
        return {name: self._read(name, locks.BUILD) for name in sorted(self.source_only_bases)}

    @property
    def cuda_bases(self) -> dict[str, CudaBase]:
        """The bases with CUDA in them, by name."""
        return cuda_bases.of(self.variants)

    def standing_bases(self, variants: Sequence[Variant]) -> tuple[str, ...]:
        """The names of what these variants' Dockerfiles stand on, in order: bases, and bases with CUDA."""
        return tuple(sorted({variant.base_image for variant in variants}))

    def used_bases(self, variants: Sequence[Variant]) -> tuple[str, ...]:
        """The names of the bases that these variants are built on, in order."""
        return tuple(sorted({variant.builder_base for variant in variants}))


def open_project(paths: Paths, tool: ToolPaths | None = None) -> Project:
    """Read a project's matrix.

    Args:
        paths: The project's files.
        tool: The tool's files; those of this checkout where None is given.

    Raises:
        MatrixError: It is wrong.
    """
    loaded = load(paths.matrix)
    return Project(tool=tool or tool_paths(), paths=paths, loaded=loaded, variants=expand(loaded))


def stale_locks(project: Project, variants: Sequence[Variant]) -> dict[str, list[str]]:
    """Locks that no longer belong to the matrix: path → reasons.  Needs no network."""
    stale: dict[str, list[str]] = {}

    def look(
        base_name: str, title: str, requirements: Sequence[str], python: str, glibc: str, without: Sequence[str] = ()
    ) -> None:
        file = locks.path(project.paths.locks, base_name, title)
        try:
            lock = locks.read(file)
        except LockError as failure:
            reasons = [failure.what]
        else:
            reasons = (
                ["it does not exist"]
                if lock is None
                else locks.staleness(
                    lock,
                    requirements=requirements,
                    python=python,
                    glibc=glibc,
                    exclude_newer=project.exclude_newer,
                    without=without,
                )
            )
        if reasons:
            stale[str(file.relative_to(project.paths.root))] = reasons

    seen = set()
    for variant in variants:
        if _has_source_only(project, variant):
            look(variant.base_name, locks.BUILD, BUILD_REQUIREMENTS, variant.base.python, variant.base.glibc)
        if variant.base_name not in seen:
            seen.add(variant.base_name)
            base = variant.base
            look(variant.base_name, locks.SERVER, variant.server_contract, base.python, base.glibc)
        base = variant.base
        look(variant.base_name, variant.name, variant.requirements, base.python, base.glibc, variant.left_out)
    look(".", TOOLS, tools_requirements(project), *_TOOLS_TARGET)
    return stale


def _has_source_only(project: Project, variant: Variant) -> bool:
    """Whether a variant's lock has a package that must be built; not where it is missing or not readable."""
    with contextlib.suppress(LockError):
        return any(package.source_only for package in project.lock(variant).packages)
    return False


#: What source-only packages are built with: what PEP 518 says where a package names nothing itself, and wheel, without
#: which the setuptools of old Pythons make none.
BUILD_REQUIREMENTS = ("setuptools", "wheel")

#: uv is a static binary: any recent Python and glibc choose the same wheel.
_TOOLS_TARGET = ("3.11", "2.36")


def tools_requirements(project: Project) -> tuple[str, ...]:
    return (f"uv=={project.matrix.project.uv}",)


@dataclass(frozen=True, kw_only=True)
class Locking:
    """What `lock` found: new locks by path, rows whose wheel source was not reached, pins that cannot be."""

    locks: dict[str, Lock]
    #: These keep the locks that they have.
    not_reached: dict[str, SourceNotReachedError]
    #: These take from the default index instead what the source would give.
    replaced: dict[str, SourceNotReachedError]
    failed: dict[str, LockError]


def make_locks(project: Project, base_names: Sequence[str]) -> Locking:
    """Resolve the images of these bases.

    Args:
        project: The checkout.
        base_names: The bases; all images of one are resolved together, so that they agree.

    Raises:
        NetworkError: The index is not reached.
    """
    made: dict[str, Lock] = {}
    not_reached: dict[str, SourceNotReachedError] = {}
    replaced: dict[str, SourceNotReachedError] = {}
    failed: dict[str, LockError] = {}
    paths = project.paths

    def lock(base_name: str) -> dict[str, Lock | resolve.UnsatisfiableError]:
        variants = [variant for variant in project.variants if variant.base_name == base_name]
        folders = []
        fetched: set[str] = set()
        for variant in list(variants):
            for name, wanted in wheel_sources.needed(variant).items():
                try:
                    folders.append(fetch_wheels(paths, variant, name, wanted))
                    fetched.update(canonicalize_name(Requirement(text).name) for text in wanted)
                except SourceNotReachedError as failure:
                    if _may_be_replaced(project, variant, name, wanted):
                        replaced[variant.name] = failure
                    else:
                        not_reached[variant.name] = failure
                        variants.remove(variant)
                    break
        kept = _versions_of_the_day(project, variants)
        base = project.matrix.bases[base_name]
        target = resolve.Target(
            python=base.python,
            glibc=base.glibc,
            exclude_newer=project.exclude_newer,
            # What a source gives counts more than what the default index gave while it was not reached.
            kept={name: version for name, version in kept.items() if name not in fetched},
        )
        results = resolve.lock_base(variants, target, wheel_directories=folders)
        new = [package for lock in results.values() if isinstance(lock, Lock) for package in lock.packages]
        # Rows whose wheel source was not reached keep their locks.
        old = [variant for variant in project.variants if variant.base_name == base_name and variant not in variants]
        if any(package.source_only for package in new) or any(_has_source_only(project, variant) for variant in old):
            results[locks.BUILD] = _build_lock(project, base_name, target)
        return results

    with ThreadPoolExecutor() as pool:
        for base_name, results in zip(base_names, pool.map(lock, base_names), strict=True):
            for title, result in results.items():
                if isinstance(result, Lock):
                    made[str(locks.path(paths.locks, base_name, title).relative_to(paths.root))] = result
                else:
                    failed[title] = result
    if failed:
        return Locking(locks={}, not_reached=not_reached, replaced=replaced, failed=failed)
    python, glibc = _TOOLS_TARGET
    requirements = tools_requirements(project)
    made[f"locks/{TOOLS}.txt"] = Lock(
        title=TOOLS,
        python=python,
        platform=locks.platform(glibc),
        exclude_newer=project.exclude_newer,
        requirements=requirements,
        packages=resolve.resolve(
            requirements, resolve.Target(python=python, glibc=glibc, exclude_newer=project.exclude_newer)
        ),
    )
    return Locking(locks=made, not_reached=not_reached, replaced=replaced, failed=failed)


def _may_be_replaced(project: Project, variant: Variant, source_name: str, wanted: Sequence[str]) -> bool:
    """Whether the default index takes the place of a wheel source that is not reached.

    It does where the matrix says so and asks for no local version (``+cpu``), which no public index has, unless the
    row has a valid lock already that was made where the source is reached.
    """
    if not wheel_sources.may_be_replaced(dict(variant.wheel_sources)[source_name], wanted):
        return False
    if stale_locks(project, [variant]).get(project.lock_path(variant)):
        return True
    return not wheel_sources.locked(variant, project.lock(variant).versions())


def _build_lock(project: Project, base_name: str, target: resolve.Target) -> Lock | resolve.UnsatisfiableError:
    """The lock of what source-only packages of a base are built with."""
    try:
        before = locks.read(locks.path(project.paths.locks, base_name, locks.BUILD))
    except LockError:
        before = None
    kept = before.versions() if before is not None and before.exclude_newer == target.exclude_newer else {}
    try:
        packages = resolve.resolve(BUILD_REQUIREMENTS, dataclasses.replace(target, kept=kept))
    except resolve.UnsatisfiableError as failure:
        return failure
    return Lock(
        title=locks.BUILD,
        python=target.python,
        platform=locks.platform(target.glibc),
        exclude_newer=target.exclude_newer,
        requirements=BUILD_REQUIREMENTS,
        packages=packages,
    )


def _versions_of_the_day(project: Project, variants: Sequence[Variant]) -> dict[str, str]:
    """What the locks that there are say for the day of the matrix; another day means newer packages."""
    kept: dict[str, str] = {}
    for variant in variants:
        try:
            lock = locks.read(locks.path(project.paths.locks, variant.base_name, variant.name))
        except LockError:
            continue
        if lock is not None and lock.exclude_newer == project.exclude_newer:
            kept = lock.versions() | kept
    return kept


def fetch_wheels(paths: Paths, variant: Variant, name: str, wanted: Sequence[str]) -> Path:
    """Fetch what a variant takes from one extra wheel source; the folder with its wheels.

    Raises:
        SourceNotReachedError: No place of the source gives them.
    """
    source = dict(variant.wheel_sources)[name]
    return wheel_sources.fetch(
        name,
        source,
        wanted,
        paths=paths,
        image_name=variant.name,
        python=variant.base.python,
        glibc=variant.base.glibc,
    )
