"""`nox -s bases`: what `docker buildx bake` needs in addition to the committed files."""

from __future__ import annotations

import contextlib
import dataclasses

import click

from build.bases import prepare, published
from build.bases.engine_rootfs import RootfsStore
from build.builder import wheels
from build.builder.options import Options
from build.checkout.project import DEFAULT_GROUP, open_project
from build.commands.building import building
from build.commands.options import Session, selecting
from build.engine.connect import connect
from build.engine.find import find
from build.engine.model import Engine
from build.errors import EngineError, LeftOut, LeftOutError
from build.packages.wheel_sources import folder
from build.paths import repository
from build.registry import address
from build.system import console, state
from build.variants.select import Selection


@click.command("bases", cls=Session)
@building
@selecting
def bases(selection: Selection, options: Options) -> None:
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
        return find()
    except EngineError as failure:
        console.warn(f"{failure.what}: the bases are bootstrapped")
        return None
