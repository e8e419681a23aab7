"""`nox -s publish`: push verified images to the registry."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Sequence
from typing import Protocol, TypeVar

import click
from docker import DockerClient
from rich.status import Status

from build.builder import compression
from build.builder.registry_image import build_registry
from build.checkout.project import Project
from build.commands.options import PublishOptions, Session, publishing, selecting
from build.commands.plan import fail_if_unknown, plan_of
from build.commands.run import Run, checked, choose, find_images, opened
from build.commands.verify import target
from build.engine import embedded_registry
from build.engine.built import BuiltImage
from build.errors import LeftOut, NotReadyError, PipelineError, UsageError, VerifyError
from build.paths import repository
from build.plan.plan import Plan
from build.plan.states import Blocked, ToMove, UpToDate
from build.publish import origin, output
from build.publish.bases import BasesOf
from build.publish.origin import Origin
from build.publish.plan import Plan as Pushed
from build.publish.publication import Publication, Published
from build.publish.publish import finish, move_tags, push_untagged
from build.publish.publish import publish as push
from build.publish.push import Progress
from build.publish.targets import Rules
from build.registry import address
from build.registry.address import Registry
from build.system import console, state
from build.variants.select import Selection
from build.verify import reports
from build.verify.verify import is_verified

_Sent = TypeVar("_Sent")


@click.command(cls=Session)
@publishing
@click.option("--verbose", is_flag=True, help="Also print the status, sizes and tags of each image.")
@click.option("--json", "as_json", is_flag=True, help="Print references, status, sizes and tags as JSON.")
@click.option(
    "--tags-only",
    is_flag=True,
    help="Push nothing: record a release of images that are in the registry under their recipes, with their reports.",
)
@click.option("--github", is_flag=True, help="With --tags-only: write the release notes to the summary of the job.")
@selecting
def publish(
    selection: Selection,
    publish_options: PublishOptions,
    verbose: bool,
    as_json: bool,
    tags_only: bool,
    github: bool,
) -> None:
    """Push verified images to the registry.

    It prints a reference for each image, with the immutable tag and the digest. IMAGE is a name or a glob; the default
    is the group 'default'.
    """
    if github and not tags_only:
        raise UsageError("--github needs --tags-only", fix="leave it out, or add --tags-only")
    if tags_only:
        with state.exclusive(repository(), "publish"):
            _publish_tags(selection, publish_options, verbose=verbose, as_json=as_json, github=github)
        return
    with state.exclusive(repository(), "publish"), opened(selection) as run:
        images, left_out = find_images(run)
        results = publish_images(run, images, publish_options)
        if as_json:
            console.out.print(output.to_json(results), soft_wrap=True, markup=False)
        else:
            output.print_results(results, verbose=verbose)
        run.finish(left_out)


def _publish_tags(selection: Selection, options: PublishOptions, *, verbose: bool, as_json: bool, github: bool) -> None:
    """Move the tags of images that several runs have pushed: of all selected ones, or of none."""
    chosen = checked(choose(selection))
    plan = plan_of(chosen, options)
    fail_if_unknown(plan)
    if plan.older:
        raise plan.older
    _fail_if_missing(plan)
    project = chosen.project
    console.step(f"tags: {console.count(len(plan.states), 'image')} at {plan.registry}")
    results = move_tags(
        [_publication(plan, each.name) for each in plan.states],
        plan.registry,
        origin=_origin(project),
        rules=_rules(options),
        ends=_ends(project),
    )
    if plan.differences and not options.no_latest:
        finish_release(project, options)
    if as_json:
        click.echo(output.to_json(results))
    else:
        output.print_results(results, verbose=verbose)
    if github:
        from build.commands import in_github  # here: it loads what compares releases

        in_github.write_release(results, plan.registry, project.matrix.project.namespace)


def _fail_if_missing(plan: Plan) -> None:
    """Raise unless the registry has all images, with reports of today's tests: a release is of all of them."""
    missing = [
        LeftOut(name=each.name, why=each.why if isinstance(each, Blocked) else PipelineError(each.reason))
        for each in plan.states
        if not isinstance(each, UpToDate | ToMove)
    ]
    if missing:
        raise NotReadyError(
            missing, len(plan.states), "build, test and push them: nox -s pipeline -- --no-tags; no tag was moved"
        )


