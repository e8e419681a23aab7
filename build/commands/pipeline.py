"""The steps as commands run them, and `pipeline`: all of them, stopping before publish for whatever failed."""

from __future__ import annotations

import datetime
import time
from collections.abc import Sequence
from dataclasses import dataclass

import click

from build.builder import builder, image_recipes
from build.builder.builder import Built, Options
from build.builder.progress import Display
from build.checkout.project import DEFAULT_GROUP, Project, open_project
from build.commands.building import building
from build.commands.generated_files import check_drift
from build.commands.options import Session, latest_for_stand_ins, selecting
from build.engine import embedded_registry, images
from build.engine.connect import Connection, connect
from build.engine.find import require
from build.engine.images import LocalImage
from build.engine.model import Engine
from build.errors import BuildError, UsageError, VerifyError
from build.images import layers
from build.images.image import Image
from build.images.labels import image_labels
from build.images.recipe import Recipe
from build.images.titles import framework_version, title
from build.matrix import lifecycle
from build.paths import repository
from build.publish import output, publish
from build.publish.publication import Publication, Published
from build.registry import address
from build.registry.client import Client
from build.system import console, state
from build.variants.select import Selection
from build.verify import reports, verify
from build.verify.reports import PackageLayer
from build.verify.target import Target

#: The engine of this run, for the message where it stops answering.
in_use: list[Engine] = []


@dataclass(frozen=True, kw_only=True)
class Local:
    """An image of the selection as it lies in the engine."""

    image: Image
    recipe: Recipe
    local: LocalImage

    @property
    def reference(self) -> str:
        return f"{self.image.variant.repository}:{self.recipe.tag}"


def release_notes(locals_: Sequence[Local], published: Sequence[Published]) -> list[str]:
    """The lines of a Markdown table that a person pastes into a release: each image, its versions, its digest."""
    lines = ["| image | framework | Python | size | pull |", "|---|---|---|---|---|"]
    for item, result in zip(locals_, published, strict=True):
        variant = item.image.variant
        version = framework_version(item.image)
        what = f"{title(variant)} ({version})" if variant.version else f"{title(variant)} (server {version})"
        pull = result.pull
        lines.append(
            f"| {variant.name} | {what} | {variant.base.python} | {console.size(item.local.size)} | `{pull}` |"
        )
    return lines


