"""Mistakes in a matrix that its schema does not find.  Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from packaging.version import Version

from build.matrix.problems import Problem, nearest
from build.matrix.reader import LoadedMatrix
from build.variants.cell import Cell, cell_name, exclusions
from build.variants.make import Impossible
from build.variants.names import group_members, nearest_names
from build.variants.variant import CPU, Variant


def undefined(loaded: LoadedMatrix) -> list[Problem]:
    """Find names that are not defined, names that are listed twice, and CUDA names that differ from their versions."""
    matrix = loaded.matrix
    problems: list[Problem] = []

    def check(kind: str, section: str, name: str, known: Iterable[str], *keys: str | int) -> None:
        names = list(known)
        if name not in names:
            place = "cuda" if section == "devices" else section
            fix = nearest(name, names, called=f"defined {section}") + f" (or define it under '{place}:')"
            what = f"the {kind} '{name}' is not defined"
            problems.append(Problem(what=what, where=loaded.where(*keys), fix=fix))

    def check_list(kind: str, section: str, names: Sequence[str], known: Sequence[str], *keys: str | int) -> None:
        for index, name in enumerate(names):
            check(kind, section, name, known, *keys, index)
            if name in names[:index]:
                problems.append(
                    Problem(
                        what=f"the {kind} '{name}' is listed twice",
                        where=loaded.where(*keys, index),
                        fix="keep one of the two",
                    )
                )

    bases, devices = list(matrix.bases), [CPU, *matrix.cuda]
    check_list("base", "bases", matrix.axes.base, bases, "axes", "base")
    check_list("device", "devices", matrix.axes.device, devices, "axes", "device")
    for name, cuda in matrix.cuda.items():
        number = name.removeprefix("cuda")
        if not f"{cuda.version}.".startswith(f"{number}."):
            minor = ".".join(map(str, Version(cuda.version).release[:2]))
            problems.append(
                Problem(
                    what=f"'{name}' pins CUDA {cuda.version}: image names would promise {number}",
                    where=loaded.where("cuda", name, "version"),
                    fix=f"call it cuda{minor}, or pin a version {number}.z",
                )
            )
        for base_name in cuda.images:
            check("base", "bases", base_name, bases, "cuda", name, "images", base_name)
    for framework_name, framework in matrix.frameworks.items():
        keys = ("frameworks", framework_name)
        if framework.wheel_source is not None:
            source = framework.wheel_source
            check("wheel source", "wheel-sources", source, matrix.wheel_sources, *keys, "wheel-source")
        for version_key, version in framework.versions.items():
            here = (*keys, "versions", version_key)
            check_list("base", "bases", version.bases or (), bases, *here, "bases")
            check_list("device", "devices", version.devices or (), devices, *here, "devices")
            for section, pins in (("cpu", version.cpu), ("gpu", version.gpu)):
                if pins.wheel_source is not None:
                    source = pins.wheel_source
                    check("wheel source", "wheel-sources", source, matrix.wheel_sources, *here, section, "wheel-source")
    for index, cell in enumerate(matrix.include):
        check("framework", "frameworks", cell.framework, matrix.frameworks, "include", index, "framework")
        if cell.framework in matrix.frameworks:
            versions = matrix.frameworks[cell.framework].versions
            section = f"frameworks.{cell.framework}.versions"
            check("version", section, cell.version, versions, "include", index, "version")
        check("base", "bases", cell.base, bases, "include", index, "base")
        check("device", "devices", cell.device, devices, "include", index, "device")
    return problems


def idle_excludes(loaded: LoadedMatrix, product: Sequence[Cell]) -> list[Problem]:
    """Find excludes that match no cell, and the first key that leaves none."""
    problems = []
    for index, globs in enumerate(exclusions(loaded.matrix)):
        if not globs:
            problems.append(
                Problem(
                    what="this exclude would exclude everything",
                    where=loaded.where("exclude", index),
                    fix=f"give it one or more of {', '.join(Cell._fields)}",
                )
            )
        left, said = list(product), ""
        for axis, glob in globs.items():
            there = {str(getattr(cell, axis)) for cell in left}
            left = [cell for cell in left if fnmatchcase(getattr(cell, axis), glob)]
            if not left:
                of = f" of {said}" if said else ""
                problems.append(
                    Problem(
                        what=f"this exclude matches nothing: no cell{of} has the {axis} '{glob}'",
                        where=loaded.where("exclude", index, axis),
                        fix=nearest(glob, there, called=f"there is {axis}") + " (or remove it, if it is obsolete)",
                    )
                )
                break
            said += (", " if said else "") + f"{axis} '{glob}'"
    return problems


def same_names(loaded: LoadedMatrix, cells: Sequence[Cell]) -> list[Problem]:
    """Find cells of the same name: two bases with one OS and Python, or 'a-1' without a version and 'a' with '1'."""
    first: dict[str, Cell] = {}
    pairs: dict[tuple[str, str], list[str]] = defaultdict(list)
    for cell in cells:
        name = cell_name(loaded.matrix, cell)
        other = first.setdefault(name, cell)
        if other.base != cell.base:
            pairs[loaded.where("bases", other.base), loaded.where("bases", cell.base)].append(name)
        elif other != cell:
            pairs[
                loaded.where("frameworks", other.framework, "versions", other.version),
                loaded.where("frameworks", cell.framework, "versions", cell.version),
            ].append(name)
    return [
        Problem(
            what=f"two variants are called {names[0]}"
            + (f" (and {len(names) - 1} names more)" if len(names) > 1 else "")
            + f": one is of {one}",
            where=other,
            fix="two bases need another 'os' or 'python'; or exclude one of the two",
        )
        for (one, other), names in pairs.items()
    ]


def idle_groups(loaded: LoadedMatrix, variants: Sequence[Variant]) -> list[Problem]:
    """Find patterns of groups that match no image."""
    return [
        Problem(
            what=f"'{glob}' in the group '{name}' matches no image",
            where=loaded.where("groups", name, index),
            fix=nearest_names(variants, [glob]),
        )
        for name, globs in loaded.matrix.groups.items()
        for index, glob in enumerate(globs)
        if not group_members(variants, [glob])
    ]


def place(loaded: LoadedMatrix, cell: Cell, found: Impossible) -> str:
    """Return where a cell that cannot be built comes from: a key of its version, the axes, or an ``include``."""
    if found.key == "devices":
        for index, item in enumerate(loaded.matrix.include):
            if Cell(item.framework, item.version, item.base, item.device) == cell:
                return loaded.where("include", index, "device")
        if not loaded.matrix.frameworks[cell.framework].versions[cell.version].devices:
            return loaded.where("axes", "device")
    return loaded.where("frameworks", cell.framework, "versions", cell.version, found.key)
