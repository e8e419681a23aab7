"""`nox -s publish`: push verified images to the registry."""

from __future__ import annotations

from collections.abc import Sequence

import click

from build.builder import compression
from build.builder.registry_image import build_registry
from build.checkout.project import Project
from build.commands.options import PublishOptions, Session, publishing, selecting
from build.commands.run import Run, find_images, opened
from build.commands.verify import target
from build.engine import embedded_registry
from build.engine.built import BuiltImage
from build.errors import PipelineError, VerifyError
from build.paths import repository
from build.publish import origin, output
from build.publish.bases import BasesOf
from build.publish.publication import Publication, Published
from build.publish.publish import finish
from build.publish.publish import publish as push
from build.publish.targets import Rules
from build.registry import address
from build.registry.address import Registry
from build.system import console, state
from build.variants.select import Selection
from build.verify import reports
from build.verify.verify import is_verified


@click.command(cls=Session)
@publishing
@click.option("--verbose", is_flag=True, help="Also print the status, sizes and tags of each image.")
@click.option("--json", "as_json", is_flag=True, help="Print references, status, sizes and tags as JSON.")
@selecting
def publish(selection: Selection, publish_options: PublishOptions, verbose: bool, as_json: bool) -> None:
    """Push verified images to the registry.

    It prints a reference for each image, with the immutable tag and the digest. IMAGE is a name or a glob; the default
    is the group 'default'.
    """
    with state.exclusive(repository(), "publish"), opened(selection) as run:
        images, left_out = find_images(run)
        results = publish_images(run, images, publish_options)
        if as_json:
            console.out.print(output.to_json(results), soft_wrap=True, markup=False)
        else:
            output.print_results(results, verbose=verbose)
        run.finish(left_out)


def publish_images(run: Run, images: Sequence[BuiltImage], options: PublishOptions) -> list[Published]:
    """Push verified images.

    Args:
        run: The command's setting.
        images: The images to push.
        options: The options of publishing.

    Raises:
        VerifyError: One of them is not verified; nothing is pushed.
        PipelineError: The layers of one are not compressed as the matrix chooses; nothing is pushed.
        RegistryError: The registry cannot be reached, refuses, or stopped answering; another run publishes; or the
            images are older than the published ones.
    """
    registry = address.from_environment()
    _check_compression(run, images, registry)
    _check_verified(run, images)
    console.step(f"publish: {console.count(len(images), 'image')} to {registry.host}")
    if registry.embedded:
        _start_embedded_registry(run)
    publications = [
        Publication.of(
            image,
            latest_for_stand_ins=options.latest_for_stand_ins,
            report=reports.load(run.project.paths, image.local.id),
        )
        for image in images
    ]
    with console.err.status("pushing") as status:  # moves on a terminal, prints nothing elsewhere

        def show(name: str, sent: int, total: int) -> None:
            status.update(f"pushing {name}: {console.size(sent)} of {console.size(total)}")

        return push(
            publications,
            registry,
            run.connection.client,
            origin=origin.of_checkout(run.project.paths.root, held=state.lock_file(run.project.paths)),
            rules=_rules(options),
            progress=show,
            bases=BasesOf.of(run.project, images),
            ends={each.repository: end for each in run.project.variants if (end := each.lifecycle.end_of_life)},
        )


def finish_release(project: Project, options: PublishOptions) -> None:
    """Finish the last release if the run that made it was interrupted.

    Args:
        project: The checkout, which the command holds.
        options: The options of publishing.

    Raises:
        RegistryError: As of `build.publish.publish.finish`.
    """
    finished = finish(
        address.from_environment(),
        project.matrix.project.namespace,
        origin=origin.of_checkout(project.paths.root, held=state.lock_file(project.paths)),
        rules=_rules(options),
    )
    if finished and finished.is_new:
        console.info(f"release {finished.release.number} is new: images or tags of the last one were deleted or moved")
    elif finished:
        console.info(f"release {finished.release.number}, whose publish was interrupted, is finished")


def _rules(options: PublishOptions) -> Rules:
    return Rules(
        allow_older=options.allow_older,
        latest=not options.no_latest,
        without_records=options.without_records,
    )


def _check_verified(run: Run, images: Sequence[BuiltImage]) -> None:
    project = run.project
    not_verified = [image.name for image in images if not is_verified(target(run, image), project.tool, project.paths)]
    if not_verified:
        raise VerifyError(
            "only verified images are published; not verified: " + ", ".join(not_verified),
            fix="nox -s verify -- " + " ".join(not_verified),
        )


def _check_compression(run: Run, images: Sequence[BuiltImage], registry: Registry) -> None:
    """Refuse images that were built for a registry with another compression: what is published first stays."""
    choice = compression.chosen(run.project.matrix, registry)
    client, engine = run.connection.client, run.connection.engine
    others = [image.name for image in images if not compression.fits(client, engine, image, choice)]
    if others:
        raise PipelineError(
            f"the layers of {console.some(others)} are not {choice}, which matrix.yaml chooses for {registry}",
            where="matrix.yaml (project.compression)",
            fix="make them again, which takes their content from the build cache: nox -s build verify -- "
            + " ".join(others),
        )


def _start_embedded_registry(run: Run) -> None:
    """Build the registry's image on one of our bases, and start it."""
    log = run.project.paths.logs / "build-registry.log"
    reference = build_registry(run.project, connection=run.connection, log=log)
    embedded_registry.ensure_running(run.connection.client, reference)
