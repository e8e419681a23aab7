"""`nox -s list`: the images of the matrix, as a table or as JSON."""

from __future__ import annotations

import datetime
import json

import click

from build.checkout.project import open_project
from build.commands.options import Session, selecting
from build.matrix import lifecycle
from build.paths import repository
from build.system import console
from build.variants.rows import as_rows
from build.variants.select import Selection


@click.command("list", cls=Session)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@selecting
def list_images(selection: Selection, as_json: bool) -> None:
    """List the images of the matrix. IMAGE is a name or a glob."""
    project = open_project(repository())
    variants = project.select(selection)
    rows = as_rows(variants, project.matrix.groups)
    today = datetime.datetime.now(datetime.UTC).date()
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    console.table(
        ("image", "framework", "version", "device", "base", "python", "lifecycle", "contract"),
        [
            (
                row["name"],
                row["framework"],
                row["version"] or "-",
                row["device"],
                row["base"],
                row["python"],
                lifecycle.status(variant.lifecycle, today),
                ", ".join(row["contract"]),
            )
            for row, variant in zip(rows, variants, strict=True)
        ],
    )
    click.echo(f"{len(rows)} images")
