"""`nox -s build`: build the selected images."""

from __future__ import annotations

import click

from build.builder.builder import Options
from build.commands.building import building
from build.commands.generated_files import check_drift
from build.commands.options import Session, selecting
from build.commands.pipeline import Run
from build.paths import repository
from build.system import state
from build.variants.select import Selection


@click.command("build", cls=Session)
@building
@selecting
def build(selection: Selection, options: Options) -> None:
    """Build images. IMAGE is a name or a glob; the default is the group 'default'."""
    with state.exclusive(repository(), "build"):
        run = Run.open(selection)
        check_drift(run.project)
        run.report_built(run.build(options))
