"""`nox -s engine`: find a Docker engine, or install and start one; show which answers; stop our own; free space."""

from __future__ import annotations

import contextlib
import json
import os

import click
import requests
from docker.errors import DockerException

from build.commands.options import Session
from build.engine import daemon, embedded_registry
from build.engine import find as engine_find
from build.engine.buildx import Buildx, find_buildx
from build.engine.buildx_builder import engine_environment
from build.engine.connect import connect
from build.engine.failures import explain
from build.engine.install import install, this_machine
from build.engine.model import Engine, folders, free_bytes
from build.engine.own_processes import own_processes
from build.errors import EngineError, UsageError
from build.system import console


@click.command("engine", cls=Session)
@click.option("--status", "show", is_flag=True, help="Show the engine that answers.")
@click.option("--stop", "end", is_flag=True, help="Stop the engine that this command started.")
@click.option("--purge", is_flag=True, help="With --stop: also delete its data (images, caches, registry).")
@click.option(
    "--collect-garbage",
    "collect",
    is_flag=True,
    help="Free the space of images that were deleted from the embedded registry.",
)
@click.option("--json", "as_json", is_flag=True, help="With --status: print JSON.")
def engine(show: bool, end: bool, purge: bool, collect: bool, as_json: bool) -> None:
    """Find a Docker engine, or install and start one.

    Builds need an engine with BuildKit.  An engine that already answers is used as it is.
    """
    if show + end + collect > 1:
        raise UsageError("--status, --stop and --collect-garbage cannot be combined", fix="pass one of them")
    if purge and not end:
        raise UsageError("--purge deletes the data of an engine that is being stopped", fix="pass --stop --purge")
    if as_json and not show:
        raise UsageError("--json is for the engine that answers", fix="pass --status --json")
    if show:
        status(as_json=as_json)
    elif end:
        stop(purge)
    elif collect:
        collect_garbage()
    else:
        ensure()


def ensure() -> Engine:
    """Have an engine that answers and is suitable: the one that runs here, else one of our own.  Print which.

    Raises:
        EngineError: No engine can be had; with what to install.
        NetworkError: The distribution's archive cannot be reached.
    """
    answering = engine_find.find(engine_environment())
    if answering is None or answering.own:
        install(this_machine())
    if answering is None:
        if os.geteuid() != 0:
            raise EngineError(
                "no Docker engine answers here, and only root can start one",
                fix="run this command as root, or start Docker",
            )
        console.step("starting an engine")
        daemon.start(folders())
    suitable = engine_find.require(engine_environment())
    # Where someone else's engine lacks buildx, its owner decides what to install.
    buildx = find_buildx()
    verb = "answers" if answering is not None else "was started"
    console.out.print(
        f"Docker {suitable.version} {verb} at {suitable.host} ({suitable.source}), "
        f"{suitable.image_store} image store, buildx {buildx.version}",
        soft_wrap=True,
    )
    return suitable


def status(*, as_json: bool = False) -> Engine:
    """Print which engine answers, its buildx, and the disk space that it uses.

    Args:
        as_json: As JSON; sizes in bytes, null for what is not known.

    Raises:
        EngineError: No engine answers, or one that is not suitable.
    """
    answering = engine_find.require(engine_environment())
    buildx: Buildx | None = None
    try:
        buildx = find_buildx()
        buildx_text = f"{buildx.version} ({' '.join(buildx.command)})"
    except EngineError as error:
        buildx_text = f"none: {error.what}"
    try:
        with contextlib.closing(connect(answering)) as connection:
            usage = connection.client.df()
    except (DockerException, requests.RequestException) as error:
        raise explain(error, answering) or EngineError(
            "the engine does not report its disk usage", where=answering.host, details=str(error)
        ) from error
    cache = sum(int(entry.get("Size") or 0) for entry in usage.get("BuildCache") or ())
    free = free_bytes(answering)
    if as_json:
        document = {
            "version": answering.version,
            "api_version": answering.api_version,
            "rootless": answering.rootless,
            "address": answering.host,
            "found_by": answering.source,
            "image_store": answering.image_store,
            "buildx": buildx and {"version": buildx.version, "command": list(buildx.command)},
            "data_folder": answering.data_root,
            "images": int(usage.get("LayersSize") or 0),
            "build_cache": cache,
            "disk_free": free,
        }
        click.echo(json.dumps(document, indent=2))
        return answering
    rows = [
        (
            "engine",
            f"Docker {answering.version}, API {answering.api_version}{', rootless' if answering.rootless else ''}",
        ),
        ("address", answering.host),
        ("found by", answering.source),
        ("image store", answering.image_store),
        ("buildx", buildx_text),
        ("data folder", answering.data_root),
        ("images", console.size(int(usage.get("LayersSize") or 0))),
        ("build cache", console.size(cache)),
        ("disk free", "not on this machine" if free is None else console.size(free)),
    ]
    console.table(("", ""), rows)
    return answering


def collect_garbage() -> None:
    """Free the space of images that were deleted from the embedded registry, and print how much it was.

    Raises:
        EngineError: No engine answers, or it stopped answering.
        RegistryError: The registry does not run, or fails.
    """
    with contextlib.closing(connect(engine_find.require(engine_environment()))) as connection:
        freed = embedded_registry.collect_garbage(connection.client)
    console.out.print(f"the embedded registry is {console.size(freed)} smaller", soft_wrap=True)


def stop(purge: bool = False) -> bool:
    """Stop the own engine and its containers.  Its data stays unless purged; no other engine is ever stopped.

    Args:
        purge: Delete its images, cache and log too.

    Returns:
        True where some of its processes ran.

    Raises:
        EngineError: Not root; or ours does not run and the engine that answers is someone else's.
    """
    own = folders()
    ran = bool(own_processes(own))
    if not ran and not purge:
        _refuse_foreign()
    has_folders = own.data.exists() or own.run.exists()
    if has_folders:
        if os.geteuid() != 0:
            raise EngineError("only root can stop this project's engine", fix="run this command as root")
        daemon.stop(own, purge=purge)
    state = "the engine of this project was stopped" if ran else "the engine of this project is not running"
    data = f"its data stays in {own.data}"
    if not has_folders:
        data = "it has no data"
    elif purge:
        data = "its data is deleted"
    console.out.print(f"{state}; {data}", soft_wrap=True)
    return ran


def _refuse_foreign() -> None:
    """Raise where the engine that answers is not ours."""
    other = None
    with contextlib.suppress(EngineError):
        other = engine_find.find(engine_environment())
    if other is not None:
        raise EngineError(
            f"this project's engine is not running; the engine that answers (Docker {other.version}) is not ours",
            where=f"{other.host} ({other.source})",
            fix="stop it the way it was started",
        )