def _publication(plan: Plan, name: str) -> Publication:
    question = plan.questions[name]
    return Publication(
        name=name,
        repository=question.repository,
        local_reference="",
        recipe=question.recipe,
        stand_in=question.stand_in or None,
        rolling=question.rolling,
    )


def push_images(run: Run, images: Sequence[BuiltImage], options: PublishOptions) -> list[Pushed]:
    """Push verified images under their recipes, and move no tag; as `publish_images` otherwise."""
    return _send(run, images, options, "push", push_untagged)


def publish_images(run: Run, images: Sequence[BuiltImage], options: PublishOptions) -> list[Published]:
    """Push verified images, record a release, and move the tags.

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
    return _send(run, images, options, "publish", functools.partial(push, ends=_ends(run.project)))


class _Sends(Protocol[_Sent]):
    """`build.publish.publish.publish`, or a part of it."""

    def __call__(
        self,
        items: Sequence[Publication],
        registry: Registry,
        client: DockerClient,
        *,
        origin: Origin,
        rules: Rules,
        progress: Progress,
        bases: BasesOf,
    ) -> list[_Sent]: ...


def _send(
    run: Run, images: Sequence[BuiltImage], options: PublishOptions, step: str, sends: _Sends[_Sent]
) -> list[_Sent]:
    """Send verified images to the registry; ``step`` names that in the output."""
    registry = _registry(run, images, step)
    with console.err.status("pushing") as status:
        return sends(
            _publications(run, images, options),
            registry,
            run.connection.client,
            origin=_origin(run.project),
            rules=_rules(options),
            progress=_progress(status),
            bases=BasesOf.of(run.project, images),
        )


def _registry(run: Run, images: Sequence[BuiltImage], step: str) -> Registry:
    """Return the registry, which runs then if it is the embedded one.

    Raises:
        VerifyError: An image is not verified.
        PipelineError: An image was built for a registry with another compression.
    """
    registry = address.from_environment()
    _check_compression(run, images, registry)
    _check_verified(run, images)
    console.step(f"{step}: {console.count(len(images), 'image')} to {registry.host}")
    if registry.embedded:
        _start_embedded_registry(run)
    return registry


def _publications(run: Run, images: Sequence[BuiltImage], options: PublishOptions) -> list[Publication]:
    return [
        Publication.of(
            image,
            latest_for_stand_ins=options.latest_for_stand_ins,
            report=reports.load(run.project.paths, image.local.id),
        )
        for image in images
    ]


def _progress(status: Status) -> Progress:
    """Show the progress of a push: it moves on a terminal, and prints nothing elsewhere."""

    def show(name: str, sent: int, total: int) -> None:
        status.update(f"pushing {name}: {console.size(sent)} of {console.size(total)}")

    return show


def _origin(project: Project) -> Origin:
    return origin.of_checkout(project.paths.root, held=state.lock_file(project.paths))


def _ends(project: Project) -> dict[str, datetime.date]:
    """Repository → the day from which its images get no fixes any more."""
    return {each.repository: end for each in project.variants if (end := each.lifecycle.end_of_life)}


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
        origin=_origin(project),
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
    if not engine.containerd_store and compression.named(run.project.matrix, registry) == "zstd":
        console.warn(
            f"matrix.yaml chooses zstd layers for {registry}, but an engine with the classic image store pushes gzip "
            "(docs/registries.md#compression)"
        )
    others = [image.name for image in images if not compression.fits(client, engine, image, choice, registry)]
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
