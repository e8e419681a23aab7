"""The check that an `__init__.py` holds its docstring and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.package_docstrings import problems


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"""Files go in, layers come out; no effects."""\n', []),
        ("", ["build/one/__init__.py:1: has no docstring"]),
        ('"""TODO build.one."""\n', ["build/one/__init__.py:1: the docstring is a placeholder"]),
        ('"""Layers."""\n\nfrom build.one.two import x\n', ["build/one/__init__.py:3: has code"]),
        ("import os\n", ["build/one/__init__.py:1: has no docstring", "build/one/__init__.py:1: has code"]),
    ],
)
def test_each_problem_is_named_with_its_line(tmp_path: Path, text: str, expected: list[str]) -> None:
    file = tmp_path / "build/one/__init__.py"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    reported = list(problems(tmp_path, ("build",)))
    assert len(reported) == len(expected)
    assert all(line.startswith(start) for line, start in zip(reported, expected, strict=True))
