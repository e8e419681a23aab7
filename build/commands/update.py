"""`nox -s update`: newer pins, packages and bases, as far as the matrix's rules allow."""

from __future__ import annotations

import datetime
from pathlib import Path

import click

from build.commands.options import Session
from build.commands.updating import BASES, FRAMEWORKS, SECURITY, cannot_be_locked, update_project
from build.errors import DriftError, UsageError
from build.paths import repository, write_atomically
from build.system import console, state
from build.update import report_text
from build.update.report import Report


def _print(made: Report) -> None:
    for title, headings, rows in report_text.tables(made):
        click.secho(f"\n{title}", bold=True)
        console.table(headings, rows)
    for title, lines in (
        ("Security fixes", report_text.fix_lines(made)),
        ("Images that cannot be locked", report_text.failed_lines(made)),
        ("Images to build again", made.rebuilt),
        ("Images that have ended", report_text.ended_lines(made)),
        ("Lifecycle dates to decide", list(map(str, made.lifecycles))),
        ("Held back", report_text.held_lines(made)),
    ):
        if lines:
            click.secho(f"\n{title}", bold=True)
            for line in lines:
                console.out.print(line, markup=False, overflow="fold")
    click.echo(f"\n{made.title}")


@click.command("update", cls=Session)
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if something would move.")
@click.option(
    "--only",
    multiple=True,
    type=click.Choice([FRAMEWORKS, BASES, SECURITY]),
    help="Update only: the pins and Python packages (frameworks); the Debian packages of all bases; or those of bases "
    "with security updates (security). Repeatable. Default: frameworks and bases.",
)
@click.option(
    "--day",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="The new exclude-newer, instead of today less the cool-down: for an urgent fix.",
)
@click.option(
    "--new-versions",
    is_flag=True,
    help="Also add new minor versions of the frameworks, each as a version of its own; the older one gets an end date.",
)
@click.option(
    "--summary", type=click.Path(dir_okay=False, path_type=Path), help="Write the report to this file, in Markdown."
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def update(
    check: bool,
    only: tuple[str, ...],
    day: datetime.datetime | None,
    new_versions: bool,
    summary: Path | None,
    as_json: bool,
) -> None:
    """Move pins, packages and bases to what the matrix's rules allow.

    It edits matrix.yaml, makes the locks and the generated files again, and prints what changes, which images will be
    built again, and what is held back and why.  An image that cannot be locked keeps its lock; everything else is
    written, and the command fails at its end.  After any other failure, nothing is written.
    """
    if new_versions and only and FRAMEWORKS not in only:
        raise UsageError("--new-versions belongs to the frameworks", fix=f"add --only {FRAMEWORKS}")
    with state.exclusive(repository(), "update"):
        made = update_project(
            repository(),
            only=only,
            day=day.date() if day else None,
            today=datetime.datetime.now(datetime.UTC).date(),
            check=check,
            new_versions=new_versions,
        )
    if summary is not None:
        write_atomically(summary, report_text.to_markdown(made))
    if as_json:
        click.echo(report_text.to_json(made))
    else:
        _print(made)
    moves = DriftError(
        f"newer versions: {made.title}", fix="nox -s update -- --new-versions" if made.added else "nox -s update"
    )
    if made.failed:
        if check and made.moves:
            console.warn(moves.reason)
        raise cannot_be_locked(repository(), made, check=check)
    if check and made.moves:
        raise moves
