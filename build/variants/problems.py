"""Mistakes in a matrix that its schema does not find.  Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
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
    names = _Names(loaded)
    return [*names.of_axes(), *names.of_cuda(), *names.of_frameworks(), *names.of_includes()]


class _Names:
    """The names that a matrix uses, against those that it defines."""

    def __init__(self, loaded: LoadedMatrix) -> None:
        self.loaded = loaded
        self.matrix = loaded.matrix
        self.devices = [CPU, *self.matrix.cuda]

    def of_axes(self) -> Iterator[Problem]:
        yield from self._check_all("base", self.matrix.axes.base, "axes", "base")
        yield from self._check_all("device", self.matrix.axes.device, "axes", "device")

    def of_cuda(self) -> Iterator[Problem]:
        for name, cuda in self.matrix.cuda.items():
            number = name.removeprefix("cuda")
            if not f"{cuda.version}.".startswith(f"{number}."):
                version = Version(cuda.version)
                yield Problem(
                    what=f"'{name}' pins CUDA {cuda.version}, but image names would say {number}",
                    where=self.loaded.where("cuda", name, "version"),
                    fix=f"call it cuda{version.major}.{version.minor}, or pin a version {number}.z",
                )
            for base_name in cuda.images:
                yield from self._check("base", base_name, "cuda", name, "images", base_name)

    def of_frameworks(self) -> Iterator[Problem]:
        for name, framework in self.matrix.frameworks.items():
            keys = ("frameworks", name)
            yield from self._check("wheel source", framework.wheel_source, *keys, "wheel-source")
            for version_key, version in framework.versions.items():
                here = (*keys, "versions", version_key)
                yield from self._check_all("base", version.bases or (), *here, "bases")
                yield from self._check_all("device", version.devices or (), *here, "devices")
                for section, pins in (("cpu", version.cpu), ("gpu", version.gpu)):
                    yield from self._check("wheel source", pins.wheel_source, *here, section, "wheel-source")

    def of_includes(self) -> Iterator[Problem]:
        for index, cell in enumerate(self.matrix.include):
            yield from self._check("framework", cell.framework, "include", index, "framework")
            if cell.framework in self.matrix.frameworks:
                versions = self.matrix.frameworks[cell.framework].versions
                section = f"frameworks.{cell.framework}.versions"
                if cell.version not in versions:
                    yield self._undefined("version", cell.version, section, versions, "include", index, "version")
            yield from self._check("base", cell.base, "include", index, "base")
            yield from self._check("device", cell.device, "include", index, "device")

    def _check_all(self, kind: str, names: Sequence[str], *keys: str | int) -> Iterator[Problem]:
        """Check the names of a list, which is at these keys."""
        seen: set[str] = set()
        for index, name in enumerate(names):
            yield from self._check(kind, name, *keys, index)
            if name in seen:
                yield Problem(
                    what=f"the {kind} '{name}' is listed twice",
                    where=self.loaded.where(*keys, index),
                    fix="keep one of the two",
                )
            seen.add(name)

    def _check(self, kind: str, name: str | None, *keys: str | int) -> Iterator[Problem]:
        """Report a name that is not defined. The keys are its place in the matrix; None needs no check."""
        section, defined = {
            "base": ("bases", self.matrix.bases),
            "device": ("devices", self.devices),
            "framework": ("frameworks", self.matrix.frameworks),
            "wheel source": ("wheel-sources", self.matrix.wheel_sources),
        }[kind]
        if name is not None and name not in defined:
            yield self._undefined(kind, name, section, defined, *keys)

    def _undefined(self, kind: str, name: str, section: str, defined: Iterable[str], *keys: str | int) -> Problem:
        heading = "cuda" if section == "devices" else section
        return Problem(
            what=f"the {kind} '{name}' is not defined",
            where=self.loaded.where(*keys),
            fix=nearest(name, defined, called=f"defined {section}") + f" (or define it under '{heading}:')",
        )


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
        cells, before = list(product), ""
        for axis, glob in globs.items():
            values = {str(getattr(cell, axis)) for cell in cells}
            cells = [cell for cell in cells if fnmatchcase(getattr(cell, axis), glob)]
            if not cells:
                of = f" of {before}" if before else ""
                problems.append(
                    Problem(
                        what=f"this exclude matches nothing: no cell{of} has the {axis} '{glob}'",
                        where=loaded.where("exclude", index, axis),
                        fix=nearest(glob, values, called=f"there is {axis}") + " (or remove it, if it is obsolete)",
                    )
                )
                break
            before += (", " if before else "") + f"{axis} '{glob}'"
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
            + (f" (and {len(names) - 1} more names)" if len(names) > 1 else "")
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


def place(loaded: LoadedMatrix, cell: Cell, impossible: Impossible) -> str:
    """Return where a cell that cannot be built comes from: a key of its version, the axes, or an ``include``."""
    if impossible.key == "devices":
        for index, item in enumerate(loaded.matrix.include):
            if Cell(item.framework, item.version, item.base, item.device) == cell:
                return loaded.where("include", index, "device")
        if not loaded.matrix.frameworks[cell.framework].versions[cell.version].devices:
            return loaded.where("axes", "device")
    return loaded.where("frameworks", cell.framework, "versions", cell.version, impossible.key)
