"""Variants: the cells of the matrix, one image each, and how they are selected.

Pure: a loaded matrix in, frozen ``Variant`` out.
"""

from __future__ import annotations

import datetime
import difflib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from build import platforms as markers
from build.errors import UsageError
from build.matrix.lifecycle import has_ended
from build.matrix.model import NO_VERSION, Base, Cuda, Framework, Guard, Lifecycle, Matrix, Patch, WheelSource
from build.matrix.reader import LoadedMatrix, Problem, nearest, report

#: The device of images without a GPU.
CPU = "cpu"
#: What a selection calls all devices but ``cpu``.
GPU = "gpu"
#: Names listed beside a selection that matches nothing.
_LISTED = 8


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One image: a framework version on a base, for a device."""

    #: The image name: ``sklearn-1.9-debian12-py311-cpu-inference``.
    name: str
    #: The repository without the registry: ``azureml/sklearn-1.9-…``.
    repository: str
    framework: str
    framework_title: str
    #: The framework's version key, or None for images without a framework.
    version: str | None
    #: ``cpu``, or the name of an entry of the matrix's ``cuda``.
    device: str
    cuda: Cuda | None
    base_name: str
    base: Base
    #: What is under it: its base, or the one that stands in for it.
    built_on: Base
    #: What its Dockerfile stands on: the base, or ``<base>-<cuda>`` where CUDA comes with Debian packages or an image.
    base_image: str
    #: Promised pins (requirement texts): the server's, the framework's, the version's, in that order.
    contract: tuple[str, ...]
    guards: tuple[Guard, ...]
    #: Extra wheel sources by name.
    wheel_sources: tuple[tuple[str, WheelSource], ...]
    lifecycle: Lifecycle
    #: The part of the contract that every image of the base has: the server's.
    server_contract: tuple[str, ...] = ()
    #: The part of the contract that is this version's own, its framework first; empty without a framework.
    own_contract: tuple[str, ...] = ()
    #: The base that it is built on instead of its own (``--base ubuntu18.04=debian12-py37``).
    stand_in: str | None = None
    #: Distributions that a patch takes out of what a pinned one requires: not resolved and not installed.
    left_out: tuple[str, ...] = ()

    @property
    def builder_base(self) -> str:
        """The base whose Python installs its packages: its own, or the stand-in."""
        return self.stand_in or self.base_name

    @property
    def cuda_absent(self) -> str | None:
        """Why an image for CUDA has none in it, or None where it has: a stand-in base does not bring it."""
        if self.cuda is None or self.stand_in is None:
            return None
        if not self.cuda.debian and self.base_name not in self.cuda.images:
            return None  # all of it is in wheels
        return f"CUDA comes with the base of {self.base_name}; {self.stand_in} stands in for it and has none"

    @property
    def requirements(self) -> tuple[str, ...]:
        """All that the resolver is asked for: promises, guards and, on a GPU, the CUDA packages."""
        cuda = tuple(self.cuda.packages) if self.cuda else ()
        return (*self.contract, *(guard.pin for guard in self.guards), *cuda)


class _Cell(NamedTuple):
    """One cell of the matrix, by the names of its axes."""

    framework: str
    version: str
    base: str
    device: str


def image_name(framework: str, version: str, os: str, python: str, device: str) -> str:
    """The name of an image.

    Args:
        framework: Its name in the matrix.
        version: Its version key; ``NO_VERSION`` is left out.
        os: As names write it: ``debian12``.
        python: The minor version: ``3.11``.
        device: ``cpu``, or the CUDA's name: ``cuda12.5``.
    """
    parts = [framework, *([] if version == NO_VERSION else [version]), os, "py" + python.replace(".", "")]
    parts += [CPU] if device == CPU else [device, GPU]
    return "-".join([*parts, "inference"])


def expand(loaded: LoadedMatrix) -> tuple[Variant, ...]:
    """All variants, sorted by name: the product of the axes, less ``exclude``, plus ``include``.

    Args:
        loaded: The matrix.

    Raises:
        MatrixError: A name that is not defined, two variants of one name, an exclude or a group that matches
            nothing, an include that is there already; all such errors together.
    """
    matrix, problems = loaded.matrix, _undefined(loaded)
    if not problems:
        product = _product(matrix)
        problems += _idle_excludes(loaded, product)
        cells = [cell for cell in product if not any(_excludes(item, cell) for item in _exclusions(matrix))]
        places = {cell: ("frameworks", cell.framework, "versions", cell.version) for cell in cells}
        problems += _add_included(loaded, cells, places)
        variants = []
        impossible: dict[str, Problem] = {}
        for cell in cells:
            variant = _variant(matrix, cell)
            if isinstance(variant, Variant):
                variants.append(variant)
            else:
                problem = Problem(what=variant.what, where=_place(loaded, cell, variant))
                impossible.setdefault(f"{problem.where} {problem.what}", problem)
        problems += impossible.values()
        problems += _same_names(loaded, cells)
        if not cells:
            what = "every cell is excluded: there is no image"
            problems.append(Problem(what=what, where=loaded.where("exclude")))
        elif not problems:
            problems += _idle_groups(loaded, variants)
        if not problems:
            return tuple(sorted(variants, key=lambda variant: variant.name))
    raise report(loaded.file, problems)


@dataclass(frozen=True, kw_only=True)
class Excluded:
    """A cell of the product of the axes that is left out."""

    #: The name that its image would have.
    name: str
    #: The image that it would be, or in words why there can be none.
    variant: Variant | str
    #: The excludes that match it: indexes of the matrix's list.
    by: tuple[int, ...]


def excluded(loaded: LoadedMatrix) -> tuple[Excluded, ...]:
    """The cells that a matrix leaves out, in the order of its frameworks and axes.

    Args:
        loaded: A matrix that ``expand`` takes.
    """
    matrix, exclusions = loaded.matrix, _exclusions(loaded.matrix)
    found = []
    for cell in _product(matrix):
        by = tuple(index for index, globs in enumerate(exclusions) if _excludes(globs, cell))
        if by:
            variant = _variant(matrix, cell)
            made = variant if isinstance(variant, Variant) else variant.what
            found.append(Excluded(name=_name_of(matrix, cell), variant=made, by=by))
    return tuple(found)


def _product(matrix: Matrix) -> list[_Cell]:
    return [
        _Cell(framework_name, version_key, base, device)
        for framework_name, framework in matrix.frameworks.items()
        for version_key, version in framework.versions.items()
        for base in version.bases or matrix.axes.base
        for device in version.devices or matrix.axes.device
    ]


def _undefined(loaded: LoadedMatrix) -> list[Problem]:
    """Names that are used and not defined, names listed twice, CUDA names that do not say what is pinned."""
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
            problems.append(
                Problem(
                    what=f"'{name}' pins CUDA {cuda.version}: image names would promise {number}",
                    where=loaded.where("cuda", name, "version"),
                    fix=f"call it cuda{'.'.join(cuda.version.split('.')[:2])}, or pin a version {number}.z",
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


def _exclusions(matrix: Matrix) -> list[dict[str, str]]:
    """Of each exclude the globs by axis."""
    return [
        {axis: glob for axis in _Cell._fields if (glob := getattr(item, axis)) is not None} for item in matrix.exclude
    ]


def _excludes(globs: Mapping[str, str], cell: _Cell) -> bool:
    return bool(globs) and all(fnmatchcase(getattr(cell, axis), glob) for axis, glob in globs.items())


def _idle_excludes(loaded: LoadedMatrix, product: Sequence[_Cell]) -> list[Problem]:
    """Excludes that match no cell, with the key that is to blame: the first that leaves none."""
    problems = []
    for index, globs in enumerate(_exclusions(loaded.matrix)):
        if not globs:
            problems.append(
                Problem(
                    what="this exclude would exclude everything",
                    where=loaded.where("exclude", index),
                    fix=f"give it one or more of {', '.join(_Cell._fields)}",
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


def _add_included(loaded: LoadedMatrix, cells: list[_Cell], places: Mapping[_Cell, tuple[str, ...]]) -> list[Problem]:
    """Append the included cells; those that are there already are problems."""
    problems = []
    included: dict[_Cell, int] = {}
    for index, item in enumerate(loaded.matrix.include):
        cell = _Cell(item.framework, item.version, item.base, item.device)
        if cell in included:
            what = f"this include stands there already: {loaded.where('include', included[cell])}"
        elif cell in places:
            what = f"this include is in the product of the axes already: {loaded.where(*places[cell])}"
        else:
            included[cell] = index
            cells.append(cell)
            continue
        problems.append(Problem(what=what, where=loaded.where("include", index), fix="remove it"))
    return problems


def _name_of(matrix: Matrix, cell: _Cell) -> str:
    base = matrix.bases[cell.base]
    return image_name(cell.framework, cell.version, base.os, base.python, cell.device)


def _same_names(loaded: LoadedMatrix, cells: Sequence[_Cell]) -> list[Problem]:
    """Two cells of one name: two bases of one OS and Python, or 'a-1' without version beside 'a' with '1'."""
    first: dict[str, _Cell] = {}
    pairs: dict[tuple[str, str], list[str]] = defaultdict(list)
    for cell in cells:
        name = _name_of(loaded.matrix, cell)
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


def _idle_groups(loaded: LoadedMatrix, variants: Sequence[Variant]) -> list[Problem]:
    return [
        Problem(
            what=f"'{glob}' in the group '{name}' matches no image",
            where=loaded.where("groups", name, index),
            fix=_nearest_names(variants, [glob]),
        )
        for name, globs in loaded.matrix.groups.items()
        for index, glob in enumerate(globs)
        if not any(_matches(variant, glob) for variant in variants)
    ]


class _Impossible(NamedTuple):
    """Why there can be no variant, and the key of the framework version that is to blame."""

    what: str
    key: str


def _place(loaded: LoadedMatrix, cell: _Cell, found: _Impossible) -> str:
    """Where an impossible cell comes from: its version's key, or the ``include`` that asks for its device."""
    if found.key == "devices":
        for index, item in enumerate(loaded.matrix.include):
            if _Cell(item.framework, item.version, item.base, item.device) == cell:
                return loaded.where("include", index, "device")
        if not loaded.matrix.frameworks[cell.framework].versions[cell.version].devices:
            return loaded.where("axes", "device")
    return loaded.where("frameworks", cell.framework, "versions", cell.version, found.key)


