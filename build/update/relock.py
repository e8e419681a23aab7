"""Make the locks of a project whose pins have moved, and find the pins that cannot move after all.

Effects: the network; runs uv; reads and writes ``.pipeline/``.  No lock is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from build.feasibility import resolving
from build.feasibility.facts import Facts
from build.locks.make import NewLocks
from build.variants.variant import Variant

#: Length of a reason: the resolver's words may be pages.
_REASON = 400


@dataclass(frozen=True, kw_only=True)
class Remade:
    """The locks of a project whose pins have moved, and what stands against them."""

    locks: NewLocks
    #: Image name → why it cannot be built with the pins that it has.
    failed: Mapping[str, str]
    #: Base → why the server cannot be installed on it; its images fail for that reason alone.
    servers: Mapping[str, str]


def make(facts: Facts, variants: Sequence[Variant]) -> Remade:
    """Resolve images of a project.

    Args:
        facts: Of the project with the moved pins; prepared.
        variants: The images.

    Raises:
        LockError: The failure has nothing to do with an image.
        NetworkError: An index does not answer.
    """
    resolved = resolving.resolve(facts, variants, facts.project.build_base_names(variants))
    failed = {verdict.name: verdict.says for verdict in resolved.failed}
    for name, sentences in resolved.contradictions.items():
        failed[name] = f"its CUDA would have to change with it: {'; '.join(sentences)}"
    servers = resolved.locks.failed_servers
    return Remade(
        locks=resolved.locks,
        failed={name: _short(reason) for name, reason in failed.items()},
        servers={base: _short(failure.details or failure.what) for base, failure in servers.items()},
    )


def _short(reason: str) -> str:
    words = " ".join(reason.split())
    return words if len(words) <= _REASON else f"{words[:_REASON]} …"
