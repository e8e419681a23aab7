"""Build a batch of images."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from build.builder import blame, overrides
from build.builder.bake import Baker, Request, Result
from build.builder.buildx_log import Failure, Step
from build.builder.events import Event, event
from build.builder.network import BuildNetwork
from build.builder.options import Options
from build.builder.outcomes import Built, Failed, Outcome
from build.builder.overrides import BaseImage
from build.builder.places import Place, RefusedPush
from build.checkout.project import Project
from build.engine.buildx import Buildx
from build.errors import PipelineError, RegistryError
from build.images.image import Image
from build.images.recipe import Recipe
from build.registry import push_failures
from build.system import console

_POLICY = push_failures.POLICY


@dataclass(frozen=True, kw_only=True)
class Job:
    """The inputs that all batches of a build share."""

    project: Project
    buildx: Buildx
    place: Place
    options: Options
    #: Called with each event of the build.
    progress: Callable[[Event], None]
    #: The file for buildx's whole output.
    log: Path
    #: How builds reach package indexes and archives.
    network: BuildNetwork
    #: Image name → recipe.
    recipes: Mapping[str, Recipe]
    #: Name → base image, for every base image below the images.
    base_images: Mapping[str, BaseImage]

    @property
    def baker(self) -> Baker:
        return Baker(
            paths=self.project.paths,
            buildx=self.buildx,
            environment=self.place.environment,
            network=self.network,
            log=self.log,
        )


class Batch:
    """Images that are built together, in up to three states; a failed image leaves the batch, and the others go on.

    1. While base images are new, they are built, and the stages of their images with them.  Their digests go into the
       images' labels.
    2. Except in the classic image store, the image with the most layers is exported alone: exports at the same time
       would each unpack or send the layers that the images share.
    3. All other images are exported.

    Args:
        job: The inputs that all batches share.
        images: The images of this batch.
        base_digests: The names of the base images that need not be built, with their digests.
    """

    def __init__(self, job: Job, images: Sequence[Image], base_digests: Mapping[str, str]) -> None:
        self._job = job
        self._images = images
        #: Bake target → image, for those that are neither exported nor failed.
        self._remaining = {image.target: image for image in images}
        variants = [image.variant for image in images]
        self._base_names = job.project.base_image_names(variants)
        self._used_bases = job.project.build_base_names(variants)
        self._new_bases = [job.base_images[name] for name in self._base_names if name not in base_digests]
        #: One by one once one of them has failed.
        self._bases_at_once = len(self._new_bases)
        self._largest_first = len(images) > 1 and job.place.exports_largest_first
        self._stages_built = False
        self._no_cache = job.options.no_cache
        self._image_overrides: dict[str, Any] = {}
        #: Bake target → seconds from the start of the batch to the end of its export.
        self._exported_after: dict[str, float] = {}
        #: Bake target → what buildx reports as the digest of its manifest.
        self._digests: dict[str, str] = {}
        #: Name that is pushed to → how often the registry did not take it.
        self._refusals: Counter[str] = Counter()
        self._seconds = 0.0
        self._failed: list[Failed] = []
        #: The names of the base images that exist now, with their digests.
        self.base_digests = dict(base_digests)
        #: The base images that failed to build, by name, with the reason.
        self.failed_bases: dict[str, PipelineError] = {}

    def run(self) -> list[Outcome]:
        """Build the batch and return an outcome for each of its images.

        Raises:
            PipelineError: The engine, the builder or the registry failed, which concerns all images.
        """
        while self._remaining:
            if self._new_bases:
                self._build_bases()
            elif self._largest_first:
                self._export_largest()
            else:
                self._export(list(self._remaining))
        exported = [image for image in self._images if image.target in self._exported_after]
        return [*self._failed, *(self._outcome(image) for image in exported)]

    # ---- the states

    def _build_bases(self) -> None:
        """Build the new base images and the stages of their images."""
        bases = self._bases_now
        names = {base.name for base in self._new_bases} - {base.name for base in bases}
        images = {
            target: image for target, image in self._remaining.items() if image.variant.base_image_name not in names
        }
        result = self._bake(
            targets=[*(base.target for base in bases), *images],
            images=self._stage_overrides(images),
            bases=overrides.of_base_images(bases, self._job.place),
        )
        if result.returncode != 0:
            self._drop_failed(result)
            return
        self.base_digests |= {base.name: self._digest_of(base, result) for base in bases}
        self._new_bases = [base for base in self._new_bases if base not in bases]

    def _export_largest(self) -> None:
        """Export the image with the most layers, and build the stages of the others."""
        largest = max(self._remaining.values(), key=lambda image: len(image.layers))
        if self._export([largest.target]):
            self._largest_first = False
            self._job.place.share(largest, self._digests[largest.target], self._remaining.values())

    def _export(self, targets: Sequence[str]) -> bool:
        """Export images, and build the others' stages if they are not built yet; return whether that succeeded."""
        if not self._image_overrides:
            self._image_overrides = self._compute_image_overrides()
        others = {target: image for target, image in self._remaining.items() if target not in targets}
        began = self._seconds
        result = self._bake(
            # Stages that are built already are not asked for again: that would only take time.
            targets=[target for target in self._remaining if target in targets or not self._stages_built],
            images={
                **{target: self._image_overrides[target] for target in targets},
                **self._stage_overrides(others),
            },
        )
        if result.returncode != 0:
            self._drop_failed(result)
            return False
        for target in targets:
            self._exported_after[target] = began + result.exported_after.get(target, result.seconds)
            self._digests[target] = result.digests.get(target, "")
            del self._remaining[target]
        return True

    # ---- helpers of the states

    @property
    def _bases_now(self) -> list[BaseImage]:
        return self._new_bases[: self._bases_at_once]

    def _bake(
        self, *, targets: Sequence[str], images: Mapping[str, Any], bases: Mapping[str, Any] | None = None
    ) -> Result:
        builders = overrides.of_builders(self._job.project, self._used_bases)
        request = Request(targets=targets, overrides={**builders, **(bases or {}), **images}, no_cache=self._no_cache)
        result = self._job.baker.run(request, self._report)
        self._seconds += result.seconds
        if result.returncode == 0:
            self._stages_built, self._no_cache = True, False
        return result

    def _report(self, step: Step) -> None:
        images = {image.target: image.variant.name for image in self._images}
        base_images = {base.target: f"base-{base.name}" for base in self._job.base_images.values()}
        self._job.progress(event(step, images, base_images))

    def _stage_overrides(self, images: Mapping[str, Image]) -> dict[str, Any]:
        return {target: overrides.of_stages(image) for target, image in images.items()}

    def _compute_image_overrides(self) -> dict[str, Any]:
        job = self._job
        return overrides.of_images(
            job.project,
            [(image, job.recipes[image.variant.name]) for image in self._remaining.values()],
            {name: (job.base_images[name], digest) for name, digest in self.base_digests.items()},
            job.place,
        )

    def _digest_of(self, base: BaseImage, result: Result) -> str:
        """Return the digest of a base image that was built just now."""
        digest = self._job.place.exported_base(base.reference, result.digests.get(base.target, ""))
        if digest is None:
            raise PipelineError(f"{base.reference} is missing after its build", where=str(self._job.log))
        return digest

    def _drop_failed(self, result: Result) -> None:
        """Remove the images that failed from the batch, and the base images without which they cannot be built.

        Raises:
            PipelineError: The engine, the builder or the registry failed, or something that belongs to no image.
        """
        job = self._job
        cause = result.cause
        if refused := job.place.refused_push(result.log):
            self._repeat_or_drop(refused, cause)
            return
        if explained := job.place.explain(result.log, has_another_cause=cause.stage is not None):
            raise explained
        targets = blame.failed_targets(cause, self._remaining)
        if self._new_bases and not any(cause.stage in blame.own_stages(self._remaining[target]) for target in targets):
            self._drop_bases(cause)
            return
        if not targets:
            raise PipelineError("the build failed", where=str(job.log), details=cause.lines)
        for target in targets:
            self._drop(target, blame.failure_of(job.project, self._remaining[target], cause, job.log, job.network))

    def _repeat_or_drop(self, refused: RefusedPush, cause: Failure) -> None:
        """Wait if the registry may take a push later, or remove its image from the batch; what is left is baked again.

        Raises:
            RegistryError: The registry takes no push, or not even this one after several attempts.
        """
        if push_failures.is_temporary(refused.words):
            self._refusals[refused.reference] += 1
            attempt = self._refusals[refused.reference]
            pause = _POLICY.wait(attempt, limited=push_failures.is_rate_limit(refused.words))
            if pause is None:
                raise refused.why
            console.warn(
                f"the push to {refused.reference} failed: {refused.words}; trying again in {console.seconds(pause)} "
                f"(attempt {attempt + 1} of {_POLICY.attempts})"
            )
            time.sleep(pause)
            return
        targets = [name for name in self._remaining if refused.reference in self._image_overrides[name]["tags"]]
        if cause.target in targets:  # others may be pushed to the same repository
            targets = [cause.target]
        if not targets or not refused.others_may_pass:
            raise refused.why
        for target in targets:
            self._drop(target, refused.why)

    def _drop_bases(self, cause: Failure) -> None:
        """Remove the base image that failed from the batch, with its images; of several, find out which one it is."""
        job = self._job
        if len(self._bases_now) > 1:
            self._bases_at_once = 1  # buildx does not always name it, and what is built already is not built again
            return
        (base,) = self._bases_now
        self._new_bases.remove(base)
        why = blame.base_failure(job.project, base.name, cause, job.log, job.network)
        self.failed_bases[base.name] = why
        for target, image in list(self._remaining.items()):
            if image.variant.base_image_name == base.name:
                self._drop(target, why)

    def _drop(self, target: str, why: PipelineError) -> None:
        self._failed.append(Failed(name=self._remaining.pop(target).variant.name, why=why))

    def _outcome(self, image: Image) -> Outcome:
        """Return the outcome of an image that was exported."""
        job, name = self._job, image.variant.name
        try:
            built = job.place.exported(image, job.recipes[name], self._digests[image.target])
        except RegistryError as failure:
            return Failed(name=name, why=failure)
        if built is None:
            raise PipelineError(f"{name} is missing after its build", where=str(job.log))
        return Built(built=built, seconds=self._exported_after[image.target])
