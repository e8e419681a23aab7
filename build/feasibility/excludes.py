"""Whether what a matrix excludes as impossible still is: by the facts of the indexes, and only then by the resolver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from build.feasibility.cells import QUESTIONS, RESOLUTIONS, Verdict, blamed, built_from_source, verdict, with_neighbours
from build.feasibility.facts import Facts
from build.locks import resolve
from build.locks.lock import LockedPackage
from build.locks.resolve import UnsatisfiableError
from build.variants.expand import Excluded, excluded
from build.variants.variant import Variant


@dataclass(frozen=True, kw_only=True)
class CheckedExclude:
    """One exclude of the matrix and its cells; those that another exclude leaves out by choice are not among them."""

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
    """Whether the cells that a matrix excludes as impossible still are, in the order of the excludes.

    Args:
        facts: What the indexes have.

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
    with ThreadPoolExecutor(max_workers=QUESTIONS) as pool:
        quick = list(pool.map(lambda cell: _by_facts(facts, cell), cells))
    open_ = [item.variant for item in quick if item.possible and item.variant is not None]
    resolved = _resolve_all(facts, open_)
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


def _by_facts(facts: Facts, cell: Excluded) -> Verdict:
    """The cheap part: the cell's own pins, its framework first, until one has no wheel."""
    if isinstance(cell.variant, str):
        return Verdict(name=cell.name, variant=None, reason=cell.variant)
    variant = cell.variant
    found = Verdict(name=cell.name, variant=variant)
    for requirement in dict.fromkeys((*variant.own_contract, *variant.requirements)):
        one = verdict(facts, cell.name, variant, [requirement])
        if one.findings:
            return one
        if one.not_reached and not found.not_reached:
            found = one
    return found


def _resolve_all(facts: Facts, variants: Sequence[Variant]) -> Mapping[str, Verdict]:
    """The expensive part: ask the resolver for cells all of whose own pins have wheels."""

    def one(variant: Variant) -> Verdict:
        def ask(*, only_wheels: bool) -> tuple[LockedPackage, ...]:
            return resolve.resolve(
                variant.requirements,
                facts.target(variant),
                without=variant.left_out,
                wheel_directories=facts.links(variant),
                only_wheels=only_wheels,
            )

        try:
            try:
                ask(only_wheels=True)
            except UnsatisfiableError as failure:
                if not any(facts.source_only(variant, text) for text in blamed(failure.details or "")):
                    raise
                found = built_from_source(facts, variant, ask(only_wheels=False))
                return Verdict(name=variant.name, variant=variant, findings=found)
        except UnsatisfiableError as failure:
            return Verdict(name=variant.name, variant=variant, reason=failure.details or failure.what)
        return Verdict(name=variant.name, variant=variant)

    with ThreadPoolExecutor(max_workers=RESOLUTIONS) as pool:
        return {found.name: found for found in pool.map(one, variants)}
