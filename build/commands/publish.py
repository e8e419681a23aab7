"""`nox -s publish`: push verified images to the registry."""

from __future__ import annotations

import click

from build.commands.options import Session, latest_for_stand_ins, selecting
from build.commands.pipeline import Run
from build.paths import repository
from build.system import state
from build.variants.select import Selection


@click.command(cls=Session)
@latest_for_stand_ins
@selecting
def publish(selection: Selection, latest_for_stand_ins: bool) -> None:
    """Push verified images to the registry. IMAGE is a name or a glob; the default is the group 'default'."""
    with state.exclusive(repository(), "publish"):
        run = Run.open(selection, latest_for_stand_ins=latest_for_stand_ins)
        run.report_published(run.publish(run.local_images()))
