"""Take from the registry what it has, instead of building and testing again; `build` and `pipeline` use this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from build.bases import published
from build.bases.published_note import PublishedBases
from build.builder import compression, image_recipes
from build.builder.existing import find_built
from build.commands.run import Run
from build.engine.built import BuiltImage
from build.engine.pull import pull
from build.errors import RegistryError
from build.plan import fetch
from build.plan.plan import Options, Plan, make_plan
from build.plan.states import Present, ToTest
from build.publish.bases import BasesOf
from build.publish.foundations import fetch_results
from build.registry import address, probe
from build.registry.client import Client
from build.system import console


def ask_registry(run: Run, *, pulls: bool, locked: bool) -> PublishedBases | None:
    """Ask the registry what it has of the images of a build, and pull those that the engine does not have.

    Args:
        run: The command's setting.
        pulls: Whether images are pulled; else only bases are asked for.
        locked: Pull no image on a base that differs from its lock.

    Returns:
        The bases in the registry; None, with a warning, if it did not answer.
    """
    registry = address.from_environment()
    names = run.project.build_base_names([image.variant for image in run.images])
    if not pulls or not probe.is_running(registry):
        return published.ask(run.project, names, registry)
    # Nothing is published, so that the age of the checkout does not matter.
    plan = make_plan(run.project, run.images, (), registry, Options(locked=locked, allow_older=True))
    if plan.unknown:
        images, why = console.count(len(plan.unknown), "image"), plan.unknown[0].why.what
        console.warn(f"it is unknown what the registry has of {images}: {why}; what the engine does not have is built")
    if plan.bases is None:
        return None
    published.settle(run.project, names, plan.bases, again=False)
    here = find_built(run.connection.client, run.images, image_recipes.of(run.project, run.images).known)
    present = {each.name: each for each in plan.states if isinstance(each, Present)}
    for name, built in here.items():
        if name in present and built.local.id in present[name].ids:
            _note(run, plan, present[name], built.local.id)
    pull_published(run, plan, {name: each for name, each in present.items() if name not in here})
    return plan.bases


def pull_published(run: Run, plan: Plan, wanted: Mapping[str, Present]) -> None:
    """Pull images that the registry has; one that cannot be pulled is built.

    What is known of the tests of an image is taken over.

    Args:
        run: The command's setting.
        plan: What the registry has.
        wanted: The images, by name. One is not pulled if the engine has the very image of the registry.
    """
    images = [image for image in run.images if image.variant.name in wanted]
    if not images:
        return
    client = run.connection.client
    in_engine = find_built(client, images, image_recipes.of(run.project, images).known)
    with Client(plan.registry) as remote:
        for name in (image.variant.name for image in images):
            question, state, here = plan.questions[name], wanted[name], in_engine.get(name)
            if here is not None and here.local.id in state.ids:
                image_id = here.local.id
            else:
                console.info(f"pulling {name}: the registry has it")
                try:
                    pulled = pull(client, plan.registry, question.repository, state.digest, tag=question.recipe_tag)
                except RegistryError as failure:
                    console.warn(f"{failure.what}: it is built")
                    continue
                image_id = str(pulled.id)
                if not question.stand_in:
                    pulled.tag(question.repository, tag="latest")  # as after a build
            _note(run, plan, state, image_id)
            if isinstance(state, ToTest):
                continue
            try:
                fetch.remember_tests(run.project.paths, remote, question, image_id, state.ids)
            except RegistryError as failure:
                console.warn(f"the test report of {name} cannot be read: it is tested again ({failure.what})")


def take_over_foundations(run: Run, images: Sequence[BuiltImage]) -> None:
    """Take over the tests of bases and server layers that have passed elsewhere; the tests run again if none can be.

    Args:
        run: The command's setting.
        images: The images that are about to be tested.
    """
    registry = address.from_environment()
    if not probe.is_running(registry):
        return
    try:
        with Client(registry) as remote:
            count = fetch_results(BasesOf.of(run.project, images), remote)
    except RegistryError as failure:
        console.warn(f"the tests of bases that passed elsewhere cannot be read: they run again ({failure.what})")
        return
    if count:
        results = console.count(count, "result")
        console.info(f"the tests that images share have passed elsewhere: {results} taken from the registry")


def _note(run: Run, plan: Plan, state: Present, image_id: str) -> None:
    """Note that an image in the engine is the one that the registry has: it is not built again for its compression."""
    client, question = run.connection.client, plan.questions[state.name]
    compression.note(client, question.repository, question.recipe_tag, image_id, state.compression)
    compression.note_present(client, question.repository, question.recipe_tag, image_id, plan.registry)