def _variant(matrix: Matrix, cell: _Cell) -> Variant | _Impossible:
    """A cell's variant, or why there can be none."""
    framework: Framework = matrix.frameworks[cell.framework]
    version = framework.versions[cell.version]
    base = matrix.bases[cell.base]
    cuda = matrix.cuda.get(cell.device)
    lifecycle = _joint(version.lifecycle, base.lifecycle, *([cuda.lifecycle] if cuda else []))
    if lifecycle is None:
        on = f"on the base '{cell.base}'" + (f" with '{cell.device}'" if cuda else "")
        return _Impossible(f"{on} its end of life comes before its release", "lifecycle")
    if cuda is not None and not (cuda.packages or version.gpu.cuda_packages or cuda.debian or cell.base in cuda.images):
        what = f"'{cell.device}' has no image for the base '{cell.base}', no wheels and no Debian packages"
        return _Impossible(what, "devices")
    if cuda is not None and cuda.debian and cell.base not in cuda.images and base.bootstrap is None:
        what = f"'{cell.device}' comes with Debian packages, and the base '{cell.base}' is no bootstrapped Debian"
        return _Impossible(what, "devices")
    if cuda is not None and cell.base in cuda.images and base.prefix is not None:
        what = f"'{cell.device}' comes with an image, and the base '{cell.base}' has its Python from a prefix"
        return _Impossible(what, "devices")
    pins = version.cpu if cuda is None else version.gpu
    server = _pins(matrix.server.contract, base.python)
    own = _pins((*pins.contract, *version.contract), base.python)
    guards = [*matrix.server.guards, *framework.guards, *version.guards, *pins.guards]
    name = _name_of(matrix, cell)
    source = pins.wheel_source or framework.wheel_source
    variant = Variant(
        name=name,
        repository=f"{matrix.project.namespace}/{name}",
        framework=cell.framework,
        framework_title=framework.title,
        version=None if cell.version == NO_VERSION else cell.version,
        device=cell.device,
        cuda=cuda
        and cuda.model_copy(update={"packages": list(_pins(version.gpu.cuda_packages or cuda.packages, base.python))}),
        base_name=cell.base,
        base=base,
        built_on=base,
        base_image=f"{cell.base}-{cell.device}" if cuda and (cuda.debian or cell.base in cuda.images) else cell.base,
        contract=tuple(dict.fromkeys((*server, *_pins(framework.contract, base.python), *own))),
        guards=tuple(
            guard.model_copy(update={"pin": pin}) for guard in guards for pin in _pins([guard.pin], base.python)
        ),
        wheel_sources=() if source is None else ((source, matrix.wheel_sources[source]),),
        lifecycle=lifecycle,
        server_contract=server,
        own_contract=own,
    )
    return replace(variant, left_out=_left_out(matrix.patches, variant.requirements))


