"""Building: from the images of a selection to images in the engine, building only what is not there yet."""

from __future__ import annotations

import datetime
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker

from build.bases import builder_context, prepare
from build.bases.local import local_base
from build.builder import bake, image_recipes
from build.checkout.project import Project
from build.engine.connect import Connection
from build.engine.failures import explain
from build.engine.images import LocalImage, find
from build.errors import PipelineError
from build.images import dockerfiles, layers, recipe
from build.images.image import Image, bake_target
from build.images.labels import LABEL, image_labels
from build.images.recipe import Recipe
from build.matrix.origins import DebianPackages, FromImage
from build.packages import wheel_sources
from build.packages.wheel_sources import SourceNotReachedError
from build.platforms import LINUX_AMD64
from build.system import console
from build.system.certificates import ca_bundle
from build.variants.variant import Variant


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to build."""

    #: Images in one bake at a time.
    jobs: int = 8
    no_cache: bool = False
    #: Fail where a base's Debian packages are not those of its lock.
    locked: bool = False
    #: Bootstrap the bases anew.
    refresh_bases: bool = False


@dataclass(frozen=True, kw_only=True)
class Built:
    """What became of one image."""

    image: Image
    #: ``built``, ``up to date``, ``failed`` or ``skipped``.
    status: str
    recipe: Recipe | None = None
    local: LocalImage | None = None
    #: From the start of its bake until it was complete.
    seconds: float | None = None
    #: Why it failed or was skipped.
    reason: str | None = None
    #: The lines of the log that matter.
    details: str | None = None

    @property
    def name(self) -> str:
        return self.image.variant.name

    @property
    def reference(self) -> str:
        """The local reference under the recipe."""
        assert self.recipe is not None
        return f"{self.image.variant.repository}:{self.recipe.tag}"


def base_repository(project: Project, name: str) -> str:
    """The repository of a base image in the engine."""
    return f"{project.matrix.project.namespace}/base-{name}"


def build(
    project: Project,
    images: Sequence[Image],
    *,
    connection: Connection,
    options: Options,
    progress: Callable[[bake.Event], None],
    log: Path,
) -> list[Built]:
    """Build what the engine does not have yet.

    Args:
        project: The checkout.
        images: What to build.
        connection: The engine.
        options: How.
        progress: Told of each event.
        log: Where the whole output goes.

    Returns:
        One ``Built`` for each image, in order; a failed one does not lose the others.

    Raises:
        PipelineError: Something that concerns all images: the engine, a base, the network.
    """
    results: dict[str, Built] = {}
    if not options.refresh_bases and not options.no_cache:
        expected = image_recipes.of(project, images).known
        for image in images:
            wanted = expected.get(image.variant.name)
            present = _present(connection.client, image, wanted) if wanted else None
            if present is not None:
                results[image.variant.name] = present
    missing = [image for image in images if image.variant.name not in results]
    if missing:
        for built in _build_missing(project, missing, connection, options, progress, log):
            results[built.name] = built
    return [results[image.variant.name] for image in images]


def _present(client: docker.DockerClient, image: Image, wanted: Recipe) -> Built | None:
    local = find(client, f"{image.variant.repository}:{wanted.tag}")
    if local is None or local.recipe != wanted.digest:
        return None
    return Built(image=image, status="up to date", recipe=wanted, local=local)


def _build_missing(
    project: Project,
    images: Sequence[Image],
    connection: Connection,
    options: Options,
    progress: Callable[[bake.Event], None],
    log: Path,
) -> list[Built]:
    not_found = prepare.prefixes(project, project.build_base_names([image.variant for image in images]))
    away = fetch_all_wheels(
        project, [image.variant for image in images if image.variant.build_base_name not in not_found]
    )
    done: list[Built] = []
    todo: list[Image] = []
    for image in images:
        failure = not_found.get(image.variant.build_base_name) or away.get(image.variant.name)
        if failure is None:
            todo.append(image)
        else:
            done.append(_skipped(image, failure))
    if not todo:
        return done
    base_names = project.build_base_names([image.variant for image in todo])
    prepare.prepare(project, base_names, locked=options.locked, refresh=options.refresh_bases)
    prepare.check_cuda_images(project, project.base_image_names([image.variant for image in todo]))
    wanted = image_recipes.of(project, todo).known
    for image in list(todo):
        present = _present(connection.client, image, wanted[image.variant.name])
        if present is not None and not options.no_cache:
            done.append(present)
            todo.remove(image)
    base_recipes = image_recipes.of_base_images(project, project.base_image_names([image.variant for image in todo]))
    references = {name: f"{base_repository(project, name)}:{each.tag}" for name, each in base_recipes.items()}
    new_bases = {name for name, its in references.items() if options.no_cache or find(connection.client, its) is None}
    for start in range(0, len(todo), options.jobs):
        done += _batch(
            project,
            todo[start : start + options.jobs],
            wanted,
            base_recipes,
            references,
            new_bases,
            connection,
            options,
            progress,
            log,
        )
    return done


def _skipped(image: Image, failure: PipelineError) -> Built:
    searched = "; ".join(filter(None, (failure.where, failure.details)))
    return Built(image=image, status="skipped", reason=f"{failure.what} (searched: {searched})", details=failure.fix)


def fetch_all_wheels(project: Project, variants: Sequence[Variant]) -> dict[str, SourceNotReachedError]:
    """Fetch what these variants take from extra wheel sources.

    Returns:
        Image name → why its source gives nothing, for those that cannot be built.
    """
    away: dict[str, SourceNotReachedError] = {}
    for variant in variants:
        for name, wanted in wheel_sources.needed(variant, project.lock(variant).versions()).items():
            console.info(f"fetching {', '.join(wanted)} from the wheel source {name}")
            try:
                wheel_sources.fetch(project.paths, variant, name, wanted)
            except SourceNotReachedError as failure:
                away[variant.name] = failure
    return away


def _batch(
    project: Project,
    images: Sequence[Image],
    recipes: Mapping[str, Recipe],
    base_recipes: Mapping[str, Recipe],
    base_references: Mapping[str, str],
    new_bases: set[str],
    connection: Connection,
    options: Options,
    progress: Callable[[bake.Event], None],
    log: Path,
) -> list[Built]:
    """Build some images, and of ``new_bases`` those that they stand on, which are then taken out of it."""
    left = {image.target: image for image in images}
    variants = [image.variant for image in images]
    base_names = project.base_image_names(variants)
    missing = [name for name in base_names if name in new_bases]
    wanted: dict[str, Any] = {}
    # Exports side by side would each unpack the layers that the images share; after one of them, only their own are
    # left. So the first bake builds the stages of all and exports the image with the most layers, the second the rest.
    # A base that is new comes before both, while the stages are built: its digest goes into the images' labels.
    one_first = len(left) > 1 and connection.engine.containerd_store
    no_cache = options.no_cache
    finished: dict[str, float] = {}
    done: list[Built] = []
    spent = 0.0
    staged = False
    while left:
        if missing:
            ready: list[str] = []
        elif one_first:
            ready = [max(left, key=lambda target: len(left[target].layers))]
        else:
            ready = list(left)
        if ready and not wanted:
            built_bases = {name: _built_base(connection.client, base_references[name], log) for name in base_names}
            wanted = {
                target: overrides(project, image, recipes[image.variant.name], built_bases, connection)
                for target, image in left.items()
            }
        outcome = bake.run(
            # Where the stages are built already, asking for all of them would only cost.
            [
                *(bake_target(f"base-{name}") for name in missing),
                *(target for target in left if target in ready or not staged),
            ],
            paths=project.paths,
            buildx=connection.buildx.command,
            environment=build_environment(connection),
            overrides={
                **_base_overrides(
                    project, project.build_base_names(variants), missing, base_recipes, base_references, connection
                ),
                **{
                    target: wanted[target]
                    if target in ready
                    else {"contexts": stand_in_contexts(image), "output": ["type=cacheonly"]}
                    for target, image in left.items()
                },
            },
            log=log,
            on_event=progress,
            no_cache=no_cache,
        )
        began, spent = spent, spent + outcome.elapsed
        if outcome.returncode == 0:
            for target in ready:
                finished[target] = began + outcome.seconds.get(target, outcome.elapsed)
                del left[target]
            if not missing:
                one_first = False
            new_bases -= set(missing)
            missing = []
            staged, no_cache = True, False
            continue
        explained = explain(outcome.log, connection.engine)
        if explained is not None:
            raise explained
        why = bake.failure(outcome.log)
        failed = _failed_with(why, left)
        if missing and not any(why.stage in _can_fail(left[target]) for target in failed):
            raise PipelineError(
                "a base failed to build", where=str(log), fix=_other_base(project, missing), details=why.lines
            )
        if not failed:
            raise PipelineError("the build failed", where=str(log), details=why.lines)
        for target in failed:
            image = left.pop(target)
            done.append(Built(image=image, status="failed", reason=_reason(project, image, why), details=why.lines))
    for image in images:
        if image.target not in finished:
            continue
        its = recipes[image.variant.name]
        local = find(connection.client, f"{image.variant.repository}:{its.tag}")
        if local is None:
            raise PipelineError(f"the engine does not have {image.variant.name} after its build", where=str(log))
        done.append(Built(image=image, status="built", recipe=its, local=local, seconds=finished[image.target]))
    return done


def _other_base(project: Project, base_names: Sequence[str]) -> str | None:
    """What helps where a base is made from what may be gone or out of reach, an image or pinned Debian packages."""
    found = []
    for name in base_names:
        cuda_base_image = project.cuda_base_images.get(name)
        if cuda_base_image and isinstance(cuda_base_image.origin, DebianPackages):
            return "where Debian's archive has newer packages by now, record them: nox -s lock -- --bases"
        base = cuda_base_image.base if cuda_base_image else project.matrix.bases[name]
        if cuda_base_image or isinstance(base.origin, FromImage):
            found.append(
                f"--base {cuda_base_image.base_name if cuda_base_image else name}=<a base with Python {base.python}>"
            )
    ways = " ".join(dict.fromkeys(found))
    return f"where its image is out of reach, build on another base: {ways}" if ways else None


def _reason(project: Project, image: Image, why: bake.Failure) -> str:
    """Which part of an image failed, and the place of a patch that did not fit."""
    if why.stage is None:
        return "its build failed"
    if why.stage == layers.COMPILER:
        return f"the compiler of its base {image.variant.build_base_name} could not be installed"
    patched = [patch for layer in image.layers if layer.name == why.stage for patch in layer.patches]
    places = [
        project.loaded.where("patches", index)
        for index, patch in enumerate(project.matrix.patches)
        if patch in patched and f"the patch of {patch.distribution} does not fit: " in why.lines
    ]
    return f"its layer {why.stage} failed" + (f": {', '.join(places)}" if places else "")


def _failed_with(why: bake.Failure, left: Mapping[str, Image]) -> list[str]:
    """The targets that fail for this reason: the one that buildx names, and those on its base with the same stage."""
    compiler = re.fullmatch(r"compiler-(.+)", why.target or "")
    if compiler:
        base = compiler[1]
        return [
            target
            for target, image in left.items()
            if image.needs_compiler and bake_target(image.variant.build_base_name) == base
        ]
    # buildx leaves the name out where it builds only one.
    named = left.get(why.target) if why.target else next(iter(left.values())) if len(left) == 1 else None
    if named is None:
        return []
    same = [
        target for target, image in left.items() if _stages(image) == _stages(named) and why.stage in _can_fail(image)
    ]
    return same or [named.target]


def _can_fail(image: Image) -> set[str]:
    """The stages of an image that can fail: its layers, and what they are installed in."""
    return {name for layer in image.layers for name in (layer.name, layer.stage)}


def _stages(image: Image) -> tuple[str, str]:
    """Images of which these are equal share the stages that have one name."""
    return image.variant.base_name, image.variant.build_base_name


def _base_overrides(
    project: Project,
    used: Sequence[str],
    new: Sequence[str],
    recipes: Mapping[str, Recipe],
    references: Mapping[str, str],
    connection: Connection,
) -> dict[str, Any]:
    """What the moment adds to the bake targets of bases: what a new one is called, and what serves its builder too."""
    found: dict[str, Any] = {
        bake_target(f"builder-{name}"): {"contexts": {"rootfs": "target:" + bake_target(f"rootfs-{name}")}}
        for name in used
        if builder_context.shares_rootfs(local_base(project, name))
    }
    for name in new:
        found[bake_target(f"base-{name}")] = {
            "tags": [references[name]],
            "labels": {f"{LABEL}.recipe": recipes[name].digest, f"{LABEL}.base": name},
            "output": [output(connection)],
        }
    return found


def _built_base(client: docker.DockerClient, reference: str, log: Path) -> LocalImage:
    local = find(client, reference)
    if local is None:
        raise PipelineError(f"the engine does not have {reference} after its build", where=str(log))
    return local


def build_registry(project: Project, *, connection: Connection, log: Path) -> str:
    """Build the embedded registry's image from a base of ours, unless the engine has it.

    It is built anew when its own files change, not with every update of the base: a registry that holds
    images is not replaced for nothing.

    Args:
        project: The checkout.
        connection: The engine.
        log: Where the output goes.

    Returns:
        Its reference in the engine.

    Raises:
        PipelineError: It does not build.
    """
    folder = project.tool.registry
    wanted = recipe.Recipe(
        inputs={
            "platform": LINUX_AMD64.oci,
            "dockerfile": recipe.content((folder / "Dockerfile").read_text(encoding="utf-8")),
            "config": recipe.exact((folder / "config.yml").read_text(encoding="utf-8")),
        }
    )
    reference = f"{project.matrix.project.namespace}/registry:{wanted.tag}"
    if find(connection.client, reference) is not None:
        return reference
    console.info("building the embedded registry's image (once)")
    prepare.prepare(project, [dockerfiles.registry_base(project.matrix)], locked=False, refresh=False)
    outcome = bake.run(
        ["registry"],
        paths=project.paths,
        buildx=connection.buildx.command,
        environment=build_environment(connection),
        overrides={"registry": {"tags": [reference], "output": [output(connection)]}},
        log=log,
        on_event=lambda event: None,
    )
    if outcome.returncode != 0:
        explained = explain(outcome.log, connection.engine)
        raise explained or PipelineError(
            "the embedded registry's image failed to build", where=str(log), details=bake.failure(outcome.log).lines
        )
    return reference


def output(connection: Connection) -> str:
    """bake's output for this engine: zstd layers where the store keeps them compressed, else the classic store's.

    zstd at build time takes a tenth of what gzip takes at push time.
    """
    if connection.engine.containerd_store:
        return "type=image,compression=zstd,force-compression=true,oci-mediatypes=true,unpack=true"
    return "type=docker"


def overrides(
    project: Project, image: Image, wanted: Recipe, built_bases: Mapping[str, LocalImage], connection: Connection
) -> dict[str, Any]:
    """What the moment adds to an image's bake target: labels, tags, the output."""
    variant = image.variant
    base = built_bases[variant.base_image_name]
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    labels = {
        "org.opencontainers.image.created": now,
        "org.opencontainers.image.revision": revision(project.paths.root),
        "org.opencontainers.image.source": source_url(project),
        "org.opencontainers.image.base.name": base.reference,
        "org.opencontainers.image.base.digest": base.id,
        f"{LABEL}.recipe": wanted.digest,
    }
    tags = [f"{variant.repository}:{wanted.tag}"]
    if variant.stand_in is None:
        tags.append(f"{variant.repository}:latest")
    else:
        labels = image_labels(image, project.matrix.project) | labels  # other than in its Dockerfile
    return {
        "labels": {key: value for key, value in labels.items() if value},
        "tags": tags,
        "contexts": stand_in_contexts(image),
        "output": [output(connection)],
    }


