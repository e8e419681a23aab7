"""Stale locks: locks that no longer belong to the matrix.  Pure apart from reading the locks; needs no network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from build.errors import LockError
from build.locks import lock as locks
from build.locks.lock import Lock
from build.locks.store import LockStore
from build.matrix.model import Matrix
from build.requirements import allows, distribution_name, parse
from build.variants.variant import Variant


@dataclass(frozen=True, kw_only=True)
class Expected:
    """The lock that the matrix needs, as far as it is known before resolving."""

    base_name: str
    #: The image name, ``server``, ``build`` or ``tools``.
    title: str
    requirements: tuple[str, ...]
    python: str
    glibc: str
    #: ISO date.
    exclude_newer: str
    #: Distributions that are left out although a package requires them.
    without: tuple[str, ...] = ()


def expected_locks(matrix: Matrix, store: LockStore, variants: Sequence[Variant]) -> Iterator[Expected]:
    """Yield what the matrix requires of the locks of some images, of their bases, and of the builder's tools.

    Args:
        matrix: The matrix.
        store: The project's locks; they tell which bases have source-only packages.
        variants: The images.
    """
    day = matrix.project.exclude_newer.isoformat()
    shared: set[tuple[str, str]] = set()

    def of_base(variant: Variant, title: str, requirements: tuple[str, ...]) -> Iterator[Expected]:
        if (variant.base_name, title) not in shared:
            shared.add((variant.base_name, title))
            yield _expected(variant, title, requirements, day)

    for variant in variants:
        if store.has_source_only(variant):
            yield from of_base(variant, locks.BUILD, locks.BUILD_REQUIREMENTS)
        yield from of_base(variant, locks.SERVER, variant.server_contract)
        yield _expected(variant, variant.name, variant.requirements, day, variant.left_out)
    python, glibc = locks.TOOLS_PLATFORM
    yield Expected(
        base_name=".",
        title=locks.TOOLS,
        requirements=locks.tools_requirements(matrix),
        python=python,
        glibc=glibc,
        exclude_newer=day,
    )


def _expected(
    variant: Variant, title: str, requirements: tuple[str, ...], day: str, without: tuple[str, ...] = ()
) -> Expected:
    return Expected(
        base_name=variant.base_name,
        title=title,
        requirements=requirements,
        python=variant.base.python,
        glibc=variant.base.glibc,
        exclude_newer=day,
        without=without,
    )


def stale_locks(matrix: Matrix, store: LockStore, variants: Sequence[Variant]) -> dict[str, list[str]]:
    """Return the locks that no longer belong to the matrix, also missing and damaged ones: path → reasons.

    Args:
        matrix: The matrix.
        store: The project's locks.
        variants: The images whose locks are compared.
    """
    stale: dict[str, list[str]] = {}
    for expected in expected_locks(matrix, store, variants):
        try:
            lock = store.find(expected.base_name, expected.title)
        except LockError as failure:
            reasons = [failure.what]
        else:
            reasons = ["it does not exist"] if lock is None else staleness(lock, expected)
        if reasons:
            stale[store.relative(expected.base_name, expected.title)] = reasons
    return stale


def staleness(lock: Lock, expected: Expected) -> list[str]:
    """Return why a lock no longer belongs to the matrix, one sentence per reason; empty if it does."""
    reasons = []
    added = [item for item in expected.requirements if item not in lock.requirements]
    removed = [item for item in lock.requirements if item not in expected.requirements]
    if added or removed:
        changes = [f"+{item}" for item in added] + [f"-{item}" for item in removed]
        reasons.append("the requirements in the matrix have changed: " + ", ".join(changes))
    if set(lock.without) != set(expected.without):
        now, before = (", ".join(names) or "nothing" for names in (expected.without, lock.without))
        reasons.append(f"the matrix leaves out {now}, the lock leaves out {before}")
    if lock.python != expected.python:
        reasons.append(f"it is for Python {lock.python}, but the base has {expected.python}")
    platform = locks.platform(expected.glibc)
    if lock.platform != platform:
        reasons.append(f"it is for {lock.platform}, but the base is {platform}")
    if lock.exclude_newer != expected.exclude_newer:
        reasons.append(
            f"it was made with exclude-newer {lock.exclude_newer}, but the matrix has {expected.exclude_newer}"
        )
    pinned = lock.versions()
    for item in expected.requirements:
        requirement = parse(item)
        version = pinned.get(distribution_name(item))
        if version is None:
            reasons.append(f"it lacks {requirement.name}")
        elif not allows(item, version):
            reasons.append(f"it has {requirement.name} {version}, but the matrix requires {requirement.specifier}")
    return reasons
