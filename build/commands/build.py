"""`nox -s build`: build the selected images."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from typing import Any

import click

from build.bases import published
from build.bases.engine_rootfs import RootfsStore
from build.bases.published_note import PublishedBases
from build.builder.builder import Builder
from build.builder.options import Options
from build.builder.outcomes import Built, Failed, Outcome, Skipped, UpToDate, built_images, left_out
from build.builder.places import Place, PushedToRegistry
from build.builder.progress import Display
from build.commands.building import builder_option, building, check_registry, place_of
from build.commands.options import Session, Shown, json_option, selecting
from build.commands.pull import ask_registry
from build.commands.run import Run, checked, opened, warn_of
from build.engine.images import Weight, unique_bytes, weights
from build.errors import LeftOut
from build.paths import repository
from build.registry import address
from build.system import console, state
from build.variants.select import Selection


@click.command("build", cls=Session)
@building
@builder_option
@click.option("--no-pull", is_flag=True, help="Also build the images that the registry has.")
@json_option
@selecting
def build(selection: Selection, options: Options, builder: str, no_pull: bool, as_json: bool) -> None:
    """Bring images into the engine: those that the registry has are pulled, the others are built.

    A builder that keeps no images pushes them to the registry, without a tag, and the engine pulls them.

    IMAGE is a name or a glob; the default is the group 'default'.
    """
    with state.exclusive(repository(), "build"), opened(selection, builder) as unchecked:
        run = checked(unchecked)
        place = place_of(run)
        if isinstance(place, PushedToRegistry):
            check_registry(run)
        pulls = not (no_pull or options.no_cache or options.refresh_bases)
        bases = ask_registry(run, pulls=pulls, locked=options.locked)
        run.finish(report(build_images(run, place, options, bases), "json" if as_json else "table"))


def build_images(run: Run, place: Place, options: Options, bases: PublishedBases | None) -> list[Outcome]:
    """Build the images that are missing, and show the progress; a failed image is an outcome.

    Args:
        run: The command's setting.
        place: Where the images are kept.
        options: The options of building.
        bases: The bases in the registry; None if it did not answer.

    Raises:
        PipelineError: Something failed that concerns all images.
    """
    if not run.images:
        return []
    names = run.project.build_base_names([image.variant for image in run.images])
    known = published.settle(run.project, names, bases, again=options.refresh_bases)
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    console.step(f"build: {console.count(len(run.images), 'image')} with {place.in_words}")
    with Display(len(run.images)) as progress:
        registry = address.from_environment()
        builder = Builder(
            project=run.project,
            connection=run.connection,
            place=place,
            options=options,
            progress=progress,
            log=run.project.paths.logs / f"build-{stamp}.log",
            store=RootfsStore.of(run.project, run.connection.client, registry, known),
        )
        return builder.build(run.images)


def report(outcomes: Sequence[Outcome], shown: Shown = "table") -> tuple[LeftOut, ...]:
    """Show the outcomes of a build, and return the images that it left out."""
    if shown == "json":
        click.echo(to_json(outcomes))
    elif shown == "table" and outcomes:
        _print_table(outcomes)
    missing = left_out(outcomes)
    warn_of(missing)
    return missing


def to_json(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as a JSON list: sizes in bytes, durations in seconds."""
    built = built_images(outcomes)
    sizes = dict(zip([each.name for each in built], weights([each.local for each in built]), strict=True))
    return json.dumps([_as_data(outcome, sizes) for outcome in outcomes], indent=2)


def _as_data(outcome: Outcome, by_name: dict[str, Weight]) -> dict[str, Any]:
    match outcome:
        case Failed() | Skipped():
            return {"name": outcome.name, "status": outcome.status, "why": outcome.why.reason}
        case UpToDate() | Built():
            local, weight = outcome.built.local, by_name[outcome.name]
            return {
                "name": outcome.name,
                "status": outcome.status,
                "id": local.id,
                "recipe": outcome.built.recipe.digest,
                "size": local.size,
                "shared": weight.shared,
                "own": weight.own,
                "seconds": round(outcome.seconds, 3) if isinstance(outcome, Built) else 0.0,
            }


def _print_table(outcomes: Sequence[Outcome]) -> None:
    """Print a row for each image, and the sum of their sizes."""
    built = built_images(outcomes)
    local_images = [each.local for each in built]
    by_name = dict(zip([each.name for each in built], weights(local_images), strict=True))
    console.table(
        ("image", "status", "size>", "shared layers>", "own layers>", "ready after>", "digest"),
        [_row(outcome, by_name) for outcome in outcomes],
    )
    if built:
        total = sum(local.size for local in local_images)
        console.out.print(
            f"{console.count(len(built), 'image')}, {console.size(total)} unpacked in all, "
            f"{console.size(unique_bytes(local_images))} with shared layers counted once"
        )


def _row(outcome: Outcome, by_name: dict[str, Weight]) -> tuple[str, ...]:
    match outcome:
        case Failed() | Skipped():
            return (outcome.name, outcome.status, "-", "-", "-", "-", "-")
        case UpToDate() | Built():
            local, weight = outcome.built.local, by_name[outcome.name]
            return (
                outcome.name,
                outcome.status,
                console.size(local.size),
                f"{console.size(weight.shared)} in {weight.shared_layers}",
                f"{console.size(weight.own)} in {weight.own_layers}",
                console.seconds(outcome.seconds) if isinstance(outcome, Built) else "-",
                local.id.removeprefix("sha256:")[:12],
            )
