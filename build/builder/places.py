"""Where built images are kept: the store of an engine, or, for a builder that has no store, a registry.

A `Place` says how bake exports images for it, and brings back what was exported.
"""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from build.builder.compression import DEFAULT, marker, note
from build.builder.existing import find_one
from build.engine import failures
from build.engine.buildx_builder import Standalone
from build.engine.built import BuiltImage
from build.engine.connect import Connection
from build.engine.images import find, reference_of
from build.engine.model import Engine
from build.engine.pull import pull
from build.errors import EngineError, PipelineError, RegistryError, UsageError
from build.images.image import Image
from build.images.recipe import Recipe
from build.locks.lock import UNKNOWN_UPLOAD
from build.matrix.values import Compression
from build.registry import push_failures
from build.registry.address import REGISTRY_VARIABLE, Registry
from build.registry.client import Client
from build.registry.credentials import credentials
from build.registry.manifests import layers_of
from build.registry.tags import LATEST
from build.system import console


@dataclass(frozen=True, kw_only=True)
class RefusedPush:
    """A push that ended a bake, since the registry did not take it."""

    #: The name that was pushed to, as in the overrides.
    reference: str
    #: Those of the builder, which contain the registry's.
    words: str
    why: RegistryError
    #: Whether the registry may take other images.
    others_may_pass: bool


class Place(Protocol):
    """Where the images of a build are kept."""

    @property
    def in_words(self) -> str:
        """The builder, as messages name it."""

    @property
    def compression(self) -> Compression:
        """That of the images' layers."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment of buildx."""

    @property
    def exports_largest_first(self) -> bool:
        """Whether the image with the most layers is exported alone: others then find the layers that they share."""

    def find_base(self, reference: str) -> str | None:
        """Return the digest of a base image that need not be built.

        Args:
            reference: Its name in an engine.
        """

    def export_base(self, reference: str) -> dict[str, list[str]]:
        """Return the overrides with which bake exports a base image.

        Args:
            reference: Its name in an engine.
        """

    def exported_base(self, reference: str, digest: str) -> str | None:
        """Return the digest of a base image that was exported just now, for a label; None if it is not found.

        Args:
            reference: Its name in an engine.
            digest: What buildx reports.
        """

    def export(self, image: Image, recipe: Recipe) -> dict[str, list[str]]:
        """Return the overrides with which bake exports an image."""

    def share(self, image: Image, digest: str, others: Iterable[Image]) -> None:
        """Let the exports of other images find the layers of one that was exported just now.

        Args:
            image: The image.
            digest: What buildx reports.
            others: The images that are exported next.
        """

    def exported(self, image: Image, recipe: Recipe, digest: str) -> BuiltImage | None:
        """Return an image that was exported just now; the engine has it then. None if it is not found.

        Args:
            image: The image.
            recipe: Its recipe.
            digest: What buildx reports.

        Raises:
            RegistryError: The engine cannot pull it.
        """

    def refused_push(self, log: str) -> RefusedPush | None:
        """Return the push that ended a bake; None if it has another cause.

        Args:
            log: What buildx printed.
        """

    def explain(self, log: str, *, has_another_cause: bool) -> PipelineError | None:
        """Return the failure of the builder that ended a bake; None if it has another cause.

        Args:
            log: What buildx printed.
            has_another_cause: The log also names a step that failed.
        """


