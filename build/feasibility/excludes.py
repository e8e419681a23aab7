"""Whether the cells that a matrix excludes as impossible still are: the indexes are asked first, then the resolver.

Effects: searches indexes and runs uv.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from build.feasibility.cells import QUESTIONS, RESOLUTIONS, Verdict, blamed, built_from_source, verdict, with_neighbours
from build.feasibility.facts import Facts
from build.locks import resolve
from build.locks.lock import LockedPackage
from build.locks.resolve import UnsatisfiableError
from build.system import processes
from build.variants.expand import Excluded, excluded
from build.variants.variant import Variant


@dataclass(frozen=True, kw_only=True)
class CheckedExclude:
    """One exclude of the matrix and its cells, without those that another exclude leaves out by choice."""

    #: Its place in the matrix's list.
    index: int
    cells: tuple[Verdict, ...]

    @property
    def possible(self) -> tuple[Verdict, ...]:
        return tuple(cell for cell in self.cells if cell.possible)

    @property
    def impossible(self) -> tuple[Verdict, ...]:
        return tuple(cell for cell in self.cells if cell.impossible)

    @property
    def unknown(self) -> tuple[Verdict, ...]:
        return tuple(cell for cell in self.cells if not (cell.possible or cell.impossible))


def check_excludes(facts: Facts) -> tuple[CheckedExclude, ...]:
    """Return the excludes of a matrix that call cells impossible, with a verdict per cell, in the matrix's order.

    Args:
        facts: The files in the indexes.

    Raises:
        NetworkError: The index cannot be reached.
    """
    exclusions = facts.project.matrix.exclude
    facts.prepare()
    cells = [
        cell
        for cell in excluded(facts.project.loaded)
        if not any(exclusions[index].because == "choice" for index in cell.by)
    ]
    with processes.worker_threads(QUESTIONS) as pool:
        quick = list(pool.map(lambda cell: _from_indexes(facts, cell), cells))
    undecided = [item.variant for item in quick if item.possible and item.variant is not None]
    resolved = _from_resolver(facts, undecided)
    verdicts = {item.name: resolved.get(item.name, item) for item in quick}
    return tuple(
        CheckedExclude(
            index=index,
            cells=tuple(
                with_neighbours(facts, verdicts[cell.name], facts.project.variants)
                for cell in cells
                if index in cell.by
            ),
        )
        for index in sorted({index for cell in cells for index in cell.by})
    )


def _from_indexes(facts: Facts, cell: Excluded) -> Verdict:
    """Look up a cell's own pins, those of its framework first, until one has no wheel; this is cheap."""
    if isinstance(cell.variant, str):
        return Verdict(name=cell.name, variant=None, reason=cell.variant)
    variant = cell.variant
    result = Verdict(name=cell.name, variant=variant)
    for requirement in dict.fromkeys((*variant.own_contract, *variant.requirements)):
        one = verdict(facts, cell.name, variant, [requirement])
        if one.findings:
            return one
        if one.not_reached and not result.not_reached:
            result = one
    return result


def _from_resolver(facts: Facts, variants: Sequence[Variant]) -> Mapping[str, Verdict]:
    """Resolve cells all of whose own pins have wheels; this is expensive."""
    with processes.worker_threads(RESOLUTIONS) as pool:
        return {result.name: result for result in pool.map(lambda variant: _resolved(facts, variant), variants)}


def _resolved(facts: Facts, variant: Variant) -> Verdict:
    def resolved(*, only_wheels: bool) -> tuple[LockedPackage, ...]:
        return resolve.resolve(
            variant.requirements,
            facts.target(variant),
            without=variant.left_out,
            wheel_directories=facts.links(variant),
            only_wheels=only_wheels,
        )

    try:
        try:
            resolved(only_wheels=True)
        except UnsatisfiableError as failure:
            if not any(facts.source_only(variant, text) for text in blamed(failure.details or "")):
                raise
            findings = built_from_source(facts, variant, resolved(only_wheels=False))
            return Verdict(name=variant.name, variant=variant, findings=findings)
    except UnsatisfiableError as failure:
        return Verdict(name=variant.name, variant=variant, reason=failure.details or failure.what)
    return Verdict(name=variant.name, variant=variant)
