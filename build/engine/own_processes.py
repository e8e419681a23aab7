"""The processes and mounts of this project's own engine, and other engines on this machine.  Changes nothing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from build.engine.model import Folders
from build.system import processes

#: The own engine's namespace in a containerd that it may share with others.
NAMESPACE = "inference-images"


@dataclass(frozen=True, kw_only=True)
class EngineProcess:
    """A running process with its command line."""

    process: psutil.Process
    parent: int
    command: tuple[str, ...]

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def name(self) -> str:
        return Path(self.command[0]).name

    def option(self, name: str) -> str | None:
        """Return the word after ``name`` in the command line."""
        words = iter(self.command)
        return next((next(words, None) for word in words if word == name), None)

    @property
    def shares_network(self) -> bool:
        """It is in our network namespace, and not an engine in a container."""
        with contextlib.suppress(OSError):
            return os.path.samestat(Path(f"/proc/{self.pid}/ns/net").stat(), Path("/proc/self/ns/net").stat())
        return False

    def docker_sockets(self) -> list[str]:
        """Return the paths of the ``*docker.sock`` that it listens on."""
        with contextlib.suppress(psutil.Error):
            paths = {str(each.laddr) for each in self.process.net_connections(kind="unix")}
            return sorted(path for path in paths if path.endswith("docker.sock"))
        return []


def running() -> Iterator[EngineProcess]:
    """Yield every visible process that has a command line (kernel threads and zombies have none)."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            command = tuple(process.cmdline())
            if command and command[0] and processes.is_alive(process):
                yield EngineProcess(process=process, parent=process.ppid(), command=command)


def own_process(folders: Folders) -> int | None:
    """Return the process id of the own dockerd, or None where it does not run."""
    return next((process.pid for process in own_processes(folders) if process.name == "dockerd"), None)


def own_processes(folders: Folders) -> tuple[EngineProcess, ...]:
    """Return the own dockerd, its containers, their shims and its containerd: the order in which to end them."""
    everything = tuple(running())
    containerd = folders.exec_root / "containerd"

    def is_shim(process: EngineProcess) -> bool:
        address = process.option("-address")
        shared = address == "/run/containerd/containerd.sock" and not folders.next_to_another
        in_namespace = process.option("-namespace") == NAMESPACE
        return process.name.startswith("containerd-shim") and (
            address == str(containerd / "containerd.sock") or (shared and in_namespace)
        )

    def runs(name: str, word: Path) -> list[EngineProcess]:
        return [process for process in everything if process.name == name and str(word) in process.command]

    shims = [process for process in everything if is_shim(process)]
    shim_ids = {shim.pid for shim in shims}
    containers = [process for process in everything if process.parent in shim_ids]
    return (
        *runs("dockerd", folders.config),
        *containers,
        *shims,
        *runs("containerd", containerd / "containerd.toml"),
    )


def mounts(folders: Folders) -> Sequence[str]:
    """Return the mount points below the own engine's folders, in the order of mounting."""
    below = tuple(f"{folder}/" for folder in (folders.images.parent, folders.exec_root))
    return [mount.mountpoint for mount in psutil.disk_partitions(all=True) if mount.mountpoint.startswith(below)]
