"""Answers of sample scripts: numbers are compared up to a tolerance, everything else exactly."""

from __future__ import annotations

from typing import Any

import pytest
from image_answers import same


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([21.0005, 41], [21.0, 41.0]),
        (["London"], ["London"]),
        ([["a", 0.50001], [None, True]], [["a", 0.5], [None, True]]),
        ({"label": "cat", "score": 0.90001}, {"label": "cat", "score": 0.9}),
        ("text", "text"),
        ([0.0], [1e-12]),
    ],
)
def test_the_same(answer: Any, expected: Any) -> None:
    assert same(answer, expected)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([21.1, 41.0], [21.0, 41.0]),
        (["Paris"], ["London"]),
        ("London", ["London"]),
        ([1.0], [1.0, 2.0]),
        ({"label": "cat"}, {"label": "cat", "score": 0.9}),
        ({"error": "no model"}, [21.0]),
        ("21.0", 21.0),
        (1, True),
        (None, 0.0),
    ],
)
def test_not_the_same(answer: Any, expected: Any) -> None:
    assert not same(answer, expected)
