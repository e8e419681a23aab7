"""Cells: the product of the matrix's axes, and the globs that exclude some of them.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from build.matrix.model import Matrix
from build.variants.variant import image_name


class Cell(NamedTuple):
    """One cell of the matrix, by the names of its axes."""

    framework: str
    version: str
    base: str
    device: str


def cell_name(matrix: Matrix, cell: Cell) -> str:
    """Return the image name of a cell."""
    base = matrix.bases[cell.base]
    return image_name(cell.framework, cell.version, base.os, base.python, cell.device)


def product(matrix: Matrix) -> list[Cell]:
    """Return all cells of the axes, those that are excluded included."""
    return [
        Cell(framework_name, version_key, base, device)
        for framework_name, framework in matrix.frameworks.items()
        for version_key, version in framework.versions.items()
        for base in version.bases or matrix.axes.base
        for device in version.devices or matrix.axes.device
    ]


def exclusions(matrix: Matrix) -> list[dict[str, str]]:
    """Return the globs of each exclude: axis → glob."""
    return [
        {axis: glob for axis in Cell._fields if (glob := getattr(item, axis)) is not None} for item in matrix.exclude
    ]


def excludes(globs: Mapping[str, str], cell: Cell) -> bool:
    """Tell whether an exclude matches a cell: each of its globs must."""
    return bool(globs) and all(fnmatchcase(getattr(cell, axis), glob) for axis, glob in globs.items())
