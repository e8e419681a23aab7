"""Start and stop this project's own engine, where no other answers.  Nobody else's engine is touched."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from filelock import FileLock

from build.engine import find as engine_find
from build.engine.failures import log_tail
from build.engine.install import PATH
from build.engine.model import ROOT_VARIABLE, START, Folders
from build.engine.own_processes import NAMESPACE, mounts, own_process, own_processes, running
from build.errors import EngineError
from build.paths import write_atomically
from build.system import processes

#: Seconds that dockerd has to answer after its start, and to end after SIGTERM (its containers have 15).
_START_DEADLINE = 60
_STOP_DEADLINE = 40
_TERM_DEADLINE = 5
#: Bytes that the engine's build cache may keep; and at most this share of what the disk has free.
_CACHE_BYTES = 30_000_000_000
_CACHE_SHARE = 0.5
#: The longest name that dockerd gives a socket below its run folder, and the length that Linux allows
#: (``sun_path`` of unix(7), its closing NUL included).
_LONGEST_SOCKET = "exec/containerd/containerd-debug.sock"
_SOCKET_LENGTH = 108


def configuration(folders: Folders, *, free_bytes: int) -> dict[str, object]:
    """Return the own engine's ``daemon.json``.

    Args:
        folders: The own engine's.
        free_bytes: Bytes free on the disk with its data.
    """
    keep = int(min(_CACHE_BYTES, free_bytes * _CACHE_SHARE))
    return {
        "data-root": str(folders.images),
        "exec-root": str(folders.exec_root),
        "pidfile": str(folders.pidfile),
        "hosts": [folders.host],
        # zstd layers and pushes that compress nothing need containerd's image store.
        "features": {"containerd-snapshotter": True},
        "builder": {"gc": {"enabled": True, "defaultKeepStorage": f"{keep // 1_000_000}MB"}},
        # The system's containerd, where one runs, is shared with others: in it we use a namespace of our own.
        "containerd-namespace": NAMESPACE,
    }


def start(folders: Folders) -> None:
    """Start the own engine and wait until it answers; do nothing where it answers already.

    Args:
        folders: The own engine's.

    Raises:
        EngineError: It does not start; with the lines of its log that say why.
    """
    _check_folders(folders)
    if not folders.next_to_another and own_process(folders) is None:
        _refuse_second()
    with _locked(folders):
        folders.data.mkdir(parents=True, exist_ok=True, mode=0o711)
        pid = own_process(folders)
        if pid is not None and not engine_find.answers(folders.host):
            raise EngineError(
                f"this project's engine (process {pid}) is running but does not answer",
                where=str(folders.log),
                fix=f"{START} -- --stop, then {START}",
                details=log_tail(folders.log),
            )
        if pid is None:
            # An engine that was killed leaves containers that still run, mounts, a stale process id.
            _end_all(folders)
            _clear(folders)
            _launch(folders)


def _check_folders(folders: Folders) -> None:
    longest = len(os.fsencode(folders.run / _LONGEST_SOCKET)) + 1
    if longest > _SOCKET_LENGTH:
        raise EngineError(
            f"the path of the engine's folder is {longest - _SOCKET_LENGTH} bytes too long for its sockets",
            where=str(folders.run),
            fix=f"give {ROOT_VARIABLE} a shorter path",
        )


def _launch(folders: Folders) -> None:
    free = shutil.disk_usage(folders.data).free
    write_atomically(folders.config, json.dumps(configuration(folders, free_bytes=free), indent=2) + "\n")
    with contextlib.suppress(FileNotFoundError):
        folders.log.replace(folders.log.with_suffix(".log.1"))
    dockerd = shutil.which("dockerd", path=PATH)
    if dockerd is None:
        raise EngineError("dockerd is missing", fix="install the package docker.io, then run this command again")
    command = [dockerd, "--config-file", str(folders.config)]
    if folders.next_to_another:
        # A second dockerd in one network namespace removes the first one's docker0 and firewall chains, even when
        # it is configured to use none.  In a namespace of its own it has its own, and reaches nothing outside.
        command = ["unshare", "--net", *command]
    # The caller's variables about engines and service managers do not concern this engine.
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("DOCKER_", "BUILDX_", "NOTIFY_"))}
    with folders.log.open("wb") as log:
        process = processes.start(command, cwd=Path("/"), environment=clean | {"PATH": PATH}, stdout=log, stderr=log)
    try:
        _await_answer(folders, process)
    except BaseException:
        # After Ctrl-C too: an engine that nobody waited for is not left half started.
        if process.poll() is None:
            processes.end([psutil.Process(process.pid)], patience=_STOP_DEADLINE)
        process.wait()
        _end_all(folders)
        _clear(folders)
        raise


def _await_answer(folders: Folders, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + _START_DEADLINE
    while time.monotonic() < deadline:
        if engine_find.answers(folders.host):
            return
        if process.poll() is not None:
            raise EngineError(
                f"the engine failed to start, with exit code {process.returncode}",
                where=str(folders.log),
                fix="fix what its log reports, then run this command again",
                details=log_tail(folders.log),
            )
        time.sleep(0.1)
    raise EngineError(
        f"the engine does not answer {_START_DEADLINE} s after its start",
        where=str(folders.log),
        fix="fix what its log reports, then run this command again",
        details=log_tail(folders.log),
    )


def _refuse_second() -> None:
    """Raise where another dockerd has this network's bridge and firewall chains: ours would remove them."""
    for process in running():
        if process.name == "dockerd" and process.shares_network:
            sockets = process.docker_sockets()
            hint = f"export DOCKER_HOST=unix://{sockets[0]}" if sockets else "set DOCKER_HOST to its address"
            raise EngineError(
                f"a Docker engine is already running here (process {process.pid}), but its address is unknown",
                where=sockets[0] if sockets else " ".join(process.command),
                fix=f"use it: {hint}; or stop it and run this command again",
            )


