"""The own engine, where no other answers: started, shown, stopped.  No engine of someone else's is touched.

The three commands of ``nox -s engine`` are ``ensure``, ``status`` and ``stop``.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import requests
from docker.errors import DockerException
from filelock import FileLock

from build.engine import find as engine_find
from build.engine.failures import explain, log_tail
from build.engine.find import Engine, Folders
from build.engine.install import PATH, install, this_machine
from build.errors import EngineError
from build.paths import write_atomically
from build.system import console

#: Seconds that dockerd has to answer after its start, and to end after SIGTERM (its containers have 15).
_START_DEADLINE = 60
_STOP_DEADLINE = 40
_TERM_DEADLINE = 5
#: What the engine's build cache may keep, bytes; and at most this share of what the disk has free.
_CACHE_BYTES = 30_000_000_000
_CACHE_SHARE = 0.5
#: The longest name that dockerd gives a socket below its run folder, and the length that Linux allows
#: (``sun_path`` of unix(7), its closing NUL included).
_LONGEST_SOCKET = "exec/containerd/containerd-debug.sock"
_SOCKET_LENGTH = 108

# ---- the commands ----------------------------------------------------------------------------------------


def ensure() -> Engine:
    """Have an engine that answers and will do: the one that is here, else one of our own.

    Prints which it is.

    Raises:
        EngineError: It cannot be had; with what to install.
        NetworkError: The distribution's archive is out of reach.
    """
    answering = engine_find.find()
    if answering is None or answering.own:
        install(this_machine())
    if answering is None:
        if os.geteuid() != 0:
            raise EngineError(
                "no Docker engine answers here, and only root can start one",
                fix="run this command as root, or start Docker",
            )
        console.step("starting an engine")
        start(engine_find.folders())
    engine = engine_find.require()
    # Someone else's engine without buildx: what to install is for its owner to decide.
    version = engine_find.buildx()[1]
    did = "answers" if answering is not None else "was started"
    console.out.print(
        f"Docker {engine.version} {did} at {engine.host} ({engine.source}), "
        f"{engine.image_store} image store, buildx {version}",
        soft_wrap=True,
    )
    return engine


def status() -> Engine:
    """Print which engine answers, and with what.

    Raises:
        EngineError: None answers, or one that will not do.
    """
    engine = engine_find.require()
    try:
        command, version = engine_find.buildx()
        buildx = f"{version} ({' '.join(command)})"
    except EngineError as error:
        buildx = f"none: {error.what}"
    try:
        with contextlib.closing(engine_find.client(engine)) as connection:
            usage = connection.df()
    except (DockerException, requests.RequestException) as error:
        raise explain(error, engine) or EngineError(
            "the engine does not say what it holds", where=engine.host, details=str(error)
        ) from error
    cache = sum(int(entry.get("Size") or 0) for entry in usage.get("BuildCache") or ())
    free = engine_find.free_bytes(engine)
    rows = [
        (
            "engine",
            f"Docker {engine.version}, API {engine.api_version}{', rootless' if engine.rootless else ''}",
        ),
        ("address", engine.host),
        ("found by", engine.source),
        ("image store", engine.image_store),
        ("buildx", buildx),
        ("data folder", engine.data_root),
        ("images", console.size(int(usage.get("LayersSize") or 0))),
        ("build cache", console.size(cache)),
        ("disk free", "not on this machine" if free is None else console.size(free)),
    ]
    console.table(("", ""), rows)
    return engine


def stop(purge: bool = False) -> bool:
    """Stop the own engine and its containers; its data stays unless purged.  No other engine is ever stopped.

    Prints what it did.

    Args:
        purge: Delete its images, cache and log too.

    Returns:
        Whether anything of it ran.

    Raises:
        EngineError: Not root; or none of ours runs and the engine that answers is someone else's.
    """
    folders = engine_find.folders()
    ran = bool(_own_processes(folders))
    if not ran and not purge:
        _refuse_foreign()
    here = folders.data.exists() or folders.run.exists()
    if here:
        if os.geteuid() != 0:
            raise EngineError("only root can stop this project's engine", fix="run this command as root")
        folders.run.mkdir(parents=True, exist_ok=True, mode=0o711)
        with FileLock(_lock(folders)):
            _end_all(folders)
            _clear(folders)
            if purge:
                _purge(folders)
    said = "the engine of this project was stopped" if ran else "the engine of this project does not run"
    data = f"its data stays in {folders.data}"
    if not here:
        data = "it has no data"
    elif purge:
        data = "its data is deleted"
    console.out.print(f"{said}; {data}", soft_wrap=True)
    return ran


def _refuse_foreign() -> None:
    other = None
    with contextlib.suppress(EngineError):
        other = engine_find.find()
    if other is not None:
        raise EngineError(
            f"this project's engine does not run; the one that answers (Docker {other.version}) is another",
            where=f"{other.host} ({other.source})",
            fix="stop that one where it was started",
        )


# ---- starting --------------------------------------------------------------------------------------------


def configuration(folders: Folders, *, free_bytes: int) -> dict[str, object]:
    """The own engine's ``daemon.json``.

    Args:
        folders: Where it keeps its things.
        free_bytes: Free where its data lies.
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
        # A containerd of the system's, where one runs, is shared with others: a namespace of our own in it.
        "containerd-namespace": "inference-images",
    }