def stand_in_contexts(image: Image) -> dict[str, str]:
    """The build contexts of an image that are others than in the bake file: those of the base that stands in."""
    if image.variant.stand_in is None:
        return {}
    return {
        name: "target:" + bake_target(f"{name}-{image.variant.stand_in}")
        for name in ("base", layers.BUILDER, *([layers.COMPILER] if image.needs_compiler else []))
    }


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def revision(root: Path) -> str:
    """The commit this checkout is at, with ``-dirty`` where files differ from it; empty outside git."""
    commit = _git(root, "rev-parse", "HEAD")
    return f"{commit}-dirty" if commit and _git(root, "status", "--porcelain") else commit


def source_url(project: Project) -> str:
    """Where the sources are: the matrix's ``source``, or git's remote without credentials."""
    if project.matrix.project.source:
        return project.matrix.project.source
    remote = _git(project.paths.root, "remote", "get-url", "origin")
    if remote.startswith(("http://", "https://")):
        scheme, _, rest = remote.partition("://")
        return f"{scheme}://{rest.rsplit('@', 1)[-1]}"
    return ""


def build_environment(connection: Connection) -> dict[str, str]:
    """The environment for buildx: the engine, and the CA bundle that becomes a build secret."""
    return {**connection.environment, "CA_BUNDLE": str(ca_bundle() or "")}
