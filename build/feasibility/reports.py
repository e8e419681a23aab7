"""What `nox -s lock` says of cells that cannot be, and of excludes: verdicts in, text out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import yaml

from build.errors import LockError
from build.feasibility.cells import Verdict
from build.feasibility.excludes import CheckedExclude
from build.matrix.model import NO_VERSION
from build.matrix.reader import LoadedMatrix
from build.packages.compatibility import Finding, Kind
from build.variants.variant import Variant

#: Names listed in one line.
_NAMES = 3
#: Cells explained in one report: more would not fit on a screen.
_LISTED = 6


#: Kinds that an exclude answers; the others are pins to correct.
_OF_THE_CELL = (Kind.OTHER_PYTHON, Kind.NEWER_GLIBC, Kind.OTHER_PLATFORM)


@dataclass(kw_only=True)
class _Group:
    """One reason and all cells that it holds for."""

    place: str
    says: str
    fix: str
    cells: list[Verdict] = field(default_factory=list)
    #: The finding, or None where it is the resolver's reason.
    finding: Finding | None = None

    def lines(self) -> Iterator[str]:
        """What is said beside the reason: images near to the cells, other bases, an exclude to paste."""
        neighbours = [cell for cell in self.cells if cell.near]
        for cell in neighbours[:_NAMES]:
            yield (f"of {cell.name}: " if len(self.cells) > 1 else "") + near(cell)
        first = self.cells[0]
        if not neighbours and (self.finding is None or self.finding.kind in _OF_THE_CELL):
            yield "nearest: none, no other image of this framework is left"
        if first.other_bases:
            yield f"bases of the matrix that have a wheel for it: {', '.join(first.other_bases)}"
        if self.finding is not None and first.reason:
            yield from ("the resolver:", *(f"  {line}" for line in first.reason.splitlines()))
        if len(self.cells) == 1 and self.finding is not None and self.finding.kind in _OF_THE_CELL and first.variant:
            yield f"to exclude it: {exclude_entry(first.variant, self.says)}"


def impossible(loaded: LoadedMatrix, verdicts: Sequence[Verdict]) -> LockError:
    """One report of all cells of the matrix that cannot be; those with one reason stand together.

    Args:
        loaded: The matrix, for the places of the pins.
        verdicts: At least one, with neighbours.
    """
    groups: dict[tuple[str, str], _Group] = {}
    for verdict in verdicts:
        for finding in verdict.findings or (None,):
            place = _place(loaded, verdict, finding)
            says = finding.says if finding is not None else verdict.says
            group = _Group(place=place, says=says, fix=_fix(finding), finding=finding)
            groups.setdefault((place, says), group).cells.append(verdict)
    listed = list(groups.values())
    first = listed[0]
    if len(listed) == 1 and first.finding is not None:
        return LockError(
            f"{_names(first.cells)} cannot be: {first.says}",
            where=first.place,
            fix=f"{first.fix}; nothing was written",
            details="\n".join(first.lines()),
        )
    details = []
    for group in listed[:_LISTED]:
        details.append(f"{_names(group.cells)}: {group.says}")
        details += [f"  {line}" for line in (f"where: {group.place}", f"fix: {group.fix}", *group.lines())]
    if len(listed) > _LISTED:
        details.append(f"… and {len(listed) - _LISTED} reasons more")
    places = list(dict.fromkeys(group.place for group in listed))
    return LockError(
        f"{len(verdicts)} images cannot be" if len(verdicts) > 1 else f"{verdicts[0].name} cannot be",
        where="; ".join(places[:_LISTED]) + ("; …" if len(places) > _LISTED else ""),
        fix="correct the pins, or exclude the cells with the reason; nothing was written",
        details="\n".join(details),
    )


def _names(cells: Sequence[Verdict]) -> str:
    names = ", ".join(cell.name for cell in cells[:_NAMES])
    return names + (f" and {len(cells) - _NAMES} more" if len(cells) > _NAMES else "")


def near(verdict: Verdict) -> str:
    """``nearest: <image> (same base), …``; what is said where there is none."""
    if verdict.near:
        return "nearest: " + ", ".join(str(item) for item in verdict.near[:_NAMES])
    return "no other image of this framework"


def exclude_entry(variant: Variant, reason: str) -> str:
    """An entry for the matrix's ``exclude``, in one line of YAML."""
    entry = {
        "framework": variant.framework,
        "version": variant.version or NO_VERSION,
        "base": variant.base_name,
        "device": variant.device,
        "reason": reason,
    }
    text = yaml.safe_dump(entry, default_flow_style=True, sort_keys=False, width=10**6, allow_unicode=True)
    return f"- {text.strip()}"


