"""`nox -s plan`: what `pipeline` would do, from the committed files and the registry; no engine is needed."""

from __future__ import annotations

from pathlib import Path

import click

from build.commands.options import PublishOptions, Session, publishing, selecting
from build.commands.run import Chosen, checked, choose
from build.commands.sharding import disk_option, shards_of
from build.errors import LeftOut, NotReadyError, PipelineError, RegistryError
from build.paths import write_atomically
from build.plan import output
from build.plan.plan import Options, Plan, make_plan
from build.plan.states import Blocked
from build.registry import address
from build.system import console
from build.variants.select import Selection


@click.command("plan", cls=Session)
@click.option("--check", is_flag=True, help="Exit with 1 if there is something to do.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--summary",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the plan to this file, as Markdown for the summary of a job.",
)
@click.option(
    "--github",
    is_flag=True,
    help="Divide the work among jobs of GitHub Actions: write the outputs of a step, and its summary (docs/ci.md).",
)
@disk_option
@click.option("--force", is_flag=True, help="With --github: images of which the registry says nothing are work.")
@publishing
@selecting
def plan(
    selection: Selection,
    check: bool,
    as_json: bool,
    summary: Path | None,
    github: bool,
    disk: int,
    force: bool,
    publish_options: PublishOptions,
) -> None:
    """Show what `pipeline` would do for each image, and why.

    It asks the registry and reads the committed files; it needs no engine and changes nothing. IMAGE is a name or a
    glob; the default is the group 'default'.
    """
    chosen = checked(choose(selection))
    made = plan_of(chosen, publish_options)
    divided = shards_of(chosen, disk)
    if as_json:
        click.echo(output.to_json(made, divided))
    else:
        output.print_plan(made)
    if summary is not None:
        _write(summary, output.to_markdown(made))
    if github:
        from build.commands import in_github  # here: it loads what compares releases

        in_github.write_plan(made, divided, disk)
    if not (github and force):
        fail_if_unknown(made)
    if github:
        _fail_if_blocked(made)
    if check and not made.is_done:
        raise PipelineError("the registry does not have all images", fix="nox -s pipeline")


def plan_of(chosen: Chosen, options: PublishOptions, *, locked: bool = False) -> Plan:
    """Make the plan for the images of a command.

    Args:
        chosen: The images.
        options: The options of publishing.
        locked: Build nothing on a base that differs from its lock.
    """
    registry = address.from_environment()
    console.step(f"plan: {console.count(chosen.selected, 'image')} at {registry}")
    allowed = Options(
        latest=not options.no_latest,
        latest_for_stand_ins=options.latest_for_stand_ins,
        allow_older=options.allow_older,
        without_records=options.without_records,
        locked=locked,
    )
    made = make_plan(chosen.project, chosen.images, chosen.left_out, registry, allowed)
    if made.differences:
        names = console.some([f"{each.repository}:{each.tag}" for each in made.differences])
        console.warn(
            f"tags of images that are not selected are not what the record of the last release says: {names}; "
            "the next publish or pipeline corrects that: nox -s publish"
        )
    return made


def fail_if_unknown(made: Plan) -> None:
    """Raise if the registry did not answer about an image.

    Raises:
        RegistryError: It did not.
    """
    if not made.unknown:
        return
    first = made.unknown[0].why
    count = len(made.unknown)
    raise RegistryError(
        f"it is unknown what the registry has of {count} {'image' if count == 1 else 'images'}: {first.what}",
        where=first.where,
        fix=first.fix,
        details=first.details,
    )


def _fail_if_blocked(made: Plan) -> None:
    """Raise if an image cannot be made: then no job need begin, since a release is of all images."""
    blocked = [LeftOut(name=each.name, why=each.why) for each in made.states if isinstance(each, Blocked)]
    if blocked:
        raise NotReadyError(blocked, len(made.states), "correct that, or take them out of the selection")


def _write(file: Path, text: str) -> None:
    try:
        write_atomically(file, text)
    except OSError as failure:
        raise PipelineError(f"the summary could not be written: {failure.strerror}", where=str(file)) from failure