def _left_out(patches: Iterable[Patch], requirements: Sequence[str]) -> tuple[str, ...]:
    """What patches take out of the metadata of the distributions that are pinned here, and nothing else pins."""
    pinned = {canonicalize_name(Requirement(text).name): Requirement(text).specifier for text in requirements}
    found = []
    for patch in patches:
        name, _, version = patch.distribution.partition("==")
        specifier = pinned.get(canonicalize_name(name))
        if patch.file.endswith(".dist-info/METADATA") and specifier and specifier.contains(version):
            kept = patch.replace.splitlines()
            found += [
                canonicalize_name(match[1])
                for line in patch.find.splitlines()
                if line not in kept and (match := re.match(r"Requires-Dist:\s*([A-Za-z0-9][A-Za-z0-9._-]*)", line))
            ]
    return tuple(name for name in dict.fromkeys(found) if name not in pinned)


def _pins(texts: Iterable[str], python: str) -> tuple[str, ...]:
    """The requirements that hold for a Python, without their environment markers."""
    kept = []
    for text in texts:
        requirement = Requirement(text)
        if requirement.marker is None:
            kept.append(text)
        elif markers.holds(requirement.marker, python):
            requirement.marker = None
            # The maintainer's own spelling; a URL may have a ';' of its own.
            kept.append(str(requirement) if requirement.url else text.split(";", 1)[0].strip())
    return tuple(kept)


