"""`nox -s pipeline`: check, plan, build, verify and publish.

An image that cannot be made stops no other; nothing is published where a test failed; what the registry has already is
neither built nor tested again.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal

import click

from build.bases import published as published_bases
from build.builder.options import Options
from build.builder.outcomes import built_images
from build.commands.build import build_images, report, to_json
from build.commands.building import builder_option, building, check_registry, place_of
from build.commands.options import PublishOptions, Session, publishing, selecting
from build.commands.plan import fail_if_unknown, plan_of
from build.commands.publish import finish_release, publish_images, push_images
from build.commands.pull import pull_published, take_over_foundations
from build.commands.run import Chosen, Run, checked, choose, connected
from build.commands.sharding import disk_option, only_shard, shards_of
from build.commands.verify import verify_images
from build.engine.built import BuiltImage
from build.errors import LeftOut, UsageError, VerifyError
from build.images.titles import framework_version, title
from build.paths import repository
from build.plan import output as plan_output
from build.plan.plan import Plan
from build.plan.states import ToMove, ToTest, UpToDate
from build.publish import output
from build.publish.plan import Plan as Pushed
from build.publish.publication import Published
from build.system import console, state
from build.variants.select import Selection
from build.verify import summary
from build.verify.results import VerifyResult

#: What a run writes to the registry at its end.
Writes = Literal["release", "images", "nothing"]
#: What is done with images that are built and tested.
End = Callable[[Run, Sequence[BuiltImage]], None]


@click.command("pipeline", cls=Session)
@building
@builder_option
@click.option(
    "--workers", type=click.IntRange(1), help="Number of tests that run at a time.  [default: the number of CPUs]"
)
@publishing
@click.option(
    "--no-tags",
    is_flag=True,
    help="Push images under their recipes, and move no tag: `publish --tags-only` does that when all are there.",
)
@click.option("--no-push", is_flag=True, help="Build and test what the registry does not have, and push nothing.")
@click.option("--shard", metavar="ID", help="Only the images of this shard (`plan --github` names them).")
@disk_option
@click.option("--dry-run", is_flag=True, help="Print the plan, and do nothing else.")
@click.option("--force", is_flag=True, help="Go on although the registry does not say what it has.")
@click.option(
    "--verbose",
    is_flag=True,
    help="Also print the status, sizes and tags of each published image, and a table for release notes.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the results of the last step that ran as JSON: of publish; of verify with --no-push, or if a test "
    "failed; of build if no image could be built; of plan with --dry-run.",
)
@selecting
def pipeline(
    selection: Selection,
    options: Options,
    builder: str,
    workers: int | None,
    publish_options: PublishOptions,
    no_tags: bool,
    no_push: bool,
    shard: str | None,
    disk: int,
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
    if no_tags and no_push:
        raise UsageError("--no-tags and --no-push contradict each other", fix="use one of them")
    writes: Writes = "nothing" if no_push else "images" if no_tags else "release"
    with state.exclusive(repository(), "pipeline"):
        began = time.monotonic()
        console.step("check: the committed files against the matrix")
        chosen = checked(choose(selection))
        divided = shards_of(chosen, disk)
        if shard is not None:
            chosen = only_shard(chosen, shard, divided)
        plan = plan_of(chosen, publish_options, locked=options.locked)
        if dry_run and as_json:
            click.echo(plan_output.to_json(plan, divided))
        elif dry_run:
            plan_output.print_plan(plan)
        else:
            for line in plan_output.base_lines(plan):
                console.info(line)
            console.info(plan_output.totals(plan))
        if not force:
            fail_if_unknown(plan)
        if plan.older and not dry_run and writes != "nothing":
            raise plan.older
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
        bring = _Bring(plan, options, builder, workers, as_json=as_json, force=force)
        if writes == "release":
            left_out = _release(bring, chosen, publish_options, verbose=verbose, as_json=as_json)
        else:
            left_out = _part(bring, chosen, publish_options, pushes=writes == "images", as_json=as_json)
        if not as_json:
            console.out.print(f"\npipeline finished in {console.seconds(time.monotonic() - began)}")
        chosen.finish(left_out)


@dataclass(frozen=True)
class _Bring:
    """Builds and tests images that the registry does not have, or not as they should be."""

    plan: Plan
    options: Options
    builder: str
    workers: int | None
    _: KW_ONLY
    as_json: bool
    #: Go on although the registry does not say what it has.
    force: bool
    #: The results of the steps that ran, as JSON, in their order.
    results: list[str] = field(default_factory=list)

    @property
    def again(self) -> bool:
        """Whether images that the registry has are built again."""
        return self.options.no_cache or self.options.refresh_bases

    @property
    def last_results(self) -> str:
        """The results of the last step that ran, as JSON."""
        return self.results[-1] if self.results else "[]"

    def run(self, chosen: Chosen, done: Collection[str], end: End, *, check: bool) -> Sequence[LeftOut]:
        """Build and test, and end with the images.

        Args:
            chosen: The selected images.
            done: Names of those for which nothing is left to do.
            end: What is done with the others.
            check: Find out first whether the login may push.

        Returns:
            The images that the build left out.
        """
        images = tuple(image for image in chosen.images if image.variant.name not in done)
        if not images:
            return ()
        with connected(dataclasses.replace(chosen, images=images), self.builder) as run:
            place = place_of(run)
            if check and not self.force:
                check_registry(run)
            if not self.again:
                wanted = {each.name: each for each in self.plan.states if isinstance(each, ToTest | ToMove)}
                pull_published(run, self.plan, wanted)
            outcomes = build_images(run, place, self.options, self.plan.bases)
            left_out = report(outcomes, "nothing" if self.as_json else "table")
            if self.as_json:
                self.results.append(to_json(outcomes))
            built = built_images(outcomes)
            if built:
                take_over_foundations(run, built)
                self._verify(run, built)
                end(run, built)
            return left_out

    def _verify(self, run: Run, built: Sequence[BuiltImage]) -> None:
        if not self.as_json:
            return verify_images(run, built, force=False, workers=self.workers)

        def keep(results: Sequence[VerifyResult]) -> None:
            self.results.append(summary.to_json(results))

        try:
            verify_images(run, built, force=False, workers=self.workers, show=keep)
        except VerifyError:
            click.echo(self.last_results)
            raise


def _release(
    bring: _Bring, chosen: Chosen, options: PublishOptions, *, verbose: bool, as_json: bool
) -> Sequence[LeftOut]:
    """Publish images, with their tags, and show the results."""
    published = (
        {} if bring.again else {each.name: each.published for each in bring.plan.states if isinstance(each, UpToDate)}
    )

    def publish(run: Run, images: Sequence[BuiltImage]) -> None:
        results = publish_images(run, images, options)
        published.update((each.name, each) for each in results)
        if verbose:
            for line in release_notes(images, results):
                console.out.print(line, markup=False, soft_wrap=True)
            console.out.print()

    left_out = bring.run(chosen, tuple(published), publish, check=True)
    if bring.plan.differences and not options.no_latest:
        finish_release(chosen.project, options)
    results = [published[name] for image in chosen.images if (name := image.variant.name) in published]
    if as_json:
        click.echo(output.to_json(results) if results else bring.last_results)
    else:
        output.print_results(results, verbose=verbose)
    return left_out


def _part(bring: _Bring, chosen: Chosen, options: PublishOptions, *, pushes: bool, as_json: bool) -> Sequence[LeftOut]:
    """Build and test images without making a release, push them under their recipes or not, and show the results."""
    done = () if bring.again else tuple(each.name for each in bring.plan.states if isinstance(each, UpToDate | ToMove))
    tested: list[str] = []
    pushed: list[Pushed] = []

    def push(run: Run, images: Sequence[BuiltImage]) -> None:
        tested.extend(image.name for image in images)
        if pushes:
            pushed.extend(push_images(run, images, options))

    left_out = bring.run(chosen, done, push, check=pushes)
    if as_json:
        click.echo(output.pushed_to_json(pushed) if pushed else bring.last_results)
    elif pushes:
        output.print_pushed(pushed, bring.plan.registry)
    else:
        console.out.print(f"{console.count(len(tested), 'image')} built and tested; nothing was pushed")
    return left_out


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
