"""Image names: patterns that mean them, and the names nearest to a pattern that means none.  Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from build.variants.variant import Variant

#: Names listed beside a selection that matches nothing.
_LISTED = 8


def matches(variant: Variant, text: str) -> bool:
    """Whether a pattern means a variant, by the rule that ``Selection`` states."""
    name = variant.repository if "/" in text else variant.name
    if any(character in text for character in "*?["):
        return fnmatchcase(name, text)
    return name == text or name.startswith(f"{text.rstrip('-')}-")


def group_members(variants: Sequence[Variant], globs: Sequence[str]) -> tuple[str, ...]:
    """The names of a group's images, in the variants' order."""
    return tuple(variant.name for variant in variants if any(matches(variant, glob) for glob in globs))


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


def listed(names: Sequence[str]) -> str:
    more = f", … ({len(names) - _LISTED} more)" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def nearest_names(variants: Sequence[Variant], texts: Iterable[str]) -> str:
    near = list(dict.fromkeys(name for text in texts for name in _near(variants, text)))
    if near:
        return f"the nearest: {listed(near)}"
    return f"the images: {listed([variant.name for variant in variants])}"
