"""The options of the commands that build."""

from __future__ import annotations

import functools
from typing import Any

import click

from build.builder.options import Options
from build.commands.options import Command


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
