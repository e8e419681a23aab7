"""The options of commands that work on a part of the selected images, for jobs on machines of their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import click

from build.commands.options import Command
from build.commands.run import Chosen
from build.plan import shards
from build.plan.shards import Shard


def disk_option(command: Command) -> Command:
    """Add `--disk`; the command gets it as ``disk``."""
    return click.option(
        "--disk",
        type=click.IntRange(1),
        default=shards.DISK,
        show_default=True,
        metavar="GB",
        envvar="INFERENCE_IMAGES_DISK",
        show_envvar=True,
        help="Disk space that one shard may take.",
    )(command)


def shards_of(chosen: Chosen, disk: int) -> tuple[Shard, ...]:
    """Divide the images of a command that can be made, as far as the committed files tell.

    Args:
        chosen: The images.
        disk: Gigabytes that a shard may take.
    """
    return shards.divide(shards.cells(chosen.images), disk=disk)


def only_shard(chosen: Chosen, text: str, divided: Sequence[Shard]) -> Chosen:
    """Return the images of one shard; images that cannot be made are in none.

    Args:
        chosen: All selected images.
        text: The shard: ``3/12-1f2e``.
        divided: All shards.

    Raises:
        UsageError: There is no such shard.
    """
    names = shards.find(divided, text).images
    images = tuple(image for image in chosen.images if image.variant.name in names)
    return dataclasses.replace(chosen, images=images, left_out=())
