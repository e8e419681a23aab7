"""Output for people: results on standard output, progress and messages on standard error.

On a terminal rich draws it; elsewhere (a file, CI) the same text comes as plain lines, never cut to 80 columns.
rich is imported when something is printed through it: small commands do without.
"""

from __future__ import annotations

import functools
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from build.errors import PipelineError

if TYPE_CHECKING:
    from rich.console import Console

    #: Results.
    out: Console
    #: Progress, warnings, errors.
    err: Console

_PLAIN_WIDTH = 200


if not TYPE_CHECKING:

    def __getattr__(name):
        if name in ("out", "err"):
            return _console(stderr=name == "err")
        raise AttributeError(name)


@functools.cache
def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console = Console(stderr=stderr, highlight=False, width=max(_PLAIN_WIDTH, shutil.get_terminal_size().columns))
    return console


def plain(text: str) -> str:
    """A text on one line that cannot steer a terminal: what is not printable is shown as in Python, ``\\x1b``.

    Texts of a registry, an image or a package may contain escape sequences, line breaks, and marks that change the
    direction of writing.
    """
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")


def line(text: str) -> None:
    """Print a line of a result on standard output: no markup, no emoji codes, never cut."""
    click.echo(plain(text))


def _print(text: str, *, style: str = "", mark: str = "", wrap: bool = False) -> None:
    """Print a line on standard error: ``mark`` in a style, then the text."""
    from rich.text import Text

    _console(stderr=True).print(Text.assemble((mark, style), plain(text)), soft_wrap=not wrap)


def step(text: str) -> None:
    """Print that a phase of the work begins: one line, ``==> text``."""
    _print(f" {text}", mark="==>", style="bold", wrap=True)


def info(text: str) -> None:
    """Print something that happened, as one indented line."""
    _print(f"    {text}")


def warn(text: str) -> None:
    """Print something that a person should know and that does not stop the work."""
    _print(f" {text}", mark="warning:", style="yellow")


def error(failure: PipelineError) -> None:
    """Print a failure: what happened, where, how to fix it, and the log lines that matter."""
    _print(f" {failure.what}", mark="error:", style="bold red")
    if failure.where:
        _print(f"  where: {failure.where}")
    if failure.fix:
        _print(f"  fix:   {failure.fix}")
    if failure.details:
        for each in failure.details.rstrip().splitlines():
            _print(f"  | {click.unstyle(each).expandtabs()}")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table on standard output.

    The first column is a name to be copied and is never folded.  On a terminal that is too narrow for all columns,
    some are left out from the right; elsewhere (a file, CI) every row is one line of any length.

    Args:
        columns: Headings; one that ends in ``>`` is right-aligned (numbers), and the mark is not printed.
        rows: Cells as text.
    """
    content = [[plain(cell) for cell in row] for row in rows]
    headings = [column.rstrip(">") for column in columns]
    widths = [max(map(len, cells)) for cells in zip(headings, *content, strict=True)]
    is_terminal = sys.stdout.isatty()
    shown = len(columns)
    if is_terminal:
        while shown > 2 and sum(widths[:shown]) + 2 * (shown - 1) > shutil.get_terminal_size().columns:
            shown -= 1
    right = [column.endswith(">") for column in columns[:shown]]

    def joined(cells: Sequence[str]) -> str:
        parts = zip(cells, widths, right, strict=False)
        return "  ".join(
            cell.rjust(width) if is_right else cell.ljust(width) for cell, width, is_right in parts
        ).rstrip()

    if any(headings):
        click.secho(joined(headings), bold=True)
    click.echo("".join(f"{joined(row)}\n" for row in content), nl=False)
    if shown < len(columns):
        click.secho(f"(this terminal is too narrow for: {', '.join(headings[shown:])})", dim=True)


def size(count: float) -> str:
    """Bytes for people, decimal units as registries count: ``16.9 MB``."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit in ("B", "kB") else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError("unreachable")


def count(number: int, noun: str) -> str:
    """A number of things: ``1 image``, ``8 images``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def some(names: Sequence[str], shown: int = 4) -> str:
    """Name the first of many: ``a, b, c, d and 3 more``."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")


def seconds(value: float) -> str:
    """A duration for people: ``0.8 s``, ``41 s``, ``3 min 20 s``."""
    if value < 10:
        return f"{value:.1f} s"
    if value < 100:
        return f"{value:.0f} s"
    return f"{int(value // 60)} min {int(value % 60)} s"
