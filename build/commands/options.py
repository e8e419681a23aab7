"""Options that several commands share, and how their usage is shown."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import click

from build.errors import UsageError
from build.variants import stand_in
from build.variants.select import Selection

Command = Callable[..., Any]


#: How a command shows its results on standard output: JSON alone, for programs, or nothing, if it is a part of another.
Shown = Literal["table", "json", "nothing"]


def json_option(command: Command) -> Command:
    """Add `--json`; the command gets it as ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


class Session(click.Command):
    """A command whose usage line is what people type: nox passes on what comes after ``--``."""

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return ["--", *super().collect_usage_pieces(ctx)]


def selecting(command: Command) -> Command:
    """Add the options that select images; the command gets them as ``selection``."""

    @functools.wraps(command)
    def wrapped(
        patterns: tuple[str, ...],
        framework: tuple[str, ...],
        base: tuple[str, ...],
        device: str | None,
        group: str | None,
        all_: bool,
        **rest: Any,
    ) -> Any:
        bases, stand_ins = stand_in.parse(base)
        selection = Selection(
            patterns=patterns,
            framework=framework,
            base=bases,
            device=device,
            group=group,
            all_=all_,
            stand_ins=stand_ins,
        )
        return command(selection=selection, **rest)

    for add in reversed(
        (
            click.argument("patterns", nargs=-1, metavar="[IMAGE]..."),
            click.option("--framework", multiple=True, help="Only images of this framework (repeatable)."),
            click.option(
                "--base",
                multiple=True,
                metavar="BASE[=OTHER]",
                help="Only images on this base; with =OTHER, build them on the base OTHER instead (repeatable).",
            ),
            click.option("--device", help="Only images for this device: cpu, gpu, or a CUDA version of the matrix."),
            click.option("--group", help="Only images of this group of the matrix."),
            click.option("--all", "all_", is_flag=True, help="All images of the matrix."),
        )
    ):
        wrapped = add(wrapped)
    return wrapped


@dataclass(frozen=True, kw_only=True)
class PublishOptions:
    """The options of the commands that publish."""

    latest_for_stand_ins: bool
    allow_older: bool
    no_latest: bool
    without_records: frozenset[str]


def publishing(command: Command) -> Command:
    """Add the options of publishing; the command gets them as ``publish_options``."""

    @functools.wraps(command)
    def wrapped(
        latest_for_stand_ins: bool, allow_older: bool, no_latest: bool, without_record: tuple[str, ...], **rest: Any
    ) -> Any:
        if latest_for_stand_ins and no_latest:
            raise UsageError("--latest-for-stand-ins and --no-latest contradict each other", fix="use one of them")
        options = PublishOptions(
            latest_for_stand_ins=latest_for_stand_ins,
            allow_older=allow_older,
            no_latest=no_latest,
            without_records=frozenset(without_record),
        )
        return command(publish_options=options, **rest)

    for add in reversed(
        (
            click.option(
                "--latest-for-stand-ins", is_flag=True, help="Also move the tag 'latest' to images on a stand-in base."
            ),
            click.option(
                "--no-latest", is_flag=True, help="Do not move 'latest': for registries in which tags are immutable."
            ),
            click.option("--allow-older", is_flag=True, help="Replace published images that are of a newer commit."),
            click.option(
                "--without-record",
                multiple=True,
                metavar="NUMBER",
                help="Publish although the record of this release cannot be read: the release before it counts.",
            ),
        )
    ):
        wrapped = add(wrapped)
    return wrapped
