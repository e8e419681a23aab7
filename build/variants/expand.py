"""Expand the matrix into its variants: the product of the axes, less ``exclude``, plus ``include``.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from build.matrix.problems import Problem, report
from build.matrix.reader import LoadedMatrix
from build.variants.cell import Cell, cell_name, excludes, exclusions, product
from build.variants.make import make
from build.variants.problems import idle_excludes, idle_groups, place, same_names, undefined
from build.variants.variant import Variant


def expand(loaded: LoadedMatrix) -> tuple[Variant, ...]:
    """Return all variants, sorted by name.

    Args:
        loaded: The matrix.

    Raises:
        MatrixError: A name is not defined, two variants have the same name, an exclude or a group matches nothing,
            an include repeats a cell, or an image cannot be built. The error lists all problems.
    """
    matrix, problems = loaded.matrix, undefined(loaded)
    if not problems:
        whole = product(matrix)
        problems += idle_excludes(loaded, whole)
        globs_of_each = exclusions(matrix)
        cells = [cell for cell in whole if not any(excludes(globs, cell) for globs in globs_of_each)]
        places = {cell: ("frameworks", cell.framework, "versions", cell.version) for cell in cells}
        problems += _add_included(loaded, cells, places)
        variants = []
        impossible: dict[str, Problem] = {}
        for cell in cells:
            variant = make(matrix, cell)
            if isinstance(variant, Variant):
                variants.append(variant)
            else:
                problem = Problem(what=variant.what, where=place(loaded, cell, variant))
                impossible.setdefault(f"{problem.where} {problem.what}", problem)
        problems += impossible.values()
        problems += same_names(loaded, cells)
        if not cells:
            what = "every cell is excluded: there is no image"
            problems.append(Problem(what=what, where=loaded.where("exclude")))
        elif not problems:
            problems += idle_groups(loaded, variants)
        if not problems:
            return tuple(sorted(variants, key=lambda variant: variant.name))
    raise report(loaded.file, problems)


@dataclass(frozen=True, kw_only=True)
class Excluded:
    """A cell of the product of the axes that is left out."""

    #: The name that its image would have.
    name: str
    #: The image that it would be, or why it cannot be built.
    variant: Variant | str
    #: The excludes that match it: their indexes in the matrix.
    by: tuple[int, ...]


def excluded(loaded: LoadedMatrix) -> tuple[Excluded, ...]:
    """Return the cells that a matrix excludes, in the order of its frameworks and axes.

    Args:
        loaded: A matrix that ``expand`` accepts.
    """
    matrix, globs_of_each = loaded.matrix, exclusions(loaded.matrix)
    left_out = []
    for cell in product(matrix):
        by = tuple(index for index, globs in enumerate(globs_of_each) if excludes(globs, cell))
        if by:
            variant = make(matrix, cell)
            made = variant if isinstance(variant, Variant) else variant.what
            left_out.append(Excluded(name=cell_name(matrix, cell), variant=made, by=by))
    return tuple(left_out)


def _add_included(loaded: LoadedMatrix, cells: list[Cell], places: Mapping[Cell, tuple[str, ...]]) -> list[Problem]:
    """Append the included cells, and return a problem for each that repeats a cell."""
    problems = []
    included: dict[Cell, int] = {}
    for index, item in enumerate(loaded.matrix.include):
        cell = Cell(item.framework, item.version, item.base, item.device)
        if cell in included:
            what = f"this include repeats another one: {loaded.where('include', included[cell])}"
        elif cell in places:
            what = f"this include is already in the product of the axes: {loaded.where(*places[cell])}"
        else:
            included[cell] = index
            cells.append(cell)
            continue
        problems.append(Problem(what=what, where=loaded.where("include", index), fix="remove it"))
    return problems
