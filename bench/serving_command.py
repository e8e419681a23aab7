"""The phase ``serving`` as a part of ``nox -s bench``: its options, its image, its engine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bench import serving, serving_points, wrk
from bench.serving_report import Result, cpu_limit
from build.checkout.project import DEFAULT_GROUP
from build.commands.run import Run, find_images, opened
from build.engine.images import LocalImage, find
from build.errors import UsageError
from build.paths import Paths
from build.system import console
from build.variants.select import Selection
from build.variants.variant import Variant

#: The framework of the image that serves by default, from the default group.
_FRAMEWORK = "minimal"
#: A load average above it distorts the figures: it is a whole processor of other work.
_BUSY = 1.0


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The options of the phase."""

    #: An image's name; None for the default.
    image: str | None = None
    #: Pairs of a base and its stand-in.
    stand_ins: tuple[tuple[str, str], ...] = ()
    #: See ``serving_points.choose``.
    points: tuple[str, ...] = ()
    pairs: int = 5
    #: Of each run.
    seconds: int = 3
    #: A folder that takes the place of the image's ``server_start``.
    start_files: Path | None = None


def measure(paths: Paths, asked: Asked) -> tuple[Result, ...]:
    """Measure an image that the user's engine has.

    Args:
        paths: The checkout.
        asked: The options.

    Raises:
        UsageError: An option names no point or not one built image, or the folder has no start files.
        EngineError: No engine answers, or wrk cannot be installed.
        PipelineError: A server does not start or does not answer.
    """
    points = serving_points.choose(asked.points)
    if asked.start_files and not (asked.start_files / "main.py").is_file():
        raise UsageError(
            f"{asked.start_files} has no main.py", where="--start-files", fix="name a copy of image/start/server_start"
        )
    with opened(_selection(asked)) as run:
        variant, image = _image(run, any_recipe=asked.start_files is not None)
        program = wrk.find_wrk()
        if (load := os.getloadavg()[0]) > _BUSY:
            console.warn(f"this machine is busy (load {load:.1f}): the figures, and their ratios, are not reliable")
        console.step(
            f"serving: {variant.name}, {len(points)} points, {asked.pairs} × 3 runs of {asked.seconds} s each: "
            f"about {console.seconds(_estimate(points, asked))}"
        )
        return serving.measure(
            serving.Setting(
                client=run.connection.client,
                image=image.id,
                scripts=paths.root / serving.SCRIPTS,
                program=program,
                pairs=asked.pairs,
                seconds=asked.seconds,
                cpu_limit=cpu_limit(variant.base.python),
                start_files=asked.start_files,
            ),
            points,
        )


def _image(run: Run, *, any_recipe: bool) -> tuple[Variant, LocalImage]:
    """Return the selected image.

    Args:
        run: The command's.
        any_recipe: Take the one that was built last, even if it was built from other files than the present ones.

    Raises:
        UsageError: Several images are selected, or the selected one is not built.
    """
    if len(run.images) != 1:
        raise UsageError(
            f"the phase serving measures one image, and {len(run.images)} are selected",
            where="--image",
            fix=f"one of: {', '.join(image.variant.name for image in run.images)}",
        )
    variant = run.images[0].variant
    if any_recipe and (image := find(run.connection.client, f"{variant.repository}:latest")):
        return variant, image
    images, _ = find_images(run)
    return variant, images[0].local


def _selection(asked: Asked) -> Selection:
    if asked.image:
        return Selection(patterns=(asked.image,), stand_ins=asked.stand_ins)
    return Selection(framework=(_FRAMEWORK,), group=DEFAULT_GROUP, stand_ins=asked.stand_ins)


def _estimate(points: tuple[serving_points.Point, ...], asked: Asked) -> float:
    """Seconds of all runs, with a rough share for starts and pauses."""
    runs = 3 * asked.pairs
    return sum(runs * (asked.seconds + 0.4 + point.backlog) + 8.0 for point in points)
