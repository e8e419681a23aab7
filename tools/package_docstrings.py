"""Check that each `__init__.py` holds a docstring and nothing else.

The docstring says what goes into the package, what comes out, and whether it has effects. Re-exports would load every
module of the package for each small command.

In: the folders to check. Out: one line for each file that is wrong, and exit code 1 where there is one.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("build", "bench", "tools", "image/start/server_start")


def problems(root: Path, folders: tuple[str, ...] = PACKAGES) -> Iterator[str]:
    """Yield `path:line: problem` for each `__init__.py` below the folders that is not a docstring alone."""
    for folder in folders:
        for file in sorted((root / folder).rglob("__init__.py")):
            path = file.relative_to(root).as_posix()
            tree = ast.parse(file.read_text(encoding="utf-8"), filename=path)
            docstring = ast.get_docstring(tree)
            if docstring is None:
                yield f"{path}:1: has no docstring: say what goes in, what comes out, and whether there are effects"
            elif docstring.startswith("TODO"):
                yield f"{path}:1: the docstring is a placeholder: say what goes in, what comes out, and the effects"
            for statement in tree.body[1 if docstring is not None else 0 :]:
                yield f"{path}:{statement.lineno}: has code: an `__init__.py` holds only its docstring"


def main() -> int:
    """Print the problems; return the exit code."""
    found = list(problems(ROOT))
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
