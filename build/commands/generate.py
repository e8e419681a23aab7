"""`nox -s generate`: write the generated files."""

from __future__ import annotations

import click

from build.checkout.project import open_project
from build.commands.generated_files import write
from build.commands.options import Session
from build.paths import repository
from build.system import console, state

#: So many changed files are named; a larger number is only counted.
_NAMED = 20


@click.command(cls=Session)
def generate() -> None:
    """Write the Dockerfiles and all other generated files.

    They include the layer files, the bake file, the curated environments, matrix.schema.json, docs/images.md and
    docs/matrix.md.  They are made from matrix.yaml and the locks; no network is needed.
    """
    with state.exclusive(repository(), "generate"):
        changed = write(open_project(repository()))
    for path in changed[:_NAMED]:
        console.info(path)
    if len(changed) > _NAMED:
        console.info(f"and {len(changed) - _NAMED} more")
    click.echo(f"{len(changed)} files written" if changed else "nothing to write: all files are up to date")
