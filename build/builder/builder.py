"""Build the images that the engine does not have yet."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from build.bases import prepare
from build.bases.engine_rootfs import RootfsStore
from build.builder import compression, image_recipes, network, only_here, wheels
from build.builder.batch import Batch, Job
from build.builder.events import Event
from build.builder.existing import find_built
from build.builder.options import Options
from build.builder.outcomes import Failed, Outcome, Skipped, UpToDate
from build.builder.overrides import base_image
from build.builder.places import Place
from build.checkout.project import Project
from build.engine.connect import Connection
from build.errors import PipelineError
from build.images.image import Image
from build.registry import address
from build.system import console


@dataclass(frozen=True, kw_only=True)
class Builder:
    """Builds images of a checkout, which an engine has then."""

    project: Project
    #: The engine.
    connection: Connection
    #: Where the images are kept that are built.
    place: Place
    options: Options
    #: Called with each event of the build.
    progress: Callable[[Event], None]
    #: The file for buildx's whole output.
    log: Path
    #: Where root file systems are found that need not be bootstrapped.
    store: RootfsStore

    def build(self, images: Sequence[Image]) -> list[Outcome]:
        """Build the images that the engine does not have, and return an outcome for each, in their order.

        A failed image does not stop the others.

        Raises:
            PipelineError: Something failed that concerns all images: the engine, a base, the network.
        """
        options = self.options
        outcomes = self._not_as_locked(images) if options.locked and not options.refresh_bases else {}
        possible = [image for image in images if image.variant.name not in outcomes]
        up_to_date = {} if options.refresh_bases else self._up_to_date(possible)
        prepared: set[str] = set()
        # A base that was just bootstrapped may have other packages: the engine may have its images after all, and those
        # that were up to date may be no longer. They are prepared too: an image may need wheels of its own.
        while missing := [image for image in possible if image.variant.name not in {*up_to_date, *prepared}]:
            skipped, failed_bases = self._prepare(missing)
            outcomes |= skipped
            prepared |= {image.variant.name for image in missing}
            possible = [image for image in possible if image.variant.name not in outcomes]
            # What was up to date on a base that failed stays so.
            kept = {
                image.variant.name: up_to_date[image.variant.name]
                for image in possible
                if image.variant.build_base_name in failed_bases and image.variant.name in up_to_date
            }
            up_to_date = self._up_to_date([image for image in possible if image.variant.name not in kept]) | kept
        missing = [image for image in possible if image.variant.name not in up_to_date]
        outcomes |= up_to_date
        if missing:
            outcomes |= self._build_batches(missing)
        return [outcomes[image.variant.name] for image in images]

    def _not_as_locked(self, images: Sequence[Image]) -> dict[str, Outcome]:
        """Skip the images on bases that are known to differ from their locks."""
        drifted = prepare.differing(self.project, {image.variant.build_base_name for image in images})
        return {
            image.variant.name: Skipped(name=image.variant.name, why=drifted[image.variant.build_base_name])
            for image in images
            if image.variant.build_base_name in drifted
        }

    def _up_to_date(self, images: Sequence[Image]) -> dict[str, Outcome]:
        if self.options.no_cache:
            return {}
        recipes = image_recipes.of(self.project, images).known
        client, engine, choice = self.connection.client, self.connection.engine, self.place.compression
        registry = address.from_environment()
        return {
            name: UpToDate(built=built)
            for name, built in find_built(client, images, recipes).items()
            if compression.fits(client, engine, built, choice, registry)
        }

    def _prepare(self, images: Sequence[Image]) -> tuple[dict[str, Outcome], Collection[str]]:
        """Fetch the extra wheels and prepare the bases; an image for which that fails is skipped.

        Returns:
            The skipped images, and the bases that failed.
        """
        project, variants = self.project, [image.variant for image in images]
        failures: dict[str, PipelineError] = dict(wheels.fetch_all(project, variants))
        variants = [variant for variant in variants if variant.name not in failures]
        bases = prepare.prepare(
            project,
            project.build_base_names(variants),
            locked=self.options.locked,
            refresh=self.options.refresh_bases,
            store=self.store,
        )
        failures |= {each.name: bases[each.build_base_name] for each in variants if each.build_base_name in bases}
        # A base image may be unknown although its base is prepared: that of a CUDA version.
        possible = [image for image in images if image.variant.name not in failures]
        unknown = image_recipes.of(project, possible).unknown
        failures |= {name: base.failure for name, base in unknown.items()}
        return {name: Skipped(name=name, why=failure) for name, failure in failures.items()}, bases

    def _build_batches(self, images: Sequence[Image]) -> dict[str, Outcome]:
        project, place = self.project, self.place
        base_recipes = image_recipes.of_base_images(
            project, project.base_image_names([image.variant for image in images])
        )
        build_network = network.of_machine()
        if build_network.left_out:
            console.warn(f"builds do not use {', '.join(build_network.left_out)}: only this machine reaches it")
        if build_network.only_here:
            console.warn(only_here.warning(build_network.only_here))
        job = Job(
            project=project,
            buildx=self.connection.buildx,
            place=place,
            options=self.options,
            progress=self.progress,
            log=self.log,
            network=build_network,
            recipes=image_recipes.of(project, images).known,
            base_images={name: base_image(project, name, recipe) for name, recipe in base_recipes.items()},
        )
        base_digests: dict[str, str] = {}
        if not self.options.no_cache:
            found = {name: place.find_base(base.reference) for name, base in job.base_images.items()}
            base_digests = {name: digest for name, digest in found.items() if digest is not None}
        outcomes: dict[str, Outcome] = {}
        broken: dict[str, PipelineError] = {}
        for start in range(0, len(images), self.options.jobs):
            some = images[start : start + self.options.jobs]
            on_broken = {each.variant.name: broken.get(each.variant.base_image_name) for each in some}
            outcomes |= {name: Failed(name=name, why=why) for name, why in on_broken.items() if why is not None}
            batch = Batch(job, [each for each in some if on_broken[each.variant.name] is None], base_digests)
            outcomes |= {outcome.name: outcome for outcome in batch.run()}
            base_digests = batch.base_digests
            broken |= batch.failed_bases
        return outcomes
