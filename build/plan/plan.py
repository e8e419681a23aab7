"""The plan: what is left to do for each selected image.  Reads the committed files and the registry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from build.bases import prepare, published
from build.bases.published_note import PublishedBases
from build.builder import compression, image_recipes
from build.checkout.project import Project
from build.errors import LeftOut, RegistryError
from build.images.image import Image
from build.matrix.values import Compression
from build.plan.answers import Registered, ask
from build.plan.decide import decide
from build.plan.question import Question, questions
from build.plan.states import WORK, Blocked, Present, State, ToBuild, Unknown
from build.publish import origin as origins
from build.publish import targets
from build.publish.release import Difference, Release
from build.registry import probe
from build.registry.address import Registry
from build.registry.client import Client


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is left to do."""

    registry: Registry
    #: False for an embedded registry that does not run: what it holds is not known, and it counts as empty.
    is_running: bool
    #: The last release in the registry.
    release: Release | None
    #: A state for each selected image, in the order of the matrix.
    states: tuple[State, ...]
    #: What was asked, by image name; blocked images are not in it.
    questions: dict[str, Question]
    #: Images of the last release that the matrix does not have.
    not_in_matrix: tuple[str, ...]
    #: Tags of images that are not selected which are not what the record of the release says.
    differences: tuple[Difference, ...] = ()
    #: The bases of the images in the registry, which were built for their locks; None if it does not run, or does not
    #: answer: then what was noted when it was asked last counts.
    bases: PublishedBases | None
    #: How far they are from their locks: base name → one line for each Debian package.
    base_differences: Mapping[str, Sequence[str]]
    #: Bytes of the packages of the images to build, each file once, as far as the index tells.
    bytes: int
    #: The compression that the matrix chooses for the registry; None if it has no entry for it.
    compression: Compression | None = None
    #: Why the images that would replace newer ones are blocked: the checkout is older than the release.
    older: RegistryError | None = None

    @property
    def work(self) -> tuple[State, ...]:
        """The images for which something is left to do that can be done."""
        return tuple(state for state in self.states if isinstance(state, WORK))

    @property
    def unknown(self) -> tuple[Unknown, ...]:
        """The images about which the registry did not answer."""
        return tuple(state for state in self.states if isinstance(state, Unknown))

    @property
    def is_done(self) -> bool:
        """Whether the registry has everything, and nothing is blocked or unknown."""
        return not self.work and not any(isinstance(state, Blocked | Unknown) for state in self.states)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a person allows."""

    #: Move ``latest``.
    latest: bool = True
    #: Move it to images on stand-in bases, too.
    latest_for_stand_ins: bool = False
    #: Replace published images that are of a newer commit.
    allow_older: bool = False
    #: Numbers of records that are passed over if they cannot be read.
    without_records: frozenset[str] = frozenset()
    #: Build nothing on a base that differs from its lock.
    locked: bool = False


def make_plan(
    project: Project, images: Sequence[Image], left_out: Iterable[LeftOut], registry: Registry, options: Options
) -> Plan:
    """Ask the registry what it has of some images, and decide what is left to do.

    Args:
        project: The checkout.
        images: The selected images that can be made.
        left_out: The other ones.
        registry: The registry. What it does not answer is unknown.
        options: What a person allows.

    Raises:
        PipelineError: A committed file is missing or damaged.
    """
    is_running = probe.is_running(registry)
    base_names = project.build_base_names([image.variant for image in images])
    bases: PublishedBases | None = None
    registered = Registered(release=None, answers={})
    unanswered: RegistryError | None = None
    with Client(registry) as remote:  # sends nothing by itself
        if is_running:
            try:
                remote.check()
                bases = published.find(remote, project, base_names)
            except RegistryError as failure:
                unanswered = failure
        recipes = image_recipes.of(project, images, bases)
        asked = questions(
            project,
            images,
            recipes.known,
            latest=options.latest,
            latest_for_stand_ins=options.latest_for_stand_ins,
        )
        if is_running and unanswered is None:
            namespace = project.matrix.project.namespace
            try:
                registered = ask(remote, namespace, asked, without=options.without_records)
            except RegistryError as failure:
                unanswered = failure
    drifted = prepare.differing(project, base_names, bases) if options.locked else {}
    states: dict[str, State] = {
        **{each.name: Blocked(name=each.name, why=each.why) for each in left_out},
        **{name: Blocked(name=name, why=base.failure) for name, base in recipes.unknown.items()},
    }
    sizes = {image.variant.name: sum(package.size or 0 for package in image.lock.packages) for image in images}
    for each in asked:
        if not is_running:
            reason = "the embedded registry does not run"
            states[each.name] = ToBuild(name=each.name, reason=reason, bytes=sizes[each.name])
        elif unanswered is not None:
            states[each.name] = Unknown(name=each.name, why=unanswered)
        else:
            states[each.name] = decide(each, registered, registry, size=sizes[each.name])
    for image in images:
        if why := drifted.get(image.variant.build_base_name):
            states[image.variant.name] = Blocked(name=image.variant.name, why=why)
    release = registered.release
    older = None
    if release and not options.allow_older:
        older = _older(project, release, asked, states, registry)
    if older:
        states |= {name: Blocked(name=name, why=older.failure) for name in older.names}
    to_build = {name for name, state in states.items() if isinstance(state, ToBuild)}
    packages = {
        package.sha256: package.size or 0
        for image in images
        if image.variant.name in to_build
        for package in image.lock.packages
    }
    in_matrix = {variant.name for variant in project.variants}
    order = {variant.name: number for number, variant in enumerate(project.variants)}
    return Plan(
        registry=registry,
        is_running=is_running,
        release=release,
        states=tuple(sorted(states.values(), key=lambda state: order[state.name])),
        questions={each.name: each for each in asked},
        not_in_matrix=tuple(each.name for each in release.images if each.name not in in_matrix) if release else (),
        differences=registered.differences,
        bases=bases,
        base_differences=published.differences(project, bases or {}),
        bytes=sum(packages.values()),
        compression=compression.named(project.matrix, registry),
        older=older.failure if older else None,
    )


@dataclass(frozen=True)
class _Older:
    """The images that a release has from a newer commit, and the failure to publish them."""

    names: tuple[str, ...]
    failure: RegistryError


def _older(
    project: Project, release: Release, asked: Sequence[Question], states: Mapping[str, State], registry: Registry
) -> _Older | None:
    """Return the images with work to do that would replace newer ones.  Asks git."""
    work = {
        each.key: state.digest if isinstance(state, Present) else None
        for each in asked
        if isinstance(state := states[each.name], WORK)
    }
    if not work:
        return None
    origin = origins.of_checkout(project.paths.root)
    newer = targets.newer_images(release, work, origin)
    if not newer:
        return None
    return _Older(tuple(each.name for each in newer), targets.older_checkout(release, newer, origin, str(registry)))
