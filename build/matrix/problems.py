"""Problems of a matrix file, reported together as one error.  Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from build.errors import MatrixError

#: Problems listed in one report; more would not fit on a screen.
_LISTED = 12
#: Length of a sentence; the file's own words in it may be of any length.
_LENGTH = 300
#: Names listed if none is similar to the one that was written.
_KNOWN_LISTED = 12


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One mistake in the matrix."""

    what: str
    #: File, line and keys: ``matrix.yaml:41 (frameworks.sklearn)``.
    where: str
    fix: str | None = None


def report(file: str, problems: Sequence[Problem], *, more: int = 0) -> MatrixError:
    """Return all problems of a file as one error: a single one as it is, several as a list sorted by line.

    Args:
        file: The file's name, for the headline.
        problems: At least one.
        more: The number of further problems, which are only counted.
    """
    problems = sorted(problems, key=lambda problem: _line_of(problem.where))
    if len(problems) + more == 1:
        problem = problems[0]
        return MatrixError(_short(problem.what), where=_short(problem.where), fix=problem.fix and _short(problem.fix))
    lines = [
        f"{_short(problem.where)}: {_short(problem.what)}" + (f"; {_short(problem.fix)}" if problem.fix else "")
        for problem in problems[:_LISTED]
    ]
    count = len(problems) + more
    if count > _LISTED:
        lines.append(f"… and {count - _LISTED} more")
    return MatrixError(f"{file} has {count} errors", details="\n".join(lines))


def _short(text: str) -> str:
    """Cut the middle out of a long text."""
    half = _LENGTH // 2
    return text if len(text) <= _LENGTH else f"{text[:half]} … {text[-half:]}"


def nearest(word: str, known: Iterable[str], *, called: str) -> str:
    """Return a hint for an unknown name: the most similar known name, or a list of the known ones.

    Args:
        word: The name that was written.
        known: The names that are known.
        called: What they are, for the list: ``known keys``.
    """
    names = sorted(set(known))
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    listed = ", ".join(names[:_KNOWN_LISTED]) + (", …" if len(names) > _KNOWN_LISTED else "")
    return f"{called}: {listed or 'none'}"


def _line_of(where: str) -> int:
    number = where.partition(":")[2].split(" ")[0].rstrip(",")
    return int(number) if number.isdigit() else 0
