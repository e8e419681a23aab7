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
    """The images that a command is about: those that match a pattern, if there are any, and every filter.

    A pattern with ``*``, ``?`` or ``[`` is a glob for the whole image name; upper and lower case differ.  Any other
    pattern is an image name, or its first parts up to a hyphen: ``sklearn`` and ``sklearn-1.9`` select all images
    whose names begin with them and a hyphen, and ``sklearn-1`` does not select ``sklearn-1.9``.  Both may begin with
    the namespace (``azureml/sklearn-1.9``).
    """

    patterns: tuple[str, ...] = ()
    #: ``cpu``, ``gpu`` (any CUDA version), or the name of a CUDA version.
    device: str | None = None
    #: Names or globs of frameworks, of which one must match.
    framework: tuple[str, ...] = ()
    #: Names or globs of bases, of which one must match.
    base: tuple[str, ...] = ()
    group: str | None = None
    #: Pairs of a base and its stand-in (``build.variants.stand_in``); they select nothing.
    stand_ins: tuple[tuple[str, str], ...] = ()
    #: All images, instead of the default group.
    all_: bool = False

    @property
    def narrows(self) -> bool:
        """Tell whether there is any pattern or filter."""
        return bool(self.patterns or self.device or self.framework or self.base or self.group)


def select(
    variants: Sequence[Variant],
    selection: Selection,
    groups: Mapping[str, Sequence[str]],
    default_group: str | None = None,
    today: datetime.date | None = None,
) -> tuple[Variant, ...]:
    """Return the variants that a selection selects, in their order.

    Args:
        variants: All variants.
        selection: The patterns and filters.
        groups: The matrix's groups: name → patterns.
        default_group: The group that an empty selection selects; all variants if it is None or not a group.
        today: The day (UTC); an empty selection leaves out variants that have reached their end. None keeps them.

    Raises:
        UsageError: Nothing matches, or no image has a name that was given; with the nearest names.
    """
    if selection.all_ and (selection.patterns or selection.group):
        raise UsageError(
            "--all cannot be combined with names or --group",
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
                fix="name the images, or use --all; or put newer ones into the group in matrix.yaml",
            )
        return tuple(variant for variant in variants if variant.name in members)
    filters = _filters(variants, selection, groups)
    selected = tuple(variant for variant in variants if all(test(variant) for test in filters.values()))
    if not selected:
        # Every filter matches some image, so their combination is the mistake.
        alone = ", ".join(f"{text}: {sum(map(test, variants))}" for text, test in filters.items())
        kept = [sum(test(variant) for test in filters.values()) for variant in variants]
        most = max(kept)
        best = [variant.name for variant, count in zip(variants, kept, strict=True) if count == most]
        raise UsageError(
            f"no image matches all of {', '.join(filters)}",
            fix=f"leave one out (images that match each alone: {alone}); the nearest: {listed(best)}",
        )
    return selected


def _filters(
    variants: Sequence[Variant], selection: Selection, groups: Mapping[str, Sequence[str]]
) -> dict[str, Callable[[Variant], bool]]:
    """Return the filters of a selection: as the user wrote it → its test, which at least one variant passes."""
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


def _known(axis: str, text: str, names: set[str]) -> None:
    """Raise if no image has this framework, base or device."""
    if any(fnmatchcase(name, text) for name in names):
        return
    raise UsageError(f"no image has the {axis} '{text}'", fix=nearest(text, names, called=f"the images' {axis}s"))
