"""The script that compiles a layer's modules, run as in a builder stage."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[3] / "image/scripts/compile-bytecode"


def compiled(root: Path, path: str) -> bool:
    return Path(importlib.util.cache_from_source(str(root / path))).is_file()


def run(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, root], capture_output=True, text=True, timeout=60, check=False)


def layer(root: Path) -> Path:
    for path in ("a/__init__.py", "a/b.py", "a/tests/__init__.py", "a/tests/test_b.py", "a/testing.py"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x = 1\n")
    (root / "a/template.py").write_text("def (\n")
    return root


def test_modules_are_compiled_but_tests_and_templates_are_not(tmp_path: Path) -> None:
    root = layer(tmp_path)
    done = run(root)
    assert done.returncode == 0, done.stderr
    for path in ("a/__init__.py", "a/b.py", "a/testing.py", "a/tests/__init__.py"):
        assert compiled(root, path), path
    assert not compiled(root, "a/tests/test_b.py")
    assert not compiled(root, "a/template.py")


def test_bytecode_is_checked_by_time_instead_of_hash(tmp_path: Path) -> None:
    root = layer(tmp_path)
    run(root)
    header = Path(importlib.util.cache_from_source(str(root / "a/b.py"))).read_bytes()[:16]
    assert header[4:8] == b"\0\0\0\0"  # PEP 552's flags


def test_bytecode_that_cannot_be_written_is_a_failure(tmp_path: Path) -> None:
    root = layer(tmp_path)
    (root / "a/__pycache__").write_text("in the way")
    assert run(root).returncode != 0