def start(folders: Folders) -> None:
    """Start the own engine and wait until it answers; nothing is done where it does already.

    Args:
        folders: ``build.engine.find.folders()``.

    Raises:
        EngineError: It does not start; with the lines of its log that matter.
    """
    _check_folders(folders)
    if not folders.beside and own_process(folders) is None:
        _refuse_second()
    folders.data.mkdir(parents=True, exist_ok=True, mode=0o711)
    folders.run.mkdir(parents=True, exist_ok=True, mode=0o711)
    with FileLock(_lock(folders)):
        running = own_process(folders)
        if running is not None and not engine_find.answers(folders.host):
            raise EngineError(
                f"this project's engine (process {running}) runs and does not answer",
                where=str(folders.log),
                fix="nox -s engine -- --stop, then nox -s engine",
                details=log_tail(folders.log),
            )
        if running is None:
            # One that was killed leaves containers that run on, mounts, a stale process id.
            _end_all(folders)
            _clear(folders)
            _launch(folders)


def _check_folders(folders: Folders) -> None:
    longest = len(os.fsencode(folders.run / _LONGEST_SOCKET)) + 1
    if longest > _SOCKET_LENGTH:
        raise EngineError(
            f"the engine's folder has too long a name for sockets, by {longest - _SOCKET_LENGTH} bytes",
            where=str(folders.run),
            fix=f"give {engine_find.ROOT_VARIABLE} a shorter path",
        )


def _launch(folders: Folders) -> None:
    free = shutil.disk_usage(folders.data).free
    write_atomically(folders.config, json.dumps(configuration(folders, free_bytes=free), indent=2) + "\n")
    with contextlib.suppress(FileNotFoundError):
        folders.log.replace(folders.log.with_suffix(".log.1"))
    dockerd = shutil.which("dockerd", path=PATH)
    if dockerd is None:
        raise EngineError("dockerd is missing", fix="install the package docker.io, and run it again")
    command = [dockerd, "--config-file", str(folders.config)]
    if folders.beside:
        # A second dockerd in one network takes the first one's docker0 and firewall chains away, even when
        # it is told to use none.  In a network of its own it has its own; nothing outside is reached from it.
        command = ["unshare", "--net", *command]
    # What the caller's session says about engines and service managers is not for this one.
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("DOCKER_", "BUILDX_", "NOTIFY_"))}
    with folders.log.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd="/",
            env=clean | {"PATH": PATH},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _await_answer(folders, process)
    except BaseException:
        # Ctrl-C too: an engine that nobody waited for is not left half started.
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_DEADLINE)
        process.kill()
        process.wait()
        _end_all(folders)
        _clear(folders)
        raise