def _joint(*parts: Lifecycle) -> Lifecycle | None:
    """The lifecycle of a version on a base, for a CUDA: it begins with the last of them and ends with the first.

    None where it would begin after its end.
    """

    def least(dates: Iterable[datetime.date | None]) -> datetime.date | None:
        return min((date for date in dates if date), default=None)

    released = max((part.released for part in parts if part.released), default=None)
    end = least(part.end_of_life for part in parts)
    deprecated = least(part.deprecated for part in parts)
    if released and end and released > end:
        return None
    if deprecated:
        # Deprecated from its first day on, at the earliest, and by its end, at the latest.
        deprecated = min(max(deprecated, released or deprecated), end or datetime.date.max)
    return Lifecycle.model_validate({"released": released, "deprecated": deprecated, "end-of-life": end})


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which images a command is about: image names, and filters that each narrow it further.

    A pattern with ``*``, ``?`` or ``[`` is a glob on the whole image name (upper and lower case differ).  Any
    other is an image name, or the first of its hyphen-separated parts: ``sklearn`` and ``sklearn-1.9`` mean
    all images whose names begin with them and a hyphen; ``sklearn-1`` does not mean ``sklearn-1.9``.  The
    namespace may stand before either (``azureml/sklearn-1.9``).
    """

    patterns: tuple[str, ...] = ()
    #: ``cpu``, ``gpu`` (any CUDA), or the name of a CUDA.
    device: str | None = None
    #: Names or globs; any of them.
    framework: tuple[str, ...] = ()
    #: Names or globs of bases; any of them.
    base: tuple[str, ...] = ()
    group: str | None = None
    #: Pairs of a base and what stands in for it; they select nothing (``build.variants.stand_in``).
    stand_ins: tuple[tuple[str, str], ...] = ()
    #: Everything, and not the default group, where there are no patterns.
    all_: bool = False

    @property
    def narrows(self) -> bool:
        """Whether anything is selected at all."""
        return bool(self.patterns or self.device or self.framework or self.base or self.group)


def group_members(variants: Sequence[Variant], globs: Sequence[str]) -> tuple[str, ...]:
    """The names of a group's images, in the variants' order."""
    return tuple(variant.name for variant in variants if any(_matches(variant, glob) for glob in globs))


def select(
    variants: Sequence[Variant],
    selection: Selection,
    groups: Mapping[str, Sequence[str]],
    default_group: str | None = None,
    today: datetime.date | None = None,
) -> tuple[Variant, ...]:
    """The variants that match a selection: those of any pattern that all filters let through.

    Args:
        variants: All of them.
        selection: What is asked for.
        groups: The matrix's groups: name → patterns.
        default_group: What is taken where nothing is asked for; everything where it is None or not a group.
        today: The day (UTC) on which a variant that has reached its end is left out of what nobody asked for.

    Raises:
        UsageError: Nothing matches, or a name that no image has; with the nearest names.
    """
    if selection.all_ and (selection.patterns or selection.group):
        raise UsageError(
            "everything (--all) and a part of it (names, --group) are both asked for",
            fix="give one of the two",
        )
    if not selection.narrows:
        if selection.all_:
            return tuple(variants)
        globs = groups.get(default_group or "", ["*"])
        variants = [variant for variant in variants if today is None or not has_ended(variant.lifecycle, today)]
        members = set(group_members(variants, globs))
        if not members:
            raise UsageError(
                f"every image of the group '{default_group}' is past its end of life"
                if default_group in groups
                else "every image is past its end of life",
                fix="name the images, or take --all; or give the group newer ones in matrix.yaml",
            )
        return tuple(variant for variant in variants if variant.name in members)
    filters = _filters(variants, selection, groups)
    found = tuple(variant for variant in variants if all(test(variant) for test in filters.values()))
    if not found:
        # Every filter matches something, so the blame is on their combination.
        alone = ", ".join(f"{text}: {sum(map(test, variants))}" for text, test in filters.items())
        kept = [sum(test(variant) for test in filters.values()) for variant in variants]
        best = [variant.name for variant, count in zip(variants, kept, strict=True) if count == max(kept)]
        raise UsageError(
            f"no image matches all of {', '.join(filters)}",
            fix=f"leave one out (images of each alone: {alone}); the nearest: {_listed(best)}",
        )
    return found


def _filters(
    variants: Sequence[Variant], selection: Selection, groups: Mapping[str, Sequence[str]]
) -> dict[str, Callable[[Variant], bool]]:
    """The tests of a selection by the words for them; each lets at least one variant through."""
    filters: dict[str, Callable[[Variant], bool]] = {}
    if selection.patterns:
        idle = [text for text in selection.patterns if not group_members(variants, [text])]
        if idle:
            raise UsageError(
                f"no image matches {', '.join(repr(text) for text in idle)}",
                fix=f"{_nearest_names(variants, idle)} (nox -s list shows all)",
            )
        filters[" ".join(selection.patterns)] = lambda variant: any(
            _matches(variant, text) for text in selection.patterns
        )
    if selection.group is not None:
        if selection.group not in groups:
            raise UsageError(
                f"there is no group '{selection.group}'",
                where="matrix.yaml (groups)",
                fix=nearest(selection.group, groups, called="groups"),
            )
        members = set(group_members(variants, groups[selection.group]))
        filters[f"--group {selection.group}"] = lambda variant: variant.name in members
    device = selection.device
    if device is not None:
        devices = {variant.device for variant in variants}
        if device == GPU and devices == {CPU}:
            raise UsageError("no image is for a GPU", fix="the images' devices: cpu")
        _known("device", device, devices | ({GPU} if devices - {CPU} else set()))
        filters[f"--device {device}"] = lambda variant: _on(variant, device)
    if selection.framework:
        for text in selection.framework:
            _known("framework", text, {variant.framework for variant in variants})
        filters[f"--framework {' '.join(selection.framework)}"] = lambda variant: any(
            fnmatchcase(variant.framework, text) for text in selection.framework
        )
    if selection.base:
        for text in selection.base:
            _known("base", text, {variant.base_name for variant in variants})
        filters[f"--base {' '.join(selection.base)}"] = lambda variant: any(
            fnmatchcase(variant.base_name, text) for text in selection.base
        )
    return filters


def _on(variant: Variant, device: str) -> bool:
    return variant.device == device or (device == GPU and variant.device != CPU)


def _known(axis: str, text: str, there: set[str]) -> None:
    """Raise where no image has this framework, base or device."""
    if any(fnmatchcase(name, text) for name in there):
        return
    raise UsageError(f"no image has the {axis} '{text}'", fix=nearest(text, there, called=f"the images' {axis}s"))


def _matches(variant: Variant, text: str) -> bool:
    """Whether a pattern means a variant, by the rule that ``Selection`` states."""
    name = variant.repository if "/" in text else variant.name
    if any(character in text for character in "*?["):
        return fnmatchcase(name, text)
    return name == text or name.startswith(f"{text.rstrip('-')}-")


def _near(variants: Sequence[Variant], text: str) -> list[str]:
    """Image names that are near to a pattern, the nearest first.

    A pattern is seldom a whole name, so it is compared with every run of a name's parts.
    """
    wanted = "".join(character for character in text.rpartition("/")[2] if character not in "*?[]").strip("-")
    matcher = difflib.SequenceMatcher(b=wanted, autojunk=False)

    def score(name: str) -> float:
        parts = name.split("-")
        best = 0.0
        for start in range(len(parts)):
            for end in range(start + 1, len(parts) + 1):
                matcher.set_seq1("-".join(parts[start:end]))
                if matcher.quick_ratio() > best:
                    best = max(best, matcher.ratio())
        return best

    scores = {variant.name: score(variant.name) for variant in variants}
    top = max(scores.values(), default=0.0)
    near = [name for name in scores if scores[name] >= max(0.6, top - 0.15)]
    return sorted(near, key=lambda name: -scores[name])


def _listed(names: Sequence[str]) -> str:
    more = f", … ({len(names) - _LISTED} more)" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _nearest_names(variants: Sequence[Variant], texts: Iterable[str]) -> str:
    near = list(dict.fromkeys(name for text in texts for name in _near(variants, text)))
    if near:
        return f"the nearest: {_listed(near)}"
    return f"the images: {_listed([variant.name for variant in variants])}"


def as_rows(variants: Sequence[Variant], groups: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Variants as plain data for ``list --json``: only text, None, lists and dictionaries.

    Args:
        variants: In the order of the rows.
        groups: The matrix's groups: name → patterns.
    """
    members = {name: set(group_members(variants, globs)) for name, globs in groups.items()}

    def iso(date: datetime.date | None) -> str | None:
        return date.isoformat() if date else None

    return [
        {
            "name": variant.name,
            "framework": variant.framework,
            "version": variant.version,
            "device": variant.device,
            "cuda": variant.cuda.version if variant.cuda else None,
            "cudnn": variant.cuda.cudnn if variant.cuda else None,
            "base": variant.base_name,
            "python": variant.base.python,
            "contract": list(variant.contract),
            "lifecycle": {
                "released": iso(variant.lifecycle.released),
                "deprecated": iso(variant.lifecycle.deprecated),
                "end-of-life": iso(variant.lifecycle.end_of_life),
            },
            "groups": [name for name, names in members.items() if variant.name in names],
        }
        for variant in variants
    ]
