"""Compare what a sample script answers with what it should answer."""

from __future__ import annotations

import math
from typing import Any

#: Frameworks round differently from version to version.
RELATIVE = 1e-3
#: For numbers around zero.
ABSOLUTE = 1e-9


def same(answer: Any, expected: Any) -> bool:
    """Tell whether two JSON values are the same: numbers up to a tolerance, everything else exactly."""
    if isinstance(expected, list):
        return isinstance(answer, list) and len(answer) == len(expected) and all(map(same, answer, expected))
    if isinstance(expected, dict):
        return (
            isinstance(answer, dict)
            and answer.keys() == expected.keys()
            and all(same(answer[key], value) for key, value in expected.items())
        )
    if _is_number(expected) and _is_number(answer):
        return math.isclose(answer, expected, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return type(answer) is type(expected) and bool(answer == expected)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
