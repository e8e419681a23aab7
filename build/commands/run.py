"""The setting of one command that works with an engine: the checkout, the selected images, the connected engine."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator
from dataclasses import dataclass

from build.builder import image_recipes
from build.builder.existing import find_built
from build.checkout.project import DEFAULT_GROUP, Project, open_project
from build.engine.built import BuiltImage
from build.engine.connect import Connection, connect
from build.engine.failures import explaining
from build.engine.find import require
from build.errors import UsageError
from build.images.image import Image
from build.matrix import lifecycle
from build.paths import repository
from build.system import console
from build.variants.select import Selection


@dataclass(frozen=True, kw_only=True)
class Run:
    """What the steps of one command have in common."""

    project: Project
    images: tuple[Image, ...]
    #: The images that a person asked for by their whole names: a step that cannot do one of them fails.
    asked_for: frozenset[str]
    connection: Connection


@contextlib.contextmanager
def opened(selection: Selection) -> Iterator[Run]:
    """Read the matrix, select images, and connect to the engine, whose failures in the body are explained.

    Args:
        selection: The options of the command.

    Raises:
        PipelineError: The matrix is wrong, nothing is selected, a lock is missing, or no engine answers.
        EngineError: The engine stops answering, or its disk is full.
    """
    project = open_project(repository())
    today = datetime.datetime.now(datetime.UTC).date()
    variants = project.select(selection, default_group=DEFAULT_GROUP, today=today)
    for variant in variants:
        if warning := lifecycle.warning(variant.lifecycle, today):
            console.warn(f"{variant.name}: {warning}")
    images = project.images(variants)
    engine = require()
    with explaining(engine), contextlib.closing(connect(engine)) as connection:
        yield Run(
            project=project,
            images=images,
            asked_for=frozenset(selection.patterns),
            connection=connection,
        )


def find_images(run: Run) -> list[BuiltImage]:
    """Return the selected images that the engine has under their recipes, and warn about the others.

    Raises:
        UsageError: None of them is built, or one that was asked for by name is not.
    """
    recipes = image_recipes.of(run.project, run.images)
    built = find_built(run.connection.client, run.images, recipes.known)
    missing = [image.variant.name for image in run.images if image.variant.name not in built]
    if not built or run.asked_for & set(missing):
        raise UsageError(
            "not built in their present form: " + ", ".join(missing),
            fix="nox -s build -- " + " ".join(missing),
            details="\n".join(f"{name}: {base.why}; {base.fix}" for name, base in recipes.unknown.items()) or None,
        )
    for name in missing:
        unknown = recipes.unknown.get(name)
        reason = f"{unknown.why}; {unknown.fix}" if unknown else "it is not built in its present form"
        console.warn(f"{name} is left out: {reason}")
    return list(built.values())
