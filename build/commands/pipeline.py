"""`nox -s pipeline`: check, build, verify and publish.

An image that cannot be made stops no other; nothing is published where a test failed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import click

from build.builder.options import Options
from build.builder.outcomes import built_images
from build.commands.build import build_images, report
from build.commands.building import building
from build.commands.options import PublishOptions, Session, publishing, selecting
from build.commands.publish import publish_images
from build.commands.run import Run, checked, opened
from build.commands.verify import verify_images
from build.engine.built import BuiltImage
from build.images.titles import framework_version, title
from build.paths import repository
from build.publish import output
from build.publish.publication import Published
from build.publish.release import repository_of
from build.registry import address
from build.registry.client import Client
from build.system import console, state
from build.system.parallel import run_parallel
from build.variants.select import Selection


@click.command("pipeline", cls=Session)
@building
@click.option(
    "--workers", type=click.IntRange(1), help="Number of tests that run at a time.  [default: the number of CPUs]"
)
@publishing
@click.option(
    "--verbose",
    is_flag=True,
    help="Also print the status, sizes and tags of each published image, and a table for release notes.",
)
@selecting
def pipeline(
    selection: Selection, options: Options, workers: int | None, publish_options: PublishOptions, verbose: bool
) -> None:
    """Check, build, verify and publish images.

    IMAGE is a name or a glob; the default is the group 'default'.
    """
    with state.exclusive(repository(), "pipeline"), opened(selection) as unchecked:
        began = time.monotonic()
        console.step("check: the committed files against the matrix")
        run = checked(unchecked)
        _check_registry(run)
        outcomes = build_images(run, options)
        left_out = report(outcomes)
        images = built_images(outcomes)
        if not images:
            run.finish(left_out)
        verify_images(run, images, force=False, workers=workers)
        published = publish_images(run, images, publish_options)
        output.print_results(published, verbose=verbose)
        if verbose:
            console.out.print()
            for line in release_notes(images, published):
                console.out.print(line, markup=False, soft_wrap=True)
        console.out.print(f"\npipeline finished in {console.seconds(time.monotonic() - began)}")
        run.finish(left_out)


def _check_registry(run: Run) -> None:
    """Find out before minutes of building whether the login may push."""
    registry = address.from_environment()
    if registry.embedded:  # it may not run yet; publishing reports the same
        return
    with Client(registry) as client:
        client.check()
        namespace = run.project.matrix.project.namespace
        repositories = {image.variant.repository for image in run.images}
        run_parallel(client.check_push, sorted({*repositories, repository_of(namespace)}))


def release_notes(images: Sequence[BuiltImage], published: Sequence[Published]) -> list[str]:
    """Return the lines of a Markdown table for release notes: each image, its versions, its digest."""
    lines = ["| image | framework | Python | size | pull |", "|---|---|---|---|---|"]
    for built, result in zip(images, published, strict=True):
        variant = built.image.variant
        version = framework_version(built.image)
        framework = f"{title(variant)} ({version})" if variant.version else f"{title(variant)} (server {version})"
        size = console.size(built.local.size)
        lines.append(f"| {variant.name} | {framework} | {variant.base.python} | {size} | `{result.pull}` |")
    return lines