@dataclass(frozen=True, kw_only=True)
class EngineStore:
    """The store of the engine that builds."""

    connection: Connection
    compression: Compression = DEFAULT

    @property
    def in_words(self) -> str:
        return f"the engine at {self.connection.engine.host}"

    @property
    def environment(self) -> Mapping[str, str]:
        return self.connection.environment

    @property
    def exports_largest_first(self) -> bool:
        """Exports at the same time would each unpack the layers that the images share."""
        return self.connection.engine.containerd_store

    def find_base(self, reference: str) -> str | None:
        local = find(self.connection.client, reference)
        return local.id if local else None

    def export_base(self, reference: str) -> dict[str, list[str]]:
        return {"tags": [reference], "output": [output(self.connection.engine, self.compression)]}

    def exported_base(self, reference: str, digest: str) -> str | None:
        return self.find_base(reference)

    def export(self, image: Image, recipe: Recipe) -> dict[str, list[str]]:
        repository = image.variant.repository
        latest = [f"{repository}:{LATEST}"] if image.variant.stand_in is None else []
        of_gzip = [marker(repository, recipe)] if self.compression == "gzip" else []
        return {
            "tags": [reference_of(repository, recipe), *of_gzip, *latest],
            "output": [output(self.connection.engine, self.compression, created=image.lock.newest)],
        }

    def share(self, image: Image, digest: str, others: Iterable[Image]) -> None:
        """The store has every layer once."""

    def exported(self, image: Image, recipe: Recipe, digest: str) -> BuiltImage | None:
        return find_one(self.connection.client, image, recipe)

    def refused_push(self, log: str) -> RefusedPush | None:
        return None

    def explain(self, log: str, *, has_another_cause: bool) -> PipelineError | None:
        return failures.explain(log, self.connection.engine, has_another_cause=has_another_cause)


@dataclass(frozen=True, kw_only=True)
class PushedToRegistry:
    """A registry: images are pushed by digest, without a tag, and pulled into the engine that tests them.

    The images are those that the engine would have built: the same layers, compressed in the same way, and the same
    configuration.
    """

    builder: Standalone
    registry: Registry
    #: The engine.
    connection: Connection
    compression: Compression = DEFAULT

    @property
    def in_words(self) -> str:
        return f"the builder {self.builder}, pushing to {self.registry}"

    @property
    def environment(self) -> Mapping[str, str]:
        return self.builder.environment()

    @property
    def exports_largest_first(self) -> bool:
        """Pushes at the same time would each send the layers that the images share."""
        return True

    def find_base(self, reference: str) -> str | None:
        return None

    def export_base(self, reference: str) -> dict[str, list[str]]:
        # Only for the digest of its manifest: nothing is stored or pushed.
        return {"output": [f"type=image,push=false,{_layers(self.compression)},{_times(UNKNOWN_UPLOAD)}"]}

    def exported_base(self, reference: str, digest: str) -> str | None:
        return digest or None

    def export(self, image: Image, recipe: Recipe) -> dict[str, list[str]]:
        options = [
            "type=image,push=true,push-by-digest=true",
            _layers(self.compression),
            _times(image.lock.newest),
            *(["registry.insecure=true"] if self.registry.insecure else []),
        ]
        # Instead of the tag in the bake file: a name without a tag.
        name = f"{self.registry.host}/{self.registry.repository(image.variant.repository)}"
        return {"tags": [name], "output": [",".join(options)]}

    def share(self, image: Image, digest: str, others: Iterable[Image]) -> None:
        """Mount the layers that images have in common: BuildKit mounts none with zstd (util/push/push.go)."""
        repository, names = image.variant.repository, _layer_names(image)
        with contextlib.suppress(RegistryError), Client(self.registry) as remote:  # then they are sent
            layers = layers_of(remote.manifest(repository, digest))
            if len(layers) < len(names):
                return
            own = dict(zip(names, layers[-len(names) :], strict=True))
            for other in others:
                if not _have_one_base(image, other):
                    continue
                shared = (own[name] for name in _layer_names(other) if name in own)
                for layer in (*layers[: -len(names)], *shared):
                    if not remote.mount(other.variant.repository, layer, repository):
                        return

    def exported(self, image: Image, recipe: Recipe, digest: str) -> BuiltImage | None:
        if not digest:
            return None
        variant, client = image.variant, self.connection.client
        console.info(f"pulling {variant.name}: the builder {self.builder.name} pushed it")
        pulled = pull(client, self.registry, variant.repository, digest, tag=recipe.tag)
        if variant.stand_in is None:
            pulled.tag(variant.repository, tag=LATEST)
        note(client, variant.repository, recipe.tag, str(pulled.id), self.compression)
        found = find_one(client, image, recipe)
        if found is None:
            return None
        return BuiltImage(image=image, recipe=recipe, local=found.local, pushed=digest)

    def refused_push(self, log: str) -> RefusedPush | None:
        refused = re.search(r"^ERROR: (?:.*?: )?failed to push (\S+): (.*)$", log, re.MULTILINE)
        if refused is None:
            return None
        reference, words = refused[1], push_failures.shortened(refused[2])
        failure = push_failures.explain(reference.rpartition("/")[2], reference, self.registry, words)
        failure.where = f"{failure.where or self.registry}, pushed to by the builder {self.builder}"
        failure.fix = f"{failure.fix}; the builder must reach it and gets docker's login: docs/builders.md"
        logged_in = credentials(self.registry) is not None
        return RefusedPush(
            reference=reference,
            words=words,
            why=failure,
            others_may_pass=push_failures.is_of_one_repository(words, logged_in=logged_in),
        )

    def explain(self, log: str, *, has_another_cause: bool) -> PipelineError | None:
        kind = failures.classify(log)
        if kind == "full":
            return EngineError(
                f"the disk of the builder {self.builder} is full",
                fix="free some space, then run this command again: "
                f"docker buildx prune --builder {self.builder.name} (build cache)",
            )
        if kind is None:
            return None
        again = "run this command again (its cache has what was built)"
        try:
            self.builder.check_running()
        except EngineError as failure:
            return EngineError(
                f"the builder {self.builder} stopped answering",
                fix=f"start it again, then {again}; or build without it",
                details=failure.details or failure.what,
            )
        if has_another_cause or failures.ends_otherwise(log):
            return None
        return EngineError(f"the connection to the builder {self.builder} broke, and it answers again", fix=again)


