"""`nox -s pipeline`: check, plan, build, verify and publish.

An image that cannot be made stops no other; nothing is published where a test failed; what the registry has already is
neither built nor tested again.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

import click

from build.bases import published as published_bases
from build.builder.options import Options
from build.builder.outcomes import built_images
from build.commands.build import build_images, report
from build.commands.building import builder_option, building, check_registry, place_of
from build.commands.options import PublishOptions, Session, Shown, publishing, selecting
from build.commands.plan import fail_if_unknown, plan_of
from build.commands.publish import finish_release, publish_images
from build.commands.pull import pull_published, take_over_foundations
from build.commands.run import Chosen, checked, choose, connected
from build.commands.verify import verify_images
from build.engine.built import BuiltImage
from build.errors import LeftOut, UsageError
from build.images.titles import framework_version, title
from build.paths import repository
from build.plan import output as plan_output
from build.plan.plan import Plan
from build.plan.states import ToMove, ToTest, UpToDate
from build.publish import output
from build.publish.publication import Published
from build.system import console, state
from build.variants.select import Selection


@click.command("pipeline", cls=Session)
@building
@builder_option
@click.option(
    "--workers", type=click.IntRange(1), help="Number of tests that run at a time.  [default: the number of CPUs]"
)
@publishing
@click.option("--dry-run", is_flag=True, help="Print the plan, and do nothing else.")
@click.option("--force", is_flag=True, help="Go on although the registry does not say what it has.")
@click.option(
    "--verbose",
    is_flag=True,
    help="Also print the status, sizes and tags of each published image, and a table for release notes.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: what publish prints, or with --dry-run the plan.")
@selecting
def pipeline(
    selection: Selection,
    options: Options,
    builder: str,
    workers: int | None,
    publish_options: PublishOptions,
    dry_run: bool,
    force: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Bring images into the registry: check, plan, build, verify, publish.

    Only what the registry does not have is built and tested. IMAGE is a name or a glob; the default is the group
    'default'.
    """
    if verbose and as_json:
        raise UsageError("--verbose and --json contradict each other", fix="use one of them; JSON has everything")
    with state.exclusive(repository(), "pipeline"):
        began = time.monotonic()
        console.step("check: the committed files against the matrix")
        chosen = checked(choose(selection))
        plan = plan_of(chosen, publish_options, locked=options.locked)
        if dry_run and as_json:
            click.echo(plan_output.to_json(plan))
        elif dry_run:
            plan_output.print_plan(plan)
        else:
            for line in plan_output.notes(plan):
                console.info(line)
            console.info(plan_output.totals(plan))
        if not force:
            fail_if_unknown(plan)
        if plan.older and not dry_run:
            raise plan.older
        again = options.no_cache or options.refresh_bases
        if dry_run:
            if (rebuilt := plan_output.again_line(plan.states, options)) is not None:
                console.info(rebuilt)
            return
        published_bases.settle(
            chosen.project,
            chosen.project.build_base_names([image.variant for image in chosen.images]),
            plan.bases,
            again=options.refresh_bases,
        )
        done = {} if again else {each.name: each.published for each in plan.states if isinstance(each, UpToDate)}
        images = tuple(image for image in chosen.images if image.variant.name not in done)
        results, left_out = _bring(
            dataclasses.replace(chosen, images=images),
            plan,
            options,
            publish_options,
            builder,
            workers,
            verbose=verbose,
            check=not force,
            shown="nothing" if as_json else "table",
        )
        if plan.differences and not publish_options.no_latest:
            finish_release(chosen.project, publish_options)
        every = {**done, **{each.name: each for each in results}}
        published = [every[image.variant.name] for image in chosen.images if image.variant.name in every]
        if as_json:
            click.echo(output.to_json(published))
        else:
            output.print_results(published, verbose=verbose)
            console.out.print(f"\npipeline finished in {console.seconds(time.monotonic() - began)}")
        chosen.finish(left_out)


def _bring(
    chosen: Chosen,
    plan: Plan,
    options: Options,
    publish_options: PublishOptions,
    builder: str,
    workers: int | None,
    *,
    verbose: bool,
    check: bool,
    shown: Shown,
) -> tuple[Sequence[Published], Sequence[LeftOut]]:
    """Build, verify and publish images that the registry does not have, or not as they should be.

    Returns:
        The results of publishing, and the images that the build left out.
    """
    if not chosen.images:
        return (), ()
    with connected(chosen, builder) as run:
        place = place_of(run)
        if check:
            check_registry(run)
        if not (options.no_cache or options.refresh_bases):
            pull_published(run, plan, {each.name: each for each in plan.states if isinstance(each, ToTest | ToMove)})
        outcomes = build_images(run, place, options, plan.bases)
        left_out = report(outcomes, shown)
        images = built_images(outcomes)
        if not images:
            return (), left_out
        take_over_foundations(run, images)
        verify_images(run, images, force=False, workers=workers, shown=shown)
        published = publish_images(run, images, publish_options)
        if verbose:
            for line in release_notes(images, published):
                console.out.print(line, markup=False, soft_wrap=True)
            console.out.print()
        return published, left_out


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
