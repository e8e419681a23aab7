"""A difference for a terminal or a file.  Prints."""

from __future__ import annotations

from collections.abc import Sequence

from build.catalogue.changes import Change
from build.diff import words
from build.diff.compare import ImageDifference
from build.diff.facts import Layer
from build.diff.release_difference import ReleaseDifference, changes_of, common_changes
from build.system import console


def print_images(difference: ImageDifference) -> None:
    """Print what differs between two images, in sections."""
    if difference.is_same:
        console.line(f"no difference: both are {difference.after.digest}")
        return
    for mark, side in (("-", difference.before), ("+", difference.after)):
        console.line(f"{mark} {side.reference} ({words.short(side.digest)}, {console.size(side.size)})")
    if unknown := words.unknown(difference):
        console.line(unknown)
    same = []
    for kind, changes in changes_of(difference).items():
        if changes:
            console.line(words.counts(kind, changes) + ":")
            _print_changes(changes)
        elif changes is not None:
            same.append(kind)
    if difference.removed_layers or difference.added_layers:
        _print_layers(difference)
    else:
        same.append("layers")
    if same:
        console.line(f"no difference: {', '.join(same)}")
    if difference.is_empty:
        console.line(words.ONLY_METADATA)
    if sources := words.sources(difference):
        console.line(sources)
    console.line(words.fetched(difference))


def print_releases(difference: ReleaseDifference) -> None:
    """Print what differs between two releases: a line for each image, then the changes that images have in common."""
    console.line(words.releases(difference))
    rows = [(name, "added", "", "") for name in difference.added]
    rows += [(name, "removed", "", "") for name in difference.removed]
    rows += [(image.name, *words.row(image)) for image in difference.changed]
    if rows:
        console.table(("image", "difference", "to fetch>", "what"), rows)
    for kind, changes in common_changes(difference).items():
        console.line(f"{kind}:")
        changed = len(difference.changed)
        _print_rows([(each.change, words.images(each.images, changed)) for each in changes])
    for line in words.problems(difference, console.plain):
        console.line(line)
    console.line(words.totals(difference))


def _print_changes(changes: Sequence[Change]) -> None:
    _print_rows([(change, "") for change in changes])


def _print_rows(rows: Sequence[tuple[Change, str]]) -> None:
    """Print aligned lines; a change that does not fit into one gets a line for each value."""
    names = max(len(console.plain(change.name)) for change, _ in rows)
    values = max((len(console.plain(words.transition(change))) for change, note in rows if note), default=0)
    for change, note in rows:
        name, value = console.plain(change.name), console.plain(words.transition(change))
        line = f"  {name:{names}}  {value:{values if note else 0}}  {note}".rstrip()
        if len(line) <= console.out.width:
            console.line(line)
            continue
        console.line(f"  {name}" + (f"  ({note})" if note else ""))
        for mark, text in (("-", change.before), ("+", change.after)):
            if text is not None:
                console.line(f"    {mark} {text}")


def _print_layers(difference: ImageDifference) -> None:
    count = len(difference.after.layers)
    console.line(f"layers: {len(difference.added_layers)} of {count} new, {len(difference.removed_layers)} gone:")
    for mark, layers in (("-", difference.removed_layers), ("+", difference.added_layers)):
        for layer in layers:
            console.line(_layer_line(mark, layer, difference))


def _layer_line(mark: str, layer: Layer, difference: ImageDifference) -> str:
    line = (
        f"  {mark} {words.short(layer.digest)}  {console.size(layer.size):>8}  "
        f"{words.layer_title(layer, difference, console.plain)}"
    )
    most = console.out.width
    return line if len(line) <= most else f"{line[: most - 1]}…"
