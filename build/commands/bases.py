"""`nox -s bases`: what `docker buildx bake` needs in addition to the committed files."""

from __future__ import annotations

import dataclasses

import click

from build.bases import prepare
from build.builder import wheels
from build.builder.options import Options
from build.checkout.project import DEFAULT_GROUP, open_project
from build.commands.building import building
from build.commands.options import Session, selecting
from build.packages.wheel_sources import folder
from build.paths import repository
from build.system import console, state
from build.variants.select import Selection


@click.command("bases", cls=Session)
@building
@selecting
def bases(selection: Selection, options: Options) -> None:
    """Bootstrap the bases and fetch extra wheels.

    `docker buildx bake` needs them in addition to the committed files.  IMAGE is a name or a glob; the default is the
    group 'default'.
    """
    with state.exclusive(repository(), "bases"):
        project = open_project(repository())
        # A base that only stands in for others has no images of its own, and may be asked for all the same.
        alone = [name for name in selection.base if name in project.matrix.bases.keys() - project.bases_with_images]
        rest = dataclasses.replace(selection, base=tuple(name for name in selection.base if name not in alone))
        variants = project.select(rest, default_group=DEFAULT_GROUP) if rest != Selection() or not alone else ()
        not_found = prepare.prefixes(project, project.build_base_names(variants))
        names = sorted(set(project.build_base_names(variants)) - not_found.keys() | set(alone))
        for name, missed in not_found.items():
            if name in selection.base:
                raise missed
            console.warn(f"{name} is left out: {missed.what} (searched: {missed.where})")
        prepare.prepare(project, names, locked=options.locked, refresh=options.refresh_bases)
        for image, failure in wheels.fetch_all(project, variants).items():
            console.warn(f"{image} cannot be built: {failure.what} (searched: {failure.where})")
            for name in dict(project.variant(image).wheel_sources):  # bake asks for the folder all the same
                folder(project.paths, name, image).mkdir(parents=True, exist_ok=True)
    console.out.print("ready: " + ", ".join(names))
