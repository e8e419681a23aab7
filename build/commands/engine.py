"""`nox -s engine`: find a Docker engine, or install and start one."""

from __future__ import annotations

import click

from build.commands.options import Session
from build.engine import engine as engines


@click.command("engine", cls=Session)
@click.option("--status", "action", flag_value="status", help="Show the engine that answers.")
@click.option("--stop", "action", flag_value="stop", help="Stop the engine that this command started.")
@click.option("--purge", is_flag=True, help="With --stop: also delete its data (images, caches, registry).")
def engine(action: str | None, purge: bool) -> None:
    """Find a Docker engine with BuildKit; install and start one if none answers."""
    if action == "status":
        engines.status()
    elif action == "stop":
        engines.stop(purge)
    else:
        engines.ensure()
