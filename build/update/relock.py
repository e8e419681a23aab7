"""Make the locks of a project whose pins have moved, and find the pins that cannot move after all.

Effects: the network; runs uv; reads and writes ``.pipeline/``.  No lock is written.
"""

from __future__ import annotations

from build.errors import LockError
from build.feasibility import cuda_agreement
from build.feasibility.cells import built_from_source, explain_failure
from build.feasibility.facts import Facts
from build.locks import lock as locks
from build.locks.make import NewLocks, make_locks

#: Length of a reason: the resolver's words may be pages.
_REASON = 400


def make(facts: Facts) -> tuple[NewLocks, dict[str, str]]:
    """Resolve all images of a project.

    Args:
        facts: Of the project with the moved pins; prepared.

    Returns:
        The locks, and image name → why it cannot be built with the pins that it has.

    Raises:
        LockError: The failure has nothing to do with an image.
        NetworkError: An index does not answer.
    """
    project = facts.project
    new = make_locks(project.matrix, project.variants, project.locks, project.build_base_names(project.variants))
    images = {variant.name: variant for variant in project.variants}
    refused: dict[str, str] = {}
    for title, failure in new.failed.items():
        if title in images:
            refused[title] = explain_failure(facts, images[title], failure.details or failure.what).says
        elif title == locks.SERVER:  # in every image of some base; those of others are refused too, to be safe
            refused |= dict.fromkeys(images.keys() - refused.keys(), failure.details or failure.what)
        else:
            raise failure
    for name, variant in images.items():
        lock = new.locks.get(project.lock_path(variant))
        if lock is not None and (findings := built_from_source(facts, variant, lock.packages)):
            refused[name] = "; ".join(finding.says for finding in findings)
    for name, sentences in cuda_agreement.contradictions(project, new.locks).items():
        refused[name] = f"its CUDA would have to change with it: {'; '.join(sentences)}"
    return new, {name: _short(reason) for name, reason in refused.items()}


def cannot_be_locked(facts: Facts, refused: dict[str, str]) -> LockError:
    """Return the error for images that cannot be built although none of their pins moved."""
    name, reason = next(iter(refused.items()))
    variant = facts.project.variant(name)
    keys = ("frameworks", variant.framework, "versions", variant.version or "n/a")
    return LockError(
        f"{name} cannot be locked as of {facts.project.exclude_newer}: {reason}",
        where=facts.project.loaded.where(*keys),
        fix="correct its pins, then run it again; nothing was written",
    )


def _short(reason: str) -> str:
    words = " ".join(reason.split())
    return words if len(words) <= _REASON else f"{words[:_REASON]} …"
