"""Commands that have commands of their own: how their usage is shown."""

from __future__ import annotations

import click


class Subcommand(click.Command):
    """A command whose usage line is what people type."""

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        assert ctx.parent is not None, "it is part of a group"
        formatter.write_usage(f"{ctx.parent.command_path} -- {ctx.info_name}", " ".join(self.collect_usage_pieces(ctx)))


class Group(click.Group):
    """A group of them."""

    command_class = Subcommand

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(ctx.command_path, f"-- {'|'.join(self.list_commands(ctx))} [OPTIONS] ...")
