"""The benchmark's own engine and registries: fresh, so that cold is cold and nobody's cache is touched.

An engine of this project in a network of its own (``build.engine.daemon``, beside any other), plugged into this
machine's network for the time of the benchmark, since its builds download packages.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from docker.errors import NotFound

from bench.report import Image, Inventory
from build.engine.connect import Connection, connect
from build.engine.find import require
from build.engine.install import PATH
from build.engine.model import ROOT_VARIABLE, folders
from build.engine.own_processes import own_process
from build.errors import EngineError, RegistryError
from build.registry.address import Registry
from build.registry.client import Client
from build.registry.manifests import Manifest
from build.system.http import HttpClient
from build.system.retries import RetryPolicy

#: RFC 2544's block for benchmarks: no network out there uses it.  One /30 for each benchmark that runs.
_BLOCK = "198.18"
_START_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class BenchEngine:
    """The running engine."""

    connection: Connection
    #: ``DOCKER_HOST`` and the engine's folder.
    variables: Mapping[str, str]
    #: The address of its network, from this machine.
    address: str
    #: Puts a command into its network: there it finds the registries on 127.0.0.1.
    inside: tuple[str, ...]


@contextlib.contextmanager
def bench_engine(root: Path) -> Iterator[BenchEngine]:
    """An engine below ``root``; it and all it made are gone afterwards.

    Args:
        root: A folder on a disk, with a short path (sockets).

    Raises:
        EngineError: Not root, a program is missing, or it does not start.
    """
    if os.geteuid() != 0:
        raise EngineError("the benchmark starts an engine of its own, and only root can", fix="run: sudo nox -s bench")
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
            _plugged_in(pid) as address,
            contextlib.closing(connect(require(variables), timeout=600)) as connection,
        ):
            yield BenchEngine(
                connection=connection,
                variables=variables,
                address=address,
                inside=(_tool("nsenter"), f"--net=/proc/{pid}/ns/net", "--"),
            )
    finally:
        if root.exists():
            with contextlib.suppress(EngineError):
                _engine_command(variables, "--stop", "--purge")
            shutil.rmtree(root, ignore_errors=True)


def _engine_command(variables: Mapping[str, str], *options: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "build", "engine", *options],
        cwd=Path(__file__).resolve().parent.parent,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,  # a second Ctrl-C must not stop the cleaning up
    )
    if done.returncode != 0:
        raise EngineError("the benchmark's own engine could not be started or stopped", details=done.stderr[-1500:])


def _tool(name: str) -> str:
    return shutil.which(name, path=PATH) or name


@contextlib.contextmanager
def _plugged_in(pid: int) -> Iterator[str]:
    """Give the engine's network a cable to this machine's, and let this machine forward for it."""
    link = f"bench{os.getpid()}"
    taken = _run("ip", "-o", "-4", "addr").split()
    number = next(n for n in range(256) if not any(word.startswith(f"{_BLOCK}.{n}.") for word in taken))
    here, there = f"{_BLOCK}.{number}.1", f"{_BLOCK}.{number}.2"
    rules = (
        ("-t", "nat", "-A", "POSTROUTING", "-s", there, "!", "-o", link, "-j", "MASQUERADE"),
        ("-I", "FORWARD", "-i", link, "-j", "ACCEPT"),
        ("-I", "FORWARD", "-o", link, "-j", "ACCEPT"),
    )
    forward = Path("/proc/sys/net/ipv4/ip_forward")
    with contextlib.ExitStack() as undo:
        was = forward.read_text(encoding="ascii")
        if was.strip() == "0":
            forward.write_text("1", encoding="ascii")
            undo.callback(forward.write_text, was, encoding="ascii")
        _run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
        undo.callback(_quietly, "ip", "link", "delete", link)
        _run("ip", "addr", "add", f"{here}/30", "dev", link)
        _run("ip", "link", "set", link, "up")
        inside = ("nsenter", f"--net=/proc/{pid}/ns/net", "--", _tool("ip"))
        _run(*inside, "addr", "add", f"{there}/30", "dev", "eth0")
        _run(*inside, "link", "set", "eth0", "up")
        _run(*inside, "route", "add", "default", "via", here)
        for rule in rules:
            _run("iptables", "-w", *rule)
            away = ["-D" if word in ("-A", "-I") else word for word in rule]
            undo.callback(_quietly, "iptables", "-w", *away)
        yield there


def _run(*command: str) -> str:
    done = subprocess.run([_tool(command[0]), *command[1:]], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise EngineError(
            "the benchmark's engine could not be joined to the network",
            where=" ".join(command),
            details=done.stderr[-500:],
        )
    return done.stdout


def _quietly(*command: str) -> None:
    subprocess.run([_tool(command[0]), *command[1:]], capture_output=True, check=False)


def make_cold(bench: BenchEngine, *, keep: str) -> None:
    """Empty the engine: no build cache, no image but one.

    Args:
        bench: The engine.
        keep: The reference of the image to keep (the registry's).

    Raises:
        EngineError: Something stayed.
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


@dataclass(frozen=True, kw_only=True)
class BenchRegistry:
    """A running, fresh registry."""

    #: ``127.0.0.1:5601``, as the engine sees it.
    host: str
    #: The same, as this machine sees it.
    address: str

    def inventory(self) -> Inventory:
        """All that its tags reach.

        Raises:
            RegistryError: It does not answer.
        """
        # It is asked until it is up: each time once.
        http = HttpClient(proxies=False, policy=RetryPolicy(attempts=1))
        with Client(Registry(host=self.address, insecure=True), http) as client:
            return take_inventory(client)


class Contents(Protocol):
    """The questions of `take_inventory`; `build.registry.client.Client` answers them."""

    def repositories(self) -> list[str]: ...

    def tags(self, repository: str) -> list[str]: ...

    def manifest(self, repository: str, reference: str) -> Manifest: ...


def take_inventory(contents: Contents) -> Inventory:
    """List all that a registry has, from its repositories over tags to manifests.

    Args:
        contents: A client of the registry.
    """
    everything: dict[str, int] = {}
    images: dict[str, Image] = {}
    for repository in contents.repositories():
        for tag in contents.tags(repository):
            image = _walk(contents, repository, tag, everything)
            if tag == "latest" and image is not None:
                images[repository] = image
    return Inventory(everything=everything, images=images)


def _walk(contents: Contents, repository: str, reference: str, everything: dict[str, int]) -> Image | None:
    """Count one manifest and what it names; returns the image that it is, or that its index has."""
    manifest = contents.manifest(repository, reference)
    document = manifest.document
    everything[manifest.digest] = len(manifest.content)
    if "manifests" in document:
        found = None
        for entry in document["manifests"]:
            image = _walk(contents, repository, entry["digest"], everything)
            if entry.get("platform", {}).get("architecture") != "unknown":  # that is an attestation
                found = image
        return found
    blobs = {blob["digest"]: int(blob["size"]) for blob in (document["config"], *document["layers"])}
    everything.update(blobs)
    return Image(blobs=blobs, layers=tuple(layer["digest"] for layer in document["layers"]))


@contextlib.contextmanager
def bench_registry(bench: BenchEngine, image: str, port: int) -> Iterator[BenchRegistry]:
    """A registry with an empty volume; both are gone afterwards.

    Args:
        bench: The engine it runs in.
        image: The registry's image.
        port: In the engine's network.

    Raises:
        RegistryError: It does not come up.
    """
    name = f"bench-registry-{port}"
    container = bench.connection.client.containers.create(
        image,
        name=name,
        network_mode="host",
        environment={"REGISTRY_HTTP_ADDR": f"0.0.0.0:{port}", "REGISTRY_LOG_LEVEL": "warn"},
        volumes={name: {"bind": "/var/lib/registry", "mode": "rw"}},
    )
    try:
        container.start()
        registry = BenchRegistry(host=f"127.0.0.1:{port}", address=f"{bench.address}:{port}")
        _wait(registry, container)
        yield registry
    finally:
        container.remove(force=True)
        with contextlib.suppress(NotFound):
            bench.connection.client.volumes.get(name).remove(force=True)


def _wait(registry: BenchRegistry, container: Any) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(RegistryError):
            registry.inventory()
            return
        time.sleep(0.1)
    raise RegistryError(
        "the benchmark's registry does not come up", details=container.logs(tail=15).decode(errors="replace")
    )


def wait_for(process: subprocess.Popen[Any], *, patience: float = 45.0) -> int:
    """Wait for a command; on Ctrl-C give it time to end by itself, and make sure that it has.

    Args:
        process: In our process group, so that Ctrl-C reached it too.
        patience: Seconds.
    """
    try:
        return process.wait()
    except BaseException:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
        process.kill()
        process.wait()
        raise


def command(arguments: Sequence[str], *, cwd: Path, variables: Mapping[str, str], log: Path, what: str) -> float:
    """Run a command with its output in a log.

    Args:
        arguments: The command line.
        cwd: Where.
        variables: Added to the environment.
        log: Appended to.
        what: For the message where it fails.

    Returns:
        Wall-clock seconds.

    Raises:
        EngineError: It failed; with the log's end.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as output:
        output.write(f"$ {' '.join(arguments)}\n")
        output.flush()
        began = time.monotonic()
        process = subprocess.Popen(
            list(arguments),
            cwd=cwd,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        returncode = wait_for(process)
        took = time.monotonic() - began
    if returncode != 0:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
        raise EngineError(f"the benchmark stopped: {what} failed", where=str(log), details="\n".join(lines))
    return took
