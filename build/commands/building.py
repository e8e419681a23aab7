"""What the commands that build have in common: their options, and where the images are kept."""

from __future__ import annotations

import functools
from typing import Any

import click

from build.builder import compression
from build.builder.options import Options
from build.builder.places import EngineStore, Place, PushedToRegistry, needs_registry
from build.commands.options import Command
from build.commands.run import Run
from build.engine.buildx_builder import VARIABLE, EngineBuilder, Standalone
from build.publish.rights import check_rights
from build.registry import address
from build.registry.client import Client


def building(command: Command) -> Command:
    """Add the options of building; the command gets them as ``options``."""

    @functools.wraps(command)
    def wrapped(jobs: int, no_cache: bool, locked: bool, refresh_bases: bool, **rest: Any) -> Any:
        options = Options(jobs=jobs, no_cache=no_cache, locked=locked, refresh_bases=refresh_bases)
        return command(options=options, **rest)

    for add in reversed(
        (
            click.option(
                "--jobs", type=click.IntRange(1), default=8, show_default=True, help="Number of images built at a time."
            ),
            click.option("--no-cache", is_flag=True, help="Build every layer from scratch."),
            click.option(
                "--locked", is_flag=True, help="Fail if a base's Debian packages or prefix Python differ from its lock."
            ),
            click.option("--refresh-bases", is_flag=True, help="Bootstrap the bases again."),
        )
    ):
        wrapped = add(wrapped)
    return wrapped


def builder_option(command: Command) -> Command:
    """Add `--builder`; the command gets it as ``builder``, empty without it.

    The variable is left to `build.builder.choice`: it counts for less.
    """
    return click.option(
        "--builder",
        metavar="NAME",
        default="",
        help="Build with this buildx builder: a Docker context, or one that `docker buildx create` made.  "
        f"[env var: {VARIABLE}]",
    )(command)


def place_of(run: Run) -> Place:
    """Return where the images of a build are kept.

    Args:
        run: The command's setting.

    Raises:
        UsageError: The builder keeps no images, and no registry is named to which it could push them.
    """
    registry = address.from_environment()
    choice = compression.chosen(run.project.matrix, registry)
    match run.builder:
        case EngineBuilder():
            return EngineStore(connection=run.connection, compression=choice)
        case Standalone() as builder:
            if registry.embedded:
                raise needs_registry(builder)
            return PushedToRegistry(builder=builder, registry=registry, connection=run.connection, compression=choice)


def check_registry(run: Run) -> None:
    """Find out before minutes of building whether the login may push.

    Raises:
        RegistryError: It may not; or the registry is not there, or fails.
    """
    registry = address.from_environment()
    if registry.embedded:  # it may not run yet; publishing reports the same
        return
    with Client(registry) as client:
        client.check()
        check_rights(client, run.project, [image.variant for image in run.images])
