"""What `nox -s lock` prints about cells that cannot be built, and about excludes: verdicts in, text out.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import yaml
from packaging.utils import canonicalize_name

from build.errors import LockError
from build.feasibility.cells import Verdict
from build.feasibility.excludes import CheckedExclude
from build.matrix.reader import LoadedMatrix
from build.matrix.values import NO_VERSION
from build.packages.compatibility import Finding, Kind
from build.requirements import distribution_name
from build.variants.variant import Variant

#: Number of image names in one line.
_NAMES = 3
#: Number of reasons explained in one report: more would not fit on a screen.
_REASONS = 6
#: Number of pins whose lines are named where the resolver gives the reason.
_PINS = 4
#: What may be the name of a distribution in the resolver's words.
_WORD = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
#: Number of lines about the locks that are left.
_LOCKS = 6
_CUDA_FIX = (
    "pin what the framework was built with: under 'cuda', or for this framework version alone under gpu.cuda-packages"
)
#: Length of a reason in one line about an exclude.
_REASON_LENGTH = 300
#: Kinds of finding that an exclude is an answer to; the others are pins to correct.
_OF_THE_CELL = (Kind.OTHER_PYTHON, Kind.NEWER_GLIBC, Kind.OTHER_PLATFORM)


@dataclass(kw_only=True)
class _Group:
    """One reason, and all cells that it applies to."""

    place: str
    says: str
    fix: str
    cells: list[Verdict] = field(default_factory=list)
    #: The finding, or None if the reason is the resolver's.
    finding: Finding | None = None
    #: Whether the reason is the CUDA version of the cells.
    is_cuda: bool = False

    def lines(self) -> Iterator[str]:
        """Yield what is printed in addition to the reason: near images, other bases, an exclude to paste."""
        with_near = [cell for cell in self.cells if cell.near]
        for cell in with_near[:_NAMES]:
            yield (f"of {cell.name}: " if len(self.cells) > 1 else "") + near(cell)
        first = self.cells[0]
        is_of_the_cell = self.finding is not None and self.finding.kind in _OF_THE_CELL
        if not with_near and not self.is_cuda and (self.finding is None or is_of_the_cell):
            yield "nearest: none; no other image of this framework can be built"
        if first.other_bases:
            yield f"bases of the matrix that have a wheel for it: {', '.join(first.other_bases)}"
        if self.finding is not None and first.reason:
            yield from ("the resolver:", *(f"  {line}" for line in first.reason.splitlines()))
        if len(self.cells) == 1 and is_of_the_cell and first.variant:
            yield f"to exclude it: {exclude_entry(first.variant, self.says)}"


def impossible(
    loaded: LoadedMatrix,
    verdicts: Sequence[Verdict],
    *,
    outcome: str,
    contradictions: Sequence[tuple[Variant, Sequence[str]]] = (),
    locks: Sequence[str] = (),
) -> LockError:
    """Return one error about all cells of the matrix that cannot be built, grouped by reason.

    Args:
        loaded: The matrix, for the places of the pins.
        verdicts: Cells with the nearest images.
        outcome: What becomes of the other images: ``nothing was written``.
        contradictions: Images whose CUDA contradicts the matrix or their framework, with the sentences.
        locks: What is left of the locks of these cells, one line each.
    """
    groups = [*_groups(loaded, verdicts), *_cuda_groups(loaded, contradictions)]
    first = groups[0]
    names = dict.fromkeys(cell.name for group in groups for cell in group.cells)
    left = [*locks[:_LOCKS], *([f"… and {len(locks) - _LOCKS} more"] if len(locks) > _LOCKS else [])]
    if len(groups) == 1 and first.finding is not None:
        return LockError(
            f"{_names(first.cells)} cannot be built: {first.says}",
            where=first.place,
            fix=f"{first.fix}; {outcome}",
            details="\n".join([*first.lines(), *left]),
        )
    details = []
    for group in groups[:_REASONS]:
        details.append(f"{_names(group.cells)}: {group.says}")
        details += [f"  {line}" for line in (f"where: {group.place}", f"fix: {group.fix}", *group.lines())]
    if len(groups) > _REASONS:
        details.append(f"… and {len(groups) - _REASONS} more reasons")
    places = list(dict.fromkeys(group.place for group in groups))
    return LockError(
        f"{len(names)} images cannot be built" if len(names) > 1 else f"{next(iter(names))} cannot be built",
        where="; ".join(places[:_REASONS]) + ("; …" if len(places) > _REASONS else ""),
        fix=f"correct the pins, or exclude the cells with the reason; {outcome}",
        details="\n".join([*details, *left]),
    )


def _groups(loaded: LoadedMatrix, verdicts: Sequence[Verdict]) -> list[_Group]:
    groups: dict[tuple[str, str], _Group] = {}
    for verdict in verdicts:
        for finding in verdict.findings or (None,):
            place = _place(loaded, verdict, finding)
            says = finding.says if finding is not None else verdict.says
            group = _Group(place=place, says=says, fix=_fix(finding), finding=finding)
            groups.setdefault((place, says), group).cells.append(verdict)
    return list(groups.values())


def _cuda_groups(loaded: LoadedMatrix, contradictions: Sequence[tuple[Variant, Sequence[str]]]) -> Iterator[_Group]:
    groups: dict[tuple[str, str], _Group] = {}
    for variant, sentences in contradictions:
        place = loaded.where("cuda", variant.device)
        for says in sentences:
            group = _Group(place=place, says=says, fix=_CUDA_FIX, is_cuda=True)
            cell = Verdict(name=variant.name, variant=variant, reason=says)
            groups.setdefault((place, says), group).cells.append(cell)
    yield from groups.values()


def _names(cells: Sequence[Verdict]) -> str:
    names = ", ".join(cell.name for cell in cells[:_NAMES])
    return names + (f" and {len(cells) - _NAMES} more" if len(cells) > _NAMES else "")


def near(verdict: Verdict) -> str:
    """Return the nearest images in one line: ``nearest: <image> (same base), …``."""
    if verdict.near:
        return "nearest: " + ", ".join(str(item) for item in verdict.near[:_NAMES])
    return "no other image of this framework"


def exclude_entry(variant: Variant, reason: str) -> str:
    """Return an entry for the matrix's ``exclude``, in one line of YAML."""
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
    """Return what to do about a cell: another pin, another day, or an exclude."""
    if finding is None:
        return "correct the pins, or exclude the cell with the reason"
    ways = []
    if finding.from_day is not None:
        ways.append(f"move exclude-newer to {finding.from_day} or later")
    if finding.instead:
        ways.append(f"pin {finding.distribution} {' or '.join(finding.instead)}")
    if finding.kind in _OF_THE_CELL:
        ways.append("exclude the cell with that reason")
    if finding.kind is Kind.YANKED:
        ways.append(f"add '{finding.requirement}' to project.allow-yanked")
    return ", or ".join(ways) or "correct the name"