def _await_answer(folders: Folders, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_DEADLINE
    while time.monotonic() < deadline:
        if engine_find.answers(folders.host):
            return
        if process.poll() is not None:
            raise EngineError(
                f"the engine ended as it started, with exit code {process.returncode}",
                where=str(folders.log),
                fix="mend what its log says and run it again",
                details=log_tail(folders.log),
            )
        time.sleep(0.1)
    raise EngineError(
        f"the engine does not answer {_START_DEADLINE} s after its start",
        where=str(folders.log),
        fix="look into its log, mend what it says and run it again",
        details=log_tail(folders.log),
    )


def _refuse_second() -> None:
    """Raise where another dockerd has this network's bridge and firewall chains: ours would take them."""
    for process in _processes():
        if process.name == "dockerd" and process.shares_network:
            sockets = process.docker_sockets()
            hint = f"export DOCKER_HOST=unix://{sockets[0]}" if sockets else "set DOCKER_HOST to its address"
            raise EngineError(
                f"a Docker engine runs here already (process {process.pid}), and nothing names its address",
                where=sockets[0] if sockets else " ".join(process.command),
                fix=f"use it: {hint}; or stop it and run this again",
            )


# ---- stopping --------------------------------------------------------------------------------------------


def own_process(folders: Folders) -> int | None:
    """The process id of the own dockerd, None where it does not run."""
    return next((process.pid for process in _own_processes(folders) if process.name == "dockerd"), None)


@dataclass(frozen=True, kw_only=True)
class _Process:
    pid: int
    parent: int
    command: tuple[str, ...]

    @property
    def name(self) -> str:
        return Path(self.command[0]).name

    def option(self, name: str) -> str | None:
        """The word after ``name`` in the command line."""
        words = iter(self.command)
        return next((next(words, None) for word in words if word == name), None)

    @property
    def shares_network(self) -> bool:
        """It is in our network namespace: not an engine inside a container."""
        with contextlib.suppress(OSError):
            return os.path.samestat(Path(f"/proc/{self.pid}/ns/net").stat(), Path("/proc/self/ns/net").stat())
        return False

    def docker_sockets(self) -> list[str]:
        """The ``*docker.sock`` that it listens on (proc(5), ``/proc/net/unix``: inode and path come last)."""
        inodes = set()
        with contextlib.suppress(OSError):
            for handle in Path(f"/proc/{self.pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    inodes.add(str(handle.readlink()).removeprefix("socket:[").removesuffix("]"))
        rows = [line.split() for line in Path("/proc/net/unix").read_text(encoding="utf-8").splitlines()]
        return sorted({row[7] for row in rows if len(row) == 8 and row[6] in inodes and row[7].endswith("docker.sock")})


def _processes() -> Iterator[_Process]:
    """Every process that can be seen and still has a command line (a zombie has none)."""
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            words = (place / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
            # The name, in brackets, may hold anything: the fields count from its end.
            state = (place / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if words and words[0] and state[0] != "Z":
                yield _Process(pid=int(place.name), parent=int(state[1]), command=tuple(words))


def _own_processes(folders: Folders) -> tuple[_Process, ...]:
    """The own dockerd, its containers, their shims, its containerd: the order in which to end them."""
    everything = tuple(_processes())
    containerd = folders.exec_root / "containerd"

    def is_shim(process: _Process) -> bool:
        address = process.option("-address")
        shared = address == "/run/containerd/containerd.sock" and not folders.beside
        ours = process.option("-namespace") == "inference-images"
        return process.name.startswith("containerd-shim") and (
            address == str(containerd / "containerd.sock") or (shared and ours)
        )

    def runs(name: str, word: Path) -> list[_Process]:
        return [process for process in everything if process.name == name and str(word) in process.command]

    shims = [process for process in everything if is_shim(process)]
    held = [process for process in everything if process.parent in {shim.pid for shim in shims}]
    return (
        *runs("dockerd", folders.config),
        *held,
        *shims,
        *runs("containerd", containerd / "containerd.toml"),
    )


def _end_all(folders: Folders) -> None:
    """End the own engine: dockerd first, which stops its containers and containerd; then what it left."""
    daemon = own_process(folders)
    if daemon is not None:
        _end((daemon,), deadline=_STOP_DEADLINE)
    left = _own_processes(folders)
    _end([process.pid for process in left], deadline=_TERM_DEADLINE)


def _end(pids: Sequence[int], *, deadline: float) -> None:
    """SIGTERM, and SIGKILL for what is still there after ``deadline`` seconds."""
    for number, seconds in ((signal.SIGTERM, deadline), (signal.SIGKILL, _TERM_DEADLINE)):
        alive = {process.pid for process in _processes()} & set(pids)
        for pid in alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        until = time.monotonic() + seconds
        while alive and time.monotonic() < until:
            time.sleep(0.05)
            alive &= {process.pid for process in _processes()}


def _clear(folders: Folders) -> None:
    """Take away what an engine that ended leaves: mounts, sockets, process ids, containers' state."""
    for place in reversed(_mounts(folders)):
        # A mount that is busy is taken out of sight; the kernel frees it with its last user.
        if subprocess.run(["umount", place], capture_output=True, check=False).returncode != 0:
            subprocess.run(["umount", "--lazy", place], capture_output=True, check=False)
    left = _mounts(folders)
    if left:
        raise EngineError(
            "something of the engine is still mounted",
            where=left[-1],
            fix=f"umount --recursive {left[0]}, then run it again",
        )
    folders.socket.unlink(missing_ok=True)
    folders.pidfile.unlink(missing_ok=True)
    shutil.rmtree(folders.exec_root, ignore_errors=True)


def _mounts(folders: Folders) -> list[str]:
    """Mount points below the own engine's folders, in the order of mounting (proc(5), ``mountinfo``)."""
    below = tuple(f"{place}/" for place in (folders.images.parent, folders.exec_root))
    found = []
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        place = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), line.split()[4])
        if place.startswith(below):
            found.append(place)
    return found


def _purge(folders: Folders) -> None:
    """Delete what the own engine made, by name: its folders may hold what someone else put there."""
    shutil.rmtree(folders.images, ignore_errors=True)
    for place in (folders.config, folders.log, folders.log.with_suffix(".log.1"), _lock(folders)):
        place.unlink(missing_ok=True)
    for place in (folders.data, folders.run):
        with contextlib.suppress(OSError):
            place.rmdir()


def _lock(folders: Folders) -> Path:
    return folders.run / "engine.lock"
