"""`nox -s check`: fail if a generated file is out of date."""

from __future__ import annotations

import click

from build.checkout.project import open_project
from build.commands.generated_files import check_drift
from build.commands.options import Session
from build.paths import repository


@click.command(cls=Session)
def check() -> None:
    """Fail if a generated file is out of date.

    It compares every file that is generated from matrix.yaml and the locks; no network is needed.
    """
    check_drift(open_project(repository()))
    click.echo("all generated files are up to date")