@dataclass(frozen=True, kw_only=True)
class _Text:
    """A scalar of the matrix."""

    keys: tuple[str | int, ...]
    text: str


def _texts(node: yaml.Node, keys: tuple[str | int, ...] = ()) -> Iterator[_Text]:
    """Yield all scalars of a document, with their paths."""
    if isinstance(node, yaml.ScalarNode):
        yield _Text(keys=keys, text=str(node.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _texts(item, (*keys, index))
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _texts(value, (*keys, str(key.value)))


def _place(loaded: LoadedMatrix, verdict: Verdict, finding: Finding | None) -> str:
    """Return the places of the pins that are the reason; if the matrix has none of them, of the framework's version."""
    variant = verdict.variant
    if variant is None:
        return loaded.where("axes")
    if finding is not None:
        pins = [finding.requirement]
    else:
        words = {canonicalize_name(word) for word in _WORD.findall(verdict.reason.lower())}
        pins = [pin for pin in variant.requirements if distribution_name(pin) in words][:_PINS]
    places = [place for pin in pins if (place := _pin_place(loaded, variant, pin))]
    return ", ".join(dict.fromkeys(places)) or loaded.where(*_version_keys(variant))


def _version_keys(variant: Variant) -> tuple[str, ...]:
    return ("frameworks", variant.framework, "versions", variant.version or NO_VERSION)


def _pin_place(loaded: LoadedMatrix, variant: Variant, requirement: str) -> str | None:
    """Return the place of a pin of an image; None if the matrix does not have it."""
    version = _version_keys(variant)
    texts = list(_texts(loaded.root))
    for section in (version, version[:2], ("cuda", variant.device), ("server",)):
        for item in texts:
            # The marker after ';' only decides whether this Python needs the pin.
            pin = item.text.split(";", 1)[0].strip()
            if pin == requirement and item.keys[: len(section)] == section:
                return loaded.where(*item.keys)
    return None


def yanked_lines(loaded: LoadedMatrix, verdicts: Sequence[Verdict]) -> list[str]:
    """Return a line for each yanked release that the matrix allows, with the index's reason.

    Args:
        loaded: The matrix, for the places of the pins.
        verdicts: The images that pin them.
    """
    return [f"{group.place}: {group.says} ({_names(group.cells)})" for group in _groups(loaded, verdicts)]


def exclude_warning(loaded: LoadedMatrix, checked: CheckedExclude) -> str | None:
    """Return a warning about an exclude if some of its cells could be built; None if not."""
    possible = checked.possible
    if not possible:
        return None
    place = loaded.where("exclude", checked.index)
    if len(possible) == len(checked.cells):
        return (
            f"{place}: this exclude is no longer needed: {_names(possible)} resolves today; "
            "remove it, or add 'because: choice' if these images are not wanted"
        )
    return (
        f"{place}: this exclude leaves out more than necessary: {_names(possible)} resolves today; "
        "make it narrower, or add an exclude with 'because: choice' for images that are not wanted"
    )


def exclude_line(loaded: LoadedMatrix, checked: CheckedExclude) -> str | None:
    """Return why an exclude holds, or that it could not be checked; None if all its cells could be built."""
    place = loaded.where("exclude", checked.index)
    for cells, words in ((checked.impossible, "holds"), (checked.unknown, "could not be checked")):
        if cells:
            first = cells[0]
            says = first.says or f"not reached: {', '.join(first.not_reached)}"
            says = says if len(says) <= _REASON_LENGTH else says[:_REASON_LENGTH] + " …"
            more = f" (and {len(cells) - 1} more)" if len(cells) > 1 else ""
            neighbours = f"; {near(first)}" if first.near and first.impossible else ""
            return f"{place} {words}: {first.name}{more}: {says}{neighbours}"
    return None