def stop(folders: Folders, *, purge: bool = False) -> None:
    """Stop the own engine and its containers, and unmount what it mounted.  Its data stays unless purged.

    Args:
        folders: The own engine's.
        purge: Delete its images, cache and log too.

    Raises:
        EngineError: Something of it stays mounted.
    """
    with _locked(folders):
        _end_all(folders)
        _clear(folders)
        if purge:
            _purge(folders)


def _end_all(folders: Folders) -> None:
    """End the own engine: dockerd first, which stops its containers and containerd; then what it left."""
    daemon = own_process(folders)
    if daemon is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            processes.end([psutil.Process(daemon)], patience=_STOP_DEADLINE)
    processes.end([each.process for each in own_processes(folders)], patience=_TERM_DEADLINE)


def _clear(folders: Folders) -> None:
    """Remove what an engine leaves that has ended: mounts, sockets, process ids, containers' state."""
    for mount in reversed(mounts(folders)):
        # A busy mount is only detached; the kernel frees it when its last user ends.
        if processes.run(["umount", mount]).returncode != 0:
            processes.run(["umount", "--lazy", mount])
    left = mounts(folders)
    if left:
        raise EngineError(
            "a file system of the engine is still mounted",
            where=left[-1],
            fix=f"umount --recursive {left[0]}, then run this command again",
        )
    folders.socket.unlink(missing_ok=True)
    folders.pidfile.unlink(missing_ok=True)
    shutil.rmtree(folders.exec_root, ignore_errors=True)


def _purge(folders: Folders) -> None:
    """Delete by name what the own engine made: its folders may hold other people's files."""
    shutil.rmtree(folders.images, ignore_errors=True)
    for file in (folders.config, folders.log, folders.log.with_suffix(".log.1"), _lock(folders)):
        file.unlink(missing_ok=True)
    for folder in (folders.data, folders.run):
        with contextlib.suppress(OSError):
            folder.rmdir()


@contextlib.contextmanager
def _locked(folders: Folders) -> Iterator[None]:
    """Hold the lock of the own engine; again where another command, which held it, has just deleted its folder."""
    lock = FileLock(_lock(folders))
    while not lock.is_locked:
        folders.run.mkdir(parents=True, exist_ok=True, mode=0o711)
        with contextlib.suppress(FileNotFoundError):
            lock.acquire()
            if not _lock(folders).exists():
                lock.release()
    with lock:
        yield


def _lock(folders: Folders) -> Path:
    return folders.run / "engine.lock"
