"""What a person sees: results on standard output, progress and messages on standard error.

On a terminal rich draws; elsewhere (a file, CI) the same text comes as plain lines, never cut to 80 columns.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from build.errors import PipelineError

_PLAIN_WIDTH = 200


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console = Console(stderr=stderr, highlight=False, width=max(_PLAIN_WIDTH, shutil.get_terminal_size().columns))
    return console


#: Results: tables, JSON.
out = _console(stderr=False)
#: Progress, warnings, errors.
err = _console(stderr=True)


def step(text: str) -> None:
    """Say that a phase of the work begins: one line, ``==> text``."""
    err.print(f"[bold]==>[/bold] {escape(text)}")


def info(text: str) -> None:
    """Say something that happened, one indented line."""
    err.print(f"    {escape(text)}", soft_wrap=True)


def warn(text: str) -> None:
    """Say something that a person should know and that does not stop the work."""
    err.print(f"[yellow]warning:[/yellow] {escape(text)}", soft_wrap=True)


def error(failure: PipelineError) -> None:
    """Print a failure: what happened, where, what to do, and the log lines that matter."""
    err.print(f"[bold red]error:[/bold red] {escape(failure.what)}", soft_wrap=True)
    if failure.where:
        err.print(f"  where: {escape(failure.where)}", soft_wrap=True)
    if failure.fix:
        err.print(f"  fix:   {escape(failure.fix)}", soft_wrap=True)
    if failure.details:
        for line in failure.details.rstrip().splitlines():
            err.print(f"  | {escape(line)}", soft_wrap=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str | None = None) -> None:
    """Print a table on standard output.

    The first column is a name to be copied and is never folded.  On a terminal too narrow for all, columns are left
    out from the right; elsewhere (a file, CI) every row is one line, whatever its length.

    Args:
        columns: Headings; one that ends in ``>`` is right-aligned (numbers), the mark is not printed.
        rows: Cells as text.
        title: A line above.
    """
    content = [list(row) for row in rows]
    widths = [
        max([len(column.rstrip(">")), *(len(row[number]) for row in content)]) for number, column in enumerate(columns)
    ]
    shown = len(columns)
    if out.is_terminal:
        while shown > 2 and sum(widths[:shown]) + 2 * (shown - 1) > out.width:
            shown -= 1
    drawn = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns[:shown]:
        drawn.add_column(column.rstrip(">"), justify="right" if column.endswith(">") else "left", no_wrap=True)
    for row in content:
        drawn.add_row(*(escape(cell) for cell in row[:shown]))
    if out.is_terminal:
        out.print(drawn)
        if shown < len(columns):
            left_out = ", ".join(column.rstrip(">") for column in columns[shown:])
            out.print(f"[dim](this terminal is too narrow for: {left_out})[/dim]", soft_wrap=True)
    else:
        wide = Console(width=sum(widths) + 2 * len(columns), highlight=False, file=io.StringIO())
        wide.print(drawn)
        assert isinstance(wide.file, io.StringIO)
        for line in wide.file.getvalue().splitlines():
            out.file.write(line.rstrip() + "\n")
        out.file.flush()


def size(count: float) -> str:
    """Bytes for people, decimal units as registries count: ``16.9 MB``."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit in ("B", "kB") else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError("unreachable")


def seconds(value: float) -> str:
    """A duration for people: ``0.8 s``, ``41 s``, ``3 min 20 s``."""
    if value < 10:
        return f"{value:.1f} s"
    if value < 100:
        return f"{value:.0f} s"
    return f"{int(value // 60)} min {int(value % 60)} s"
