"""The setting of one command: the checkout and the selected images; and the connected engine where it needs one."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from build.builder import choice, image_recipes
from build.builder.existing import find_built
from build.checkout.project import DEFAULT_GROUP, Project, open_project
from build.commands.generated_files import images_with_stale_locks, stale_images
from build.engine.buildx_builder import Builder, EngineBuilder, Standalone, engine_environment, engine_of_environment
from build.engine.built import BuiltImage
from build.engine.connect import Connection, connect
from build.engine.failures import explaining
from build.engine.find import require
from build.errors import LeftOut, LeftOutError, UsageError, left_out_lines
from build.images.image import Image
from build.matrix import lifecycle
from build.paths import repository
from build.registry import address
from build.system import console
from build.variants.select import Selection


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The checkout, and the images that a command is about."""

    project: Project
    #: The selected images that can be made, as far as that is known.
    images: tuple[Image, ...]
    #: The other selected ones: whatever a step leaves out fails the command at its end.
    left_out: tuple[LeftOut, ...]

    @property
    def selected(self) -> int:
        """The number of selected images."""
        return len(self.images) + len(self.left_out)

    def finish(self, left_out: Iterable[LeftOut] = ()) -> None:
        """End the command: fail if an image was left out.

        Args:
            left_out: The images that a step left out, in addition to those from the start.

        Raises:
            LeftOutError: With all of them.
        """
        if every := (*self.left_out, *left_out):
            raise LeftOutError(every, self.selected)


@dataclass(frozen=True, kw_only=True)
class Run(Chosen):
    """What the steps of a command with an engine have in common."""

    #: The engine: it has the images, and runs their tests.
    connection: Connection
    #: What builds images.
    builder: Builder


@contextlib.contextmanager
def opened(selection: Selection, builder: str | None = None) -> Iterator[Run]:
    """Read the matrix, select images, and connect to the engine, whose failures in the body are explained.

    Args:
        selection: The options of the command.
        builder: As for `connected`.

    Raises:
        PipelineError: The matrix is wrong, nothing is selected, or no engine answers.
        EngineError: The engine stops answering, or its disk is full.
    """
    with connected(choose(selection), builder) as run:
        yield run


def choose(selection: Selection) -> Chosen:
    """Read the matrix and select images; images that have no valid lock are left out, with a warning for each.

    Args:
        selection: The options of the command.

    Raises:
        PipelineError: The matrix is wrong, or nothing is selected.
    """
    project = open_project(repository())
    today = datetime.datetime.now(datetime.UTC).date()
    variants = project.select(selection, default_group=DEFAULT_GROUP, today=today)
    for variant in variants:
        if warning := lifecycle.warning(variant.lifecycle, today):
            console.warn(f"{variant.name}: {warning}")
    images, left_out = project.usable_images(variants)
    warn_of(left_out)
    return Chosen(project=project, images=images, left_out=left_out)


@contextlib.contextmanager
def connected(chosen: Chosen, builder: str | None = None) -> Iterator[Run]:
    """Connect to the engine, whose failures in the body are explained.

    Args:
        chosen: The images.
        builder: The value of ``--builder`` of a command that builds; empty without it. None: the command builds
            nothing.

    Raises:
        EngineError: No engine answers, it stops answering, or its disk is full; or the builder does not exist, or does
            not answer.
    """
    if builder is None:
        named = choice.Choice(builder=engine_of_environment())
    else:
        named = choice.choose(builder, address.from_environment())
    if named.remark:
        console.warn(named.remark)
    match named.builder:
        case EngineBuilder() as found:
            engine = require(found.engine_environment())
        case Standalone():
            engine = require(engine_environment())
    with explaining(engine), contextlib.closing(connect(engine)) as connection:
        yield Run(
            project=chosen.project,
            images=chosen.images,
            left_out=chosen.left_out,
            connection=connection,
            builder=named.builder,
        )


AnyChosen = TypeVar("AnyChosen", bound=Chosen)


def warn_of(left_out: Iterable[LeftOut]) -> None:
    """Print a warning for each reason for which images are left out."""
    for line in left_out_lines(left_out):
        console.warn(line)


def checked(chosen: AnyChosen) -> AnyChosen:
    """Leave out the images whose locks do not belong to the matrix, with a warning for each.

    Raises:
        DriftError: A committed file that all images need, or a file of one of the others, is out of date.
    """
    stale = stale_images(chosen.project, [image.variant for image in chosen.images])
    left_out = [LeftOut(name=name, why=why) for name, why in stale.items()]
    warn_of(left_out)
    return dataclasses.replace(
        chosen,
        images=tuple(image for image in chosen.images if image.variant.name not in stale),
        left_out=(*chosen.left_out, *left_out),
    )


def find_images(run: Run) -> tuple[list[BuiltImage], list[LeftOut]]:
    """Return the selected images that the engine has under their recipes, and the others, with a warning for each.

    An image whose lock does not belong to the matrix is one of the others: more may be promised of it than was built.

    Raises:
        LeftOutError: None of them is built.
    """
    stale = images_with_stale_locks(run.project, [image.variant for image in run.images])
    images = [image for image in run.images if image.variant.name not in stale]
    recipes = image_recipes.of(run.project, images)
    built = find_built(run.connection.client, images, recipes.known)
    missing = [name for name in (image.variant.name for image in images) if name not in built]
    not_built = UsageError(
        "it is not built in its present form",
        fix=f"nox -s build -- {' '.join(name for name in missing if name not in recipes.unknown)}",
    )
    left_out = [
        *(LeftOut(name=name, why=why) for name, why in stale.items()),
        *(
            LeftOut(name=name, why=recipes.unknown[name].failure if name in recipes.unknown else not_built)
            for name in missing
        ),
    ]
    if not built:
        run.finish(left_out)
    warn_of(left_out)
    return list(built.values()), left_out
