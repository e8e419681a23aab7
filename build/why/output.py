"""The differences of two recipes as text and as JSON."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from build.system import console
from build.why.compare import Change

#: Lines of a file's difference that are shown.
_LINES = 30
#: First word of a field → what it is called.
_TITLES = {
    "packages": "Python packages",
    "layers": "layers",
    "base": "base",
    "builder": "builder",
    "compiler": "compiler",
}
#: Last words of a field that are a heading of their own.
_PARTS = {
    "debian": "Debian packages",
    "start": "start files",
    "scripts": "scripts",
    "bootstrap": "arguments of mmdebstrap",
}


@dataclass(frozen=True, kw_only=True)
class Explained:
    """A change, with the place of the new value and what differs in a file."""

    change: Change
    #: ``locks/…/debian.txt:12``.
    place: str
    #: The lines of a unified difference; empty if the old file is not known.
    lines: tuple[str, ...] = ()


def difference(old: str, new: str) -> tuple[str, ...]:
    """Return how the lines of a text differ: a unified difference without its head, cut if it is long."""
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=1))[2:]
    if len(lines) > _LINES:
        lines = [*lines[:_LINES], f"… {len(lines) - _LINES} more lines"]
    return tuple(lines)


def print_changes(changes: Sequence[Explained]) -> None:
    """Print the changes in groups, one line for each and below it what differs in a file."""
    width = max((len(_value(each.change)) for each in changes), default=0)
    heading = ""
    for each in changes:
        if (title := _title(each.change.field)) != heading:
            heading = title
            _print(f"{heading}:")
        value = _value(each.change)
        _print(f"  {value:{width}}  {each.place}".rstrip())
        for line in each.lines:
            _print(f"    | {line}")


def to_json(name: str, reference: str, recipes: tuple[str, str], commit: str, changes: Sequence[Explained]) -> str:
    """The changes as JSON.

    Args:
        name: The image name.
        reference: The published image.
        recipes: Its recipe, and that of what would be built.
        commit: The commit of the published image; empty if it is not known.
        changes: The changes.
    """
    return json.dumps(
        {
            "image": name,
            "published": reference,
            "published_recipe": recipes[0],
            "recipe": recipes[1],
            "published_commit": commit,
            "changes": [
                {
                    "field": list(each.change.field),
                    "old": each.change.old,
                    "new": each.change.new,
                    "place": each.place,
                    "lines": list(each.lines),
                }
                for each in changes
            ],
        },
        indent=2,
    )


def _title(field: tuple[str, ...]) -> str:
    first = _TITLES.get(field[0], "image")
    part = next((_PARTS[word] for word in reversed(field[:-1]) if word in _PARTS), "")
    return f"{first}, {part}" if part and first != part else part or first


def _value(change: Change) -> str:
    """``numpy 2.5.4 → 2.5.5``; of a hash only that it changed."""
    name = change.field[-1]
    old, new = _shown(change.old), _shown(change.new)
    if old is None or new is None:
        value = new if old is None else old
        state = "new" if old is None else "gone"
        return f"{name} {value} ({state})" if value not in ("", "yes", None) else f"{name} ({state})"
    return f"{name} {old} → {new}" if old or new else f"{name} changed"


def _shown(value: str | None) -> str | None:
    """Return a value as it is shown: nothing for a SHA-256."""
    if value is None:
        return None
    is_hash = len(value) == 64 and all(digit in "0123456789abcdef" for digit in value)
    return "" if is_hash else value


def _print(text: str) -> None:
    console.line(text.expandtabs())  # scripts may have tabs
