"""A difference as Markdown: for the summary of a job, and as the notes of a release.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from build.catalogue.changes import Change
from build.diff import words
from build.diff.compare import ImageDifference
from build.diff.release_difference import ReleaseDifference, changes_of, common_changes
from build.system import console

#: Names of images that are listed with a change.
_NAMES = 8


def of_images(difference: ImageDifference) -> str:
    """What differs between two images."""
    parts = [f"**{_code(difference.before.reference)} → {_code(difference.after.reference)}**"]
    if difference.is_same:
        return _joined([*parts, f"No difference: both are {_code(difference.after.digest)}."])
    if unknown := words.unknown(difference):
        parts.append(_sentence(unknown))
    same = [kind for kind, changes in changes_of(difference).items() if changes == ()]
    for kind, changes in changes_of(difference).items():
        if changes:
            values = [_values(change) for change in changes]
            parts += [f"### {_capital(kind)}", _table(("name", "before", "after"), values)]
    if difference.removed_layers or difference.added_layers:
        rows = [
            (
                mark,
                _code(words.short(layer.digest)),
                console.size(layer.size),
                words.layer_title(layer, difference, _code),
            )
            for mark, layers in (("gone", difference.removed_layers), ("new", difference.added_layers))
            for layer in layers
        ]
        parts += ["### Layers", _table(("", "layer", "size", "what"), rows)]
    else:
        same.append("layers")
    if same:
        parts.append(f"No difference: {', '.join(same)}.")
    notes = [words.ONLY_METADATA if difference.is_empty else "", words.sources(difference), words.fetched(difference)]
    return _joined([*parts, *(_sentence(note) for note in notes if note)])


def of_releases(difference: ReleaseDifference) -> str:
    """The notes of a release: what differs from the former one."""
    head = words.releases(difference)
    parts = [f"## Release {difference.after[0]}", f"{_sentence(head)} {_sentence(words.totals(difference))}"]
    for title, names in (("Added", difference.added), ("Removed", difference.removed)):
        if names:
            parts += [f"### {title}", "\n".join(f"- {_code(name)}" for name in names)]
    if difference.changed:
        rows = [(_code(image.name), *words.row(image)[1:]) for image in difference.changed]
        parts += ["### Changed", _table(("image", "to fetch", "what"), rows)]
    for kind, changes in common_changes(difference).items():
        values = [(*_values(each.change), _images(each.images, len(difference.changed))) for each in changes]
        parts += [f"### {_capital(kind)}", _table(("name", "before", "after", "images"), values)]
    parts += [f"{_capital(line)}." for line in words.problems(difference, _code)]
    if difference.unchanged and not difference.is_empty:
        parts += ["### Unchanged", ", ".join(map(_code, difference.unchanged))]
    return _joined(parts)


def _values(change: Change) -> tuple[str, str, str]:
    return _code(change.name), _value(change.before), _value(change.after)


def _value(text: str | None) -> str:
    return "–" if text is None else _code(text)


def _images(names: Sequence[str], changed: int) -> str:
    return f"all {changed}" if len(names) == changed > 1 else words.some(names, _code, _NAMES)


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _code(text: str) -> str:
    """A text of an image or a record, shown as it is: in code there are no links, no names of people and no HTML.

    A table would end a cell at a bar, also in code (GitHub Flavored Markdown, "Tables"). The marks around the code are
    longer than those in it (CommonMark, "Code spans").
    """
    shown = console.plain(text).replace("|", "\\|")
    fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    is_padded = len(fence) > 1 or shown != shown.strip(" ")
    return (f"{fence} {shown} {fence}" if is_padded else f"{fence}{shown}{fence}") if shown else ""


def _escaped(text: str) -> str:
    """Words of this program as Markdown, with the name of a registry or a folder in them."""
    return re.sub(r"[\\`*_\[\]<>|~#&]", r"\\\g<0>", console.plain(text))


def _sentence(text: str) -> str:
    return f"{_escaped(_capital(text))}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _joined(parts: Sequence[str]) -> str:
    return "\n\n".join(parts) + "\n"
