"""The benchmark's own engine: new, so that "cold" means cold and no cache of the user is touched.

It is an engine of this project in a network of its own (``build.engine.daemon``), next to any other engine, and is
connected to this machine's network during the benchmark, because its builds download packages.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from docker.errors import NotFound

from bench.network import plugged_in, program
from build.engine.connect import Connection, connect
from build.engine.find import require
from build.engine.install import PATH
from build.engine.model import ROOT_VARIABLE, folders
from build.engine.own_processes import own_process
from build.errors import EngineError
from build.system import processes


@dataclass(frozen=True, kw_only=True)
class BenchEngine:
    """The running engine of the benchmark."""

    connection: Connection
    #: ``DOCKER_HOST`` and the engine's folder.
    variables: Mapping[str, str]
    #: The address of its network, from this machine.
    address: str
    #: Prefix of a command that runs in its network, where the registries are on 127.0.0.1.
    inside: tuple[str, ...]


@contextlib.contextmanager
def bench_engine(root: Path) -> Iterator[BenchEngine]:
    """Start an engine below ``root``; it and everything in it are deleted at the end.

    Args:
        root: A folder on a disk, with a short path (sockets).

    Raises:
        EngineError: This is not root, a program is missing, or the engine does not start.
    """
    if os.geteuid() != 0:
        raise EngineError("the benchmark starts its own engine, which needs root", fix="run: sudo nox -s bench")
    variables = {ROOT_VARIABLE: str(root)}
    place = folders(variables)
    variables["DOCKER_HOST"] = place.host
    try:
        _engine_command(variables)
        missing = [name for name in ("ip", "iptables", "nsenter") if shutil.which(name, path=PATH) is None]
        if missing:
            raise EngineError(
                f"the benchmark needs {', '.join(missing)}", fix="apt-get install iproute2 iptables util-linux"
            )
        pid = own_process(place)
        if pid is None:
            raise EngineError("the benchmark's engine ended after its start", where=str(place.log))
        with (
            plugged_in(pid) as address,
            contextlib.closing(connect(require(variables), timeout=600)) as connection,
        ):
            yield BenchEngine(
                connection=connection,
                variables=variables,
                address=address,
                inside=(program("nsenter"), f"--net=/proc/{pid}/ns/net", "--"),
            )
    finally:
        if root.exists():
            with contextlib.suppress(EngineError):
                _engine_command(variables, "--stop", "--purge")
            shutil.rmtree(root, ignore_errors=True)


def _engine_command(variables: Mapping[str, str], *options: str) -> None:
    done = processes.run(
        [sys.executable, "-m", "build", "engine", *options],
        cwd=Path(__file__).resolve().parent.parent,
        environment={**os.environ, **variables},
    )
    if done.returncode != 0:
        raise EngineError("the benchmark's own engine could not be started or stopped", details=done.stderr[-1500:])


def make_cold(bench: BenchEngine, *, keep: str) -> None:
    """Delete the build cache and all images but one.

    Args:
        bench: The engine.
        keep: The reference of the image to keep (the registry's).

    Raises:
        EngineError: Something could not be deleted.
    """
    kept = bench.connection.client.images.get(keep).id
    for image in bench.connection.client.images.list(all=True):
        if image.id and image.id != kept:
            with contextlib.suppress(NotFound):
                bench.connection.client.images.remove(image.id, force=True)
    bench.connection.client.api.prune_builds(all=True)
    usage = bench.connection.client.df()
    left = [entry for entry in usage.get("BuildCache") or () if not entry.get("InUse")]
    images = [image.id for image in bench.connection.client.images.list() if image.id != kept]
    if left or images:
        raise EngineError(f"the benchmark's engine is not cold: {len(left)} cache records, {len(images)} images left")
