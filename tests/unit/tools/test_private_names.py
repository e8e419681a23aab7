"""The check that no package imports a private name of another."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.private_names import problems


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from build.two.module import _x\n", ["build/one/a.py:1: imports _x, which is private to build.two.module"]),
        ("def f():\n    from build.two import _b\n", ["build/one/a.py:2: imports _b, which is private to build.two"]),
        ("from build.one.module import _x\n", []),
        ("from build.two.module import x\nfrom other import _x\nfrom __future__ import annotations\n", []),
    ],
)
def test_private_names_of_other_packages_are_reported(tmp_path: Path, text: str, expected: list[str]) -> None:
    file = tmp_path / "build/one/a.py"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    assert list(problems(tmp_path, ("build",))) == expected
