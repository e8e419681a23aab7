"""Select the variants that a command is about.  Pure."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from build.errors import UsageError
from build.matrix.lifecycle import has_ended
from build.matrix.problems import nearest
from build.variants.names import group_members, listed, matcher, nearest_names
from build.variants.variant import CPU, GPU, Variant


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
            fix=f"leave one out (images of each alone: {alone}); the nearest: {listed(best)}",
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
                fix=f"{nearest_names(variants, idle)} (nox -s list shows all)",
            )
        tests = [matcher(text) for text in selection.patterns]
        filters[" ".join(selection.patterns)] = lambda variant: any(test(variant) for test in tests)
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
