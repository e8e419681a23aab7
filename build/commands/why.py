"""`nox -s why`: what differs between what would be built and what is published; no engine is needed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import click

from build.bases import published as published_bases
from build.builder import image_recipes
from build.checkout.project import Project, open_project
from build.commands.options import Session
from build.errors import UsageError
from build.images.image import Image
from build.paths import repository
from build.registry import address
from build.registry.client import Client
from build.system import console, processes
from build.variants import stand_in
from build.variants.select import Selection
from build.why import output, published
from build.why.compare import Change, compare, compare_packages
from build.why.output import Explained
from build.why.places import is_text, place_of
from build.why.published import PublishedRecipe


@click.command("why", cls=Session)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--base",
    multiple=True,
    metavar="BASE=OTHER",
    help="The image is built on the base OTHER instead (repeatable).",
)
@click.argument("image_name", metavar="IMAGE")
@click.argument("reference", required=False)
def why(image_name: str, reference: str | None, base: tuple[str, ...], as_json: bool) -> None:
    """Show why an image would be built again: what differs from the published one, and where the new value comes from.

    IMAGE is the name of one image, or a glob that matches one. REFERENCE is a tag or a digest of it in the registry;
    the default is the last release.
    """
    _, stand_ins = stand_in.parse(base)
    selection = Selection(patterns=(image_name,), stand_ins=stand_ins)
    project = open_project(repository())
    variants = project.select(selection)
    if len(variants) != 1:
        raise UsageError(f"'why' is about one image, and {len(variants)} are selected", fix="name one: nox -s list")
    (image,) = project.images(variants)
    name = image.variant.name
    with Client(address.from_environment()) as remote:
        bases = published_bases.find(remote, project, [image.variant.build_base_name])
        recipes = image_recipes.of(project, [image], bases)
        if name in recipes.unknown:
            raise recipes.unknown[name].failure
        recipe = recipes.known[name]
        old = published.read(
            remote,
            project.matrix.project.namespace,
            image.variant.repository,
            (name, image.variant.stand_in or ""),
            reference,
        )
    changes = _explained(project, image, old, _changes(image, old, recipe.inputs))
    if as_json:
        click.echo(output.to_json(name, old.reference, (old.recipe, recipe.digest), old.commit, changes))
        return
    if old.recipe == recipe.digest:
        console.out.print(f"{old.reference} is what would be built: recipe {recipe.digest[:16]}", soft_wrap=True)
        return
    if old.inputs is None:
        console.warn(
            "an earlier version of this project published it, which did not attach the inputs of the recipe: "
            "only the Python packages are compared, and the image is built again once"
        )
    of = f" of commit {old.commit[:12]}" if old.commit else ""
    console.out.print(
        f"{name}: recipe {old.recipe[:16]} → {recipe.digest[:16]}; published: {old.reference}{of}", soft_wrap=True
    )
    output.print_changes(changes)
    if not changes:
        console.out.print("the Python packages are the same" if old.packages else "nothing can be compared")


def _changes(image: Image, old: PublishedRecipe, inputs: Mapping[str, Any]) -> tuple[Change, ...]:
    packages = compare_packages(old.packages, image.lock.versions()) if old.packages else ()
    return (*packages, *(compare(old.inputs, inputs) if old.inputs is not None else ()))


def _explained(
    project: Project, image: Image, old: PublishedRecipe, changes: tuple[Change, ...]
) -> tuple[Explained, ...]:
    found = []
    for change in changes:
        place = place_of(project, image, change)
        # Whoever may push may also name a commit: only what looks like one is passed to git.
        commit = re.match(r"[0-9a-f]{7,64}(?=$|-dirty$)", old.commit)
        lines = _lines(project, commit[0], place) if is_text(change) and commit else ()
        found.append(Explained(change=change, place=place, lines=lines))
    return tuple(found)


def _lines(project: Project, commit: str, path: str) -> tuple[str, ...]:
    """Return how a file differs from that of a commit; nothing where this clone does not have the commit."""
    file = project.paths.root / path
    try:
        shown = processes.run(["git", "show", f"{commit}:{path}"], cwd=project.paths.root)
    except OSError:
        return ()
    if shown.returncode != 0 or not file.is_file():
        return ()
    return output.difference(shown.stdout, file.read_text(encoding="utf-8", errors="replace"))