def _fix(finding: Finding | None) -> str:
    """What to do about a cell: another pin, another day, or an exclude."""
    if finding is None:
        return "correct the pins, or exclude the cell with the reason"
    ways = []
    if finding.from_day is not None:
        ways.append(f"move exclude-newer to {finding.from_day} or later")
    if finding.instead:
        ways.append(f"pin {finding.distribution} {' or '.join(finding.instead)}")
    if finding.kind in _OF_THE_CELL:
        ways.append("exclude the cell with that reason")
    return ", or ".join(ways) or "correct the name"


@dataclass(frozen=True, kw_only=True)
class _Text:
    """A scalar of the matrix."""

    keys: tuple[str | int, ...]
    text: str


def _texts(node: yaml.Node, keys: tuple[str | int, ...] = ()) -> Iterator[_Text]:
    """All scalars of a document, with their paths."""
    if isinstance(node, yaml.ScalarNode):
        yield _Text(keys=keys, text=str(node.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _texts(item, (*keys, index))
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _texts(value, (*keys, str(key.value)))


def _place(loaded: LoadedMatrix, verdict: Verdict, finding: Finding | None) -> str:
    """Where the pin stands that is to blame; where it is none of the matrix's, the framework version."""
    variant = verdict.variant
    if variant is None:
        return loaded.where("axes")
    version = ("frameworks", variant.framework, "versions", variant.version or NO_VERSION)
    sections: tuple[tuple[str, ...], ...] = (version, version[:2], ("cuda", variant.device), ("server",))
    if finding is not None:
        texts = list(_texts(loaded.root))
        for section in sections:
            for item in texts:
                # What stands behind the ';' chose the pin for this Python.
                pin = item.text.split(";", 1)[0].strip()
                if pin == finding.requirement and item.keys[: len(section)] == section:
                    return loaded.where(*item.keys)
    return loaded.where(*version)


def exclude_warning(loaded: LoadedMatrix, checked: CheckedExclude) -> str | None:
    """What to say of an exclude some of whose cells could be made; None where there is none."""
    possible = checked.possible
    if not possible:
        return None
    place = loaded.where("exclude", checked.index)
    if len(possible) == len(checked.cells):
        return (
            f"{place}: this exclude is not needed any more: {_names(possible)} resolves today; "
            "remove it, or write 'because: choice' where the image shall not be made all the same"
        )
    return (
        f"{place}: this exclude takes more than it must: {_names(possible)} resolves today; "
        "narrow it, or write 'because: choice' in an entry of its own for what shall not be made all the same"
    )


def exclude_line(loaded: LoadedMatrix, checked: CheckedExclude) -> str | None:
    """Why an exclude holds, or what is not known of it; None where all its cells could be made."""
    place = loaded.where("exclude", checked.index)
    for cells, words in ((checked.impossible, "holds"), (checked.unknown, "is not known to hold")):
        if cells:
            first = cells[0]
            says = first.says or f"not reached: {', '.join(first.not_reached)}"
            says = says if len(says) <= 300 else says[:300] + " …"
            more = f" (and {len(cells) - 1} more)" if len(cells) > 1 else ""
            neighbours = f"; {near(first)}" if first.near and first.impossible else ""
            return f"{place} {words}: {first.name}{more}: {says}{neighbours}"
    return None
