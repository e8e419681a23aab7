"""`nox -s bases`: what `docker buildx bake` needs in addition to the committed files."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence

import click

from build.bases import prepare, published
from build.bases.engine_rootfs import RootfsStore
from build.bases.local import local_base
from build.builder import wheels
from build.builder.options import Options
from build.checkout.project import DEFAULT_GROUP, Project, open_project
from build.commands.building import building
from build.commands.options import Session, selecting
from build.engine.buildx_builder import engine_environment
from build.engine.connect import connect
from build.engine.failures import explaining
from build.engine.find import find, require
from build.engine.model import Engine
from build.errors import EngineError, LeftOut, LeftOutError, PipelineError
from build.matrix.origins import Bootstrapped
from build.packages.wheel_sources import folder
from build.paths import repository
from build.publish import origin as origins
from build.publish.bases import BasesOf, prepared_bases, publish_bases
from build.publish.targets import Rules
from build.registry import address
from build.registry.address import Registry
from build.registry.client import Client
from build.system import console, state
from build.variants.select import Selection


@click.command("bases", cls=Session)
@building
@click.option(
    "--publish",
    is_flag=True,
    help="Prepare only the bases that the registry does not have, and push them: before several machines use them.",
)
@click.option("--no-latest", is_flag=True, help="With --publish: for registries in which tags are immutable.")
@selecting
def bases(selection: Selection, options: Options, publish: bool, no_latest: bool) -> None:
    """Prepare the bases, and fetch extra wheels.

    A base is taken from the registry or from the engine, if one of them has it, and bootstrapped otherwise.

    `docker buildx bake` needs them in addition to the committed files.  IMAGE is a name or a glob; the default is the
    group 'default'.
    """
    with state.exclusive(repository(), "bases"):
        project = open_project(repository())
        # A base that only stands in for others has no images of its own, and may be asked for all the same.
        alone = [name for name in selection.base if name in project.matrix.bases.keys() - project.bases_with_images]
        rest = dataclasses.replace(selection, base=tuple(name for name in selection.base if name not in alone))
        variants = project.select(rest, default_group=DEFAULT_GROUP) if rest != Selection() or not alone else ()
        names = sorted({*project.build_base_names(variants), *alone})
        if publish:
            _publish(project, names, options, Rules(latest=not no_latest))
            return
        engine = _find_engine()
        with contextlib.ExitStack() as stack:
            store: RootfsStore | None = None
            if engine is not None:  # without one, they are bootstrapped
                client = stack.enter_context(contextlib.closing(connect(engine))).client
                registry = address.from_environment()
                answer = published.ask(project, names, registry)
                known = published.settle(project, names, answer, again=options.refresh_bases)
                store = RootfsStore.of(project, client, registry, known)
            failures = prepare.prepare(
                project, names, locked=options.locked, refresh=options.refresh_bases, store=store
            )
        not_fetched = wheels.fetch_all(project, variants)
        for image in not_fetched:
            for name in dict(project.variant(image).wheel_sources):  # bake asks for the folder all the same
                folder(project.paths, name, image).mkdir(parents=True, exist_ok=True)
    if ready := [name for name in names if name not in failures]:
        console.out.print("ready: " + ", ".join(ready))
    for failed, selected, kind in ((failures, len(names), "bases"), (not_fetched, len(variants), "images")):
        if failed:
            raise LeftOutError([LeftOut(name=name, why=why) for name, why in failed.items()], selected, kind)


def _find_engine() -> Engine | None:
    """Find the engine, which may have the bases; without one, they are bootstrapped."""
    try:
        return find(engine_environment())
    except EngineError as failure:
        console.warn(f"{failure.what}: the bases are bootstrapped")
        return None


def _publish(project: Project, names: Sequence[str], options: Options, rules: Rules) -> None:
    """Bootstrap and push the bases that the registry does not have for their locks.

    Raises:
        RegistryError: The registry is not there, refuses, or fails; or another run publishes.
        LeftOutError: A base cannot be made.
        PipelineError: The registry does not have all of them at the end.
    """
    registry = address.from_environment()
    with Client(registry) as remote:
        remote.check()
        known = published.find(remote, project, names)
    bootstrapped = [name for name in names if isinstance(local_base(project, name).origin, Bootstrapped)]
    missing = [name for name in bootstrapped if name not in known]
    console.step(f"bases: {console.count(len(bootstrapped), 'base')} at {registry}, {len(missing)} to publish")
    if not missing:
        return
    published.settle(project, names, known, again=options.refresh_bases)
    engine = require(engine_environment())
    with explaining(engine), contextlib.closing(connect(engine)) as connection:
        store = RootfsStore.of(project, connection.client, registry, known)
        failures = prepare.prepare(project, missing, locked=options.locked, refresh=options.refresh_bases, store=store)
        ready = prepared_bases(project, [name for name in missing if name not in failures])
        origin = origins.of_checkout(project.paths.root, held=state.lock_file(project.paths))
        pushed = publish_bases(
            BasesOf(project=project, used=ready), registry, connection.client, origin=origin, rules=rules
        )
    console.out.print(f"{console.count(pushed, 'base')} published at {registry}", soft_wrap=True)
    if failures:
        raise LeftOutError([LeftOut(name=name, why=why) for name, why in failures.items()], len(missing), "bases")
    fail_if_missing(project, missing, registry)


def fail_if_missing(project: Project, names: Sequence[str], registry: Registry) -> None:
    """Fail if the registry does not have bases after all: each machine would build on another one.

    Raises:
        PipelineError: It does not.
        RegistryError: The registry is not there, refuses, or fails.
    """
    with Client(registry) as remote:
        found = published.find(remote, project, names)
    if missing := [name for name in names if name not in found]:
        raise PipelineError(
            f"the registry still does not have {'the base' if len(missing) == 1 else 'the bases'} {', '.join(missing)}",
            where=str(registry),
            fix="publish from Debian 12 with its own mmdebstrap, which gives the content that the locks record; or "
            "record the content that this machine gives: nox -s lock -- --bases (docs/ci.md)",
        )