def _have_one_base(one: Image, other: Image) -> bool:
    """Tell whether two images have the same base image, and layers with the same names the same content."""
    return (one.variant.base_image_name, one.variant.base_name, one.variant.build_base_name) == (
        other.variant.base_image_name,
        other.variant.base_name,
        other.variant.build_base_name,
    )


def _layer_names(image: Image) -> list[str]:
    """Return the stages of an image's own layers, in their order in the image (image.Dockerfile.j2)."""
    names = [layer.name for layer in image.layers]
    if image.cuda_links:
        last = max(number for number, layer in enumerate(image.layers) if layer.is_cuda)
        names.insert(last + 1, image.cuda_links)
    return names


def needs_registry(builder: Standalone) -> UsageError:
    """Return the failure that no registry is named to which a builder can push."""
    return UsageError(
        f"the builder {builder} keeps no images: it needs a registry to push to, and cannot reach the embedded one",
        fix=f"name one that both the builder and the engine reach: {REGISTRY_VARIABLE}=host[:port][/namespace]; "
        "or build with the engine, without --builder",
    )


def output(engine: Engine, compression: Compression = DEFAULT, *, created: str = UNKNOWN_UPLOAD) -> str:
    """Return bake's output for an engine: layers are compressed where its store keeps them so.

    zstd at build time takes a tenth of the time that gzip takes at push time.

    Args:
        engine: The engine.
        compression: That of the layers; the classic image store compresses only while it pushes, with gzip.
        created: The time in the image's configuration and history, instead of that of the build: ISO 8601, UTC. It is
            an option of the output, since the build argument ``SOURCE_DATE_EPOCH`` is a part of each step: images with
            other times would share no step.
    """
    store = f"type=image,{_layers(compression)},unpack=true" if engine.containerd_store else "type=docker"
    return f"{store},{_times(created)}"


def _layers(compression: Compression) -> str:
    return f"compression={compression},force-compression=true,oci-mediatypes=true"


def _times(created: str) -> str:
    return f"source-date-epoch={int(datetime.datetime.fromisoformat(created).timestamp())}"
