"""Resolving images, and the reasons for which some of them cannot be built.

The images of a base agree on versions. If one of them cannot be built, the others are resolved again without it.

Effects: searches indexes, runs uv; reads and writes ``.pipeline/``.  No lock is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from build.feasibility import cuda_agreement
from build.feasibility.cells import Verdict, built_from_source, explain_failure
from build.feasibility.facts import Facts
from build.locks.lock import Lock
from build.locks.make import NewLocks, make_locks
from build.variants.variant import Variant


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """New locks, and the images that cannot be built."""

    locks: NewLocks
    #: By the index's or the resolver's answer.
    failed: tuple[Verdict, ...] = ()
    #: Image name → how its CUDA contradicts the matrix or its framework, in sentences.
    contradictions: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def failed_names(self) -> frozenset[str]:
        """The names of all images that cannot be built."""
        return frozenset(verdict.name for verdict in self.failed) | self.contradictions.keys()


def resolve(facts: Facts, variants: Sequence[Variant], base_names: Sequence[str]) -> Resolved:
    """Resolve the images of some bases, and check that the results can be built.

    Args:
        facts: Prepared.
        variants: The images.
        base_names: The bases.

    Raises:
        UnsatisfiableError: The packages that source-only packages are built with, or the tools, cannot be resolved.
        NetworkError: An index does not answer.
    """
    project = facts.project
    new = make_locks(project.matrix, variants, project.locks, base_names)
    for unsatisfiable in new.failed_builds.values():
        raise unsatisfiable
    verdicts = []
    for variant in variants:
        failure = new.failed.get(variant.name) or new.failed_servers.get(variant.base_name)
        lock = new.locks.get(project.lock_path(variant))
        if failure is not None:
            verdicts.append(explain_failure(facts, variant, failure.details or failure.what))
        elif lock is not None and (findings := built_from_source(facts, variant, lock.packages)):
            verdicts.append(Verdict(name=variant.name, variant=variant, findings=findings))
    contradictions = cuda_agreement.contradictions(project, new.locks)
    return Resolved(locks=new, failed=tuple(verdicts), contradictions=contradictions)


def resolve_rest(facts: Facts, variants: Sequence[Variant]) -> Resolved:
    """Resolve images until all that are left can be built; the locks are those of the images that are left.

    Args:
        facts: Prepared.
        variants: The images.

    Raises:
        UnsatisfiableError: The packages that source-only packages are built with, or the tools, cannot be resolved.
        NetworkError: An index does not answer.
    """
    rest = list(variants)
    done = Resolved(locks=NewLocks())
    base_names = facts.project.build_base_names(rest)
    while True:
        made = resolve(facts, rest, base_names)
        bases = {variant.base_name for variant in rest if variant.name in made.failed_names}
        locks = {path: lock for path, lock in made.locks.locks.items() if Path(path).parent.name not in bases}
        done = Resolved(
            locks=_together(done.locks, made.locks, locks),
            failed=(*done.failed, *made.failed),
            contradictions={**done.contradictions, **made.contradictions},
        )
        if not bases:
            return done
        rest = [variant for variant in rest if variant.name not in made.failed_names]
        base_names = tuple(sorted(bases))


def _together(before: NewLocks, after: NewLocks, locks: Mapping[str, Lock]) -> NewLocks:
    """Return the results of two rounds as one."""
    return NewLocks(
        locks={**before.locks, **locks},
        not_reached={**before.not_reached, **after.not_reached},
        replaced={**before.replaced, **after.replaced},
        failed={**before.failed, **after.failed},
        failed_servers={**before.failed_servers, **after.failed_servers},
    )
