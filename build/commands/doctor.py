"""`nox -s doctor`: what is missing on this machine, and how to get it; it changes nothing."""

from __future__ import annotations

import datetime
import os

import click

from build.checkout.project import DEFAULT_GROUP, open_project
from build.commands.options import Session, selecting
from build.doctor import output
from build.doctor.checks import run_all
from build.doctor.setting import Setting
from build.errors import PipelineError
from build.paths import repository
from build.registry import address
from build.variants.select import Selection


@click.command("doctor", cls=Session)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@selecting
def doctor(selection: Selection, as_json: bool) -> None:
    """Show what this machine lacks for the selected images, and how to get it.

    It checks the engine, buildx, mmdebstrap, disk space, CA certificates, the package index, Python prefixes, wheel
    sources, and the registry with the right to push. It changes nothing; to find out whether the login may push, it
    begins an upload and cancels it. The exit code is 1 if something is missing that the selected images need. IMAGE is
    a name or a glob; the default is the group 'default'.
    """
    project = open_project(repository())
    today = datetime.datetime.now(datetime.UTC).date()
    variants = project.select(selection, default_group=DEFAULT_GROUP, today=today)
    registry = address.from_environment()
    findings = run_all(Setting(project=project, variants=variants, registry=registry, environ=os.environ))
    if as_json:
        click.echo(output.to_json(findings))
    else:
        output.print_findings(findings)
    if not output.is_ready(findings):
        names = ", ".join(finding.name for finding in findings if finding.state == "missing")
        raise PipelineError(f"something is missing that the selected images need: {names}", fix="see above for each")