@dataclass(frozen=True, kw_only=True)
class Run:
    """One command's run: the checkout, the selection, the engine."""

    project: Project
    images: tuple[Image, ...]
    #: The images that a person asked for by their whole names: without one of them the work is not done.
    asked_for: frozenset[str]
    connection: Connection
    #: Whether ``latest`` moves to images of a stand-in base too.
    latest_for_stand_ins: bool = False

    @classmethod
    def open(cls, selection: Selection, *, latest_for_stand_ins: bool = False) -> Run:
        """Read the matrix, select, and find the engine.

        Args:
            selection: What the command is about.
            latest_for_stand_ins: Whether publishing moves ``latest`` to images of a stand-in base too.

        Raises:
            PipelineError: The matrix is wrong, nothing is selected, a lock is missing, no engine answers.
        """
        project = open_project(repository())
        today = datetime.datetime.now(datetime.UTC).date()
        variants = project.select(selection, default_group=DEFAULT_GROUP, today=today)
        for variant in variants:
            if said := lifecycle.warning(variant.lifecycle, today):
                console.warn(f"{variant.name}: {said}")
        selected = project.images(variants)
        running = require()
        in_use.append(running)
        return cls(
            project=project,
            images=selected,
            asked_for=frozenset(selection.patterns),
            connection=connect(running),
            latest_for_stand_ins=latest_for_stand_ins,
        )

    def build(self, options: Options) -> list[Built]:
        """Build what is not there, with progress shown; failures are in the result."""
        stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
        log = self.project.paths.logs / f"build-{stamp}.log"
        console.step(f"build: {len(self.images)} images with the engine at {self.connection.engine.host}")
        with Display(len(self.images)) as progress:
            return builder.build(
                self.project,
                self.images,
                connection=self.connection,
                options=options,
                progress=progress,
                log=log,
            )

    def report_built(self, results: Sequence[Built]) -> None:
        """Print the summary of a build.

        Raises:
            BuildError: An image failed, or one that was asked for by name was skipped.
        """
        there = [built for built in results if built.local is not None]
        weights = dict(
            zip(
                [built.name for built in there],
                images.weights([built.local for built in there if built.local]),
                strict=True,
            )
        )
        rows = []
        for built in results:
            if built.local is None:
                rows.append((built.name, built.status, "-", "-", "-", "-", "-"))
                continue
            weight = weights[built.name]
            rows.append(
                (
                    built.name,
                    built.status,
                    console.size(built.local.size),
                    f"{console.size(weight.shared)} in {weight.shared_layers}",
                    f"{console.size(weight.own)} in {weight.own_layers}",
                    console.seconds(built.seconds) if built.seconds is not None else "-",
                    built.local.id.removeprefix("sha256:")[:12],
                )
            )
        console.table(("image", "status", "size>", "shared layers>", "own layers>", "ready after>", "digest"), rows)
        locals_ = [built.local for built in there if built.local]
        total = sum(local.size for local in locals_)
        if locals_:
            unique = images.unique_bytes(locals_)
            console.out.print(
                f"{len(locals_)} images, {console.size(total)} unpacked in all, "
                f"{console.size(unique)} with shared layers counted once"
            )
        failed = [built for built in results if built.status == "failed"]
        skipped = [built for built in results if built.status == "skipped"]
        for built in skipped:
            console.warn(f"{built.name} skipped: {built.reason}; {built.details}")
        lost = failed + [built for built in skipped if built.name in self.asked_for or not there]
        if lost:
            details = []
            for built in failed:
                details.append(f"{built.name}: {built.reason}")
                details += [f"  {line}" for line in (built.details or "").splitlines()]
            raise BuildError(
                f"{len(lost)} of {len(results)} images were not built: " + ", ".join(built.name for built in lost),
                where=str(self.project.paths.logs),
                fix="see the lines below, and the whole log in that folder" if failed else "see the warnings above",
                details="\n".join(details),
            )

    def local_images(self) -> list[Local]:
        """The selected images as the engine has them under their recipes.

        Raises:
            UsageError: None of them is built; or one asked for by name is not.
        """
        recipes = image_recipes.of(self.project, self.images)
        found, missing = [], []
        for image in self.images:
            recipe = recipes.known.get(image.variant.name)
            local = images.find(self.connection.client, f"{image.variant.repository}:{recipe.tag}") if recipe else None
            if local is None or recipe is None:
                missing.append(image.variant.name)
            else:
                found.append(Local(image=image, recipe=recipe, local=local))
        if not found or self.asked_for & set(missing):
            raise UsageError(
                "not built in their present form: " + ", ".join(missing),
                fix="nox -s build -- " + " ".join(missing),
                details="\n".join(f"{name}: {base.why}; {base.fix}" for name, base in recipes.unknown.items()) or None,
            )
        for name in missing:
            unknown = recipes.unknown.get(name)
            console.warn(
                f"{name} is left out: {unknown.why}; {unknown.fix}"
                if unknown
                else f"{name} is left out: it is not built in its present form"
            )
        return found

    def targets(self, locals_: Sequence[Local]) -> list[Target]:
        """What the tests are told of each image."""
        return [
            Target(
                variant=item.image.variant,
                reference=item.reference,
                image_id=item.local.id,
                lock=item.image.lock.versions(),
                recipe=item.recipe.digest,
                from_source=tuple(package.name for package in item.image.lock.packages if package.source_only),
                labels=image_labels(item.image, self.project.matrix.project),
                layers=tuple(
                    PackageLayer(name=name, packages=tuple(f"{each.name}=={each.version}" for each in packages))
                    for name, packages in layers.stacked(item.image.layers)
                ),
            )
            for item in locals_
        ]

    def verify(self, locals_: Sequence[Local], *, force: bool, workers: int | None) -> None:
        """Test images in running containers.

        Raises:
            VerifyError: An image does not keep the contract.
        """
        console.step(f"verify: {len(locals_)} images in running containers")
        verify.verify(
            self.targets(locals_),
            docker_host=self.connection.engine.host,
            tool=self.project.tool,
            paths=self.project.paths,
            workers=workers,
            force=force,
        )

    def publish(self, locals_: Sequence[Local]) -> list[Published]:
        """Push verified images, and only those.

        Raises:
            VerifyError: One of them is not verified.
            RegistryError: The registry is not there, refuses, or stopped answering.
        """
        not_verified = [
            target.variant.name
            for target in self.targets(locals_)
            if not verify.is_verified(target, self.project.tool, self.project.paths)
        ]
        if not_verified:
            raise VerifyError(
                "only verified images are published; not verified: " + ", ".join(not_verified),
                fix="nox -s verify -- " + " ".join(not_verified),
            )
        where = address.from_environment()
        console.step(f"publish: {len(locals_)} images to {where.host}")
        if where.embedded:
            self._embedded_registry()
        publications = [
            Publication(
                name=item.image.variant.name,
                repository=item.image.variant.repository,
                local_reference=item.local.id,  # what was verified, whatever its tags point to by now
                recipe=item.recipe.digest,
                stand_in=item.image.variant.stand_in,
                rolling=item.image.variant.stand_in is None or self.latest_for_stand_ins,
                report=reports.load(self.project.paths, item.local.id),
            )
            for item in locals_
        ]
        today = datetime.datetime.now(datetime.UTC).date()
        with console.err.status("pushing") as status:  # moves on a terminal, prints nothing elsewhere

            def show(name: str, sent: int, total: int) -> None:
                status.update(f"pushing {name}: {console.size(sent)} of {console.size(total)}")

            return publish.publish(publications, where, self.connection.client, today, progress=show)

    def _embedded_registry(self) -> None:
        """Build the registry's image from a base of ours, and start it."""
        log = self.project.paths.logs / "build-registry.log"
        reference = builder.build_registry(self.project, connection=self.connection, log=log)
        embedded_registry.ensure_running(self.connection.client, reference)

    def report_published(self, locals_: Sequence[Local], results: Sequence[Published], *, verbose: bool) -> None:
        """Print a reference for each image; with ``verbose`` everything, and a table for release notes."""
        output.print_results(results, verbose=verbose)
        if verbose:
            console.out.print()
            for line in release_notes(locals_, results):
                console.out.print(line, markup=False, soft_wrap=True)

    def pipeline(self, options: Options, *, workers: int | None, verbose: bool = False) -> None:
        """Check, build, verify, publish.

        Args:
            options: Of the build.
            workers: The number of images tested at a time.
            verbose: Print everything about each published image.

        Raises:
            PipelineError: Of the step that failed; nothing is published then.
        """
        began = time.monotonic()
        console.step("check: the committed files against the matrix")
        check_drift(self.project)
        where = address.from_environment()
        if not where.embedded:  # a refused login shows before minutes of building, not after
            with Client(where) as remote:
                remote.check()
        built = self.build(options)
        self.report_built(built)
        there = [
            Local(image=item.image, recipe=item.recipe, local=item.local)
            for item in built
            if item.recipe is not None and item.local is not None
        ]
        self.verify(there, force=False, workers=workers)
        published = self.publish(there)
        self.report_published(there, published, verbose=verbose)
        console.out.print(f"\npipeline finished in {console.seconds(time.monotonic() - began)}")


@click.command("pipeline", cls=Session)
@building
@click.option(
    "--workers", type=click.IntRange(1), help="Number of images tested at a time.  [default: the number of CPUs]"
)
@latest_for_stand_ins
@click.option(
    "--verbose",
    is_flag=True,
    help="Also print the status, sizes and tags of each published image, and a table for release notes.",
)
@selecting
def pipeline(
    selection: Selection, options: Options, workers: int | None, latest_for_stand_ins: bool, verbose: bool
) -> None:
    """Check, build, verify and publish: from the matrix to tested images in a registry.

    IMAGE is a name or a glob; the default is the group 'default'.
    """
    with state.exclusive(repository(), "pipeline"):
        Run.open(selection, latest_for_stand_ins=latest_for_stand_ins).pipeline(
            options, workers=workers, verbose=verbose
        )
