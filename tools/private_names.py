"""Check that no package imports a private name of another: one that begins with an underscore.

import-linter holds this for modules, and ruff (SLF001) for `module._name`; this check holds it for imported names.

In: the Python files of the folders. Out: one line for each import that is wrong, and exit code 1 where there is one.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("build", "bench", "tools")


def problems(root: Path, folders: tuple[str, ...] = FOLDERS) -> Iterator[str]:
    """Yield `path:line: problem` for each private name that is imported from another package of ours."""
    for folder in folders:
        for file in sorted((root / folder).rglob("*.py")):
            path = file.relative_to(root)
            package = ".".join(path.parent.parts)
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), filename=str(path))):
                if not isinstance(node, ast.ImportFrom) or node.level or not node.module:
                    continue
                if node.module.partition(".")[0] not in folders or node.module.rpartition(".")[0] == package:
                    continue
                for name in node.names:
                    if name.name.startswith("_") and not name.name.startswith("__"):
                        yield f"{path.as_posix()}:{node.lineno}: imports {name.name}, which is private to {node.module}"


def main() -> int:
    """Print the problems; return the exit code."""
    found = list(problems(ROOT))
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
