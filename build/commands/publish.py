"""`nox -s publish`: push verified images to the registry."""

from __future__ import annotations

import click

from build.commands.options import Session, latest_for_stand_ins, selecting
from build.commands.pipeline import Run
from build.paths import repository
from build.publish import output
from build.system import console, state
from build.variants.select import Selection


@click.command(cls=Session)
@latest_for_stand_ins
@click.option("--verbose", is_flag=True, help="Also print the status, sizes and tags of each image.")
@click.option("--json", "as_json", is_flag=True, help="Print all of this as JSON.")
@selecting
def publish(selection: Selection, latest_for_stand_ins: bool, verbose: bool, as_json: bool) -> None:
    """Push verified images to the registry, and print the reference of each.

    A reference has the immutable tag and the digest. IMAGE is a name or a glob; the default is the group 'default'.
    """
    with state.exclusive(repository(), "publish"):
        run = Run.open(selection, latest_for_stand_ins=latest_for_stand_ins)
        images = run.local_images()
        results = run.publish(images)
        if as_json:
            console.out.print(output.to_json(results), soft_wrap=True, markup=False)
        else:
            output.print_results(results, verbose=verbose)
