"""`nox -s verify`: test built images in running containers."""

from __future__ import annotations

import click

from build.commands.options import Session, selecting
from build.commands.pipeline import Run
from build.paths import repository
from build.system import state
from build.variants.select import Selection


@click.command(cls=Session)
@click.option("--force", is_flag=True, help="Verify images again that passed before.")
@click.option(
    "--workers", type=click.IntRange(1), help="Number of images tested at a time.  [default: the number of CPUs]"
)
@selecting
def verify(selection: Selection, force: bool, workers: int | None) -> None:
    """Test built images in running containers. IMAGE is a name or a glob; the default is the group 'default'."""
    with state.exclusive(repository(), "verify"):
        run = Run.open(selection)
        run.verify(run.local_images(), force=force, workers=workers)
