"""Image names: the patterns that select them, and the names most similar to a pattern that selects none.  Pure."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Callable, Iterable, Sequence

from build.variants.variant import Variant

#: Names listed in a message; of the others only the number.
_LISTED = 8


def matcher(pattern: str) -> Callable[[Variant], bool]:
    """Return the test whether a pattern selects an image, by the rule of ``build.variants.select.Selection``."""
    with_namespace = "/" in pattern
    if any(character in pattern for character in "*?["):
        match = re.compile(fnmatch.translate(pattern)).match
        return lambda variant: match(variant.repository if with_namespace else variant.name) is not None
    beginning = f"{pattern.rstrip('-')}-"

    def matches(variant: Variant) -> bool:
        name = variant.repository if with_namespace else variant.name
        return name == pattern or name.startswith(beginning)

    return matches


def group_members(variants: Sequence[Variant], patterns: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the images that any of the patterns selects, in the order of the images."""
    tests = [matcher(pattern) for pattern in patterns]
    return tuple(variant.name for variant in variants if any(test(variant) for test in tests))


def nearest_names(variants: Sequence[Variant], patterns: Iterable[str]) -> str:
    """Return a hint for patterns that select no image: the most similar names, or else the first names of all."""
    names = list(dict.fromkeys(name for pattern in patterns for name in _similar(variants, pattern)))
    if names:
        return f"the nearest: {listed(names)}"
    return f"the images: {listed([variant.name for variant in variants])}"


def listed(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    more = f", … ({len(names) - _LISTED} more)" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _similar(variants: Sequence[Variant], pattern: str) -> list[str]:
    """Return the image names that are similar to a pattern, the most similar first.

    A pattern is seldom a whole name, so it is compared with each run of a name's parts.
    """
    wanted = "".join(character for character in pattern.rpartition("/")[2] if character not in "*?[]").strip("-")
    comparison = difflib.SequenceMatcher(b=wanted, autojunk=False)

    def score(name: str) -> float:
        parts = name.split("-")
        best = 0.0
        for start in range(len(parts)):
            for end in range(start + 1, len(parts) + 1):
                comparison.set_seq1("-".join(parts[start:end]))
                if comparison.quick_ratio() > best:
                    best = max(best, comparison.ratio())
        return best

    scores = {variant.name: score(variant.name) for variant in variants}
    top = max(scores.values(), default=0.0)
    similar = [name for name in scores if scores[name] >= max(0.6, top - 0.15)]
    return sorted(similar, key=lambda name: -scores[name])
