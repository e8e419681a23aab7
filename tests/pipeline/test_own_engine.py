"""The project's own engine: started, used, killed and stopped, each time in a folder and a network of its own."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from build.commands import engine as engine_command
from build.engine import find as engine_find
from build.engine.buildx import find_buildx, plugin_folders
from build.engine.connect import command_environment, connect
from build.engine.failures import explain
from build.engine.model import ROOT_VARIABLE, Engine, folders
from build.errors import EngineError
from tests.conftest import wait_until

REPOSITORY = Path(__file__).parents[2]
ABSENT = Path("/nonexistent/docker.sock")


def _missing() -> str | None:
    if os.geteuid() != 0:
        return "starting an engine needs root"
    for program in ("dockerd", "unshare"):
        if shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin") is None:
            return f"{program} is not installed (nox -s engine installs an engine where none answers)"
    try:
        find_buildx()
    except EngineError as error:
        return error.what
    return None


pytestmark = [pytest.mark.engine, pytest.mark.skipif(_missing() is not None, reason=str(_missing()))]


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A folder for an engine, with a path short enough for sockets; afterwards its engine is stopped and removed."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "BUILDX_BUILDER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    place = Path(tempfile.mkdtemp(prefix="own-", dir="/tmp"))
    monkeypatch.setenv(ROOT_VARIABLE, str(place))
    # The machine's default socket must not answer instead.
    monkeypatch.setenv("DOCKER_HOST", folders().host)
    yield place
    monkeypatch.setenv(ROOT_VARIABLE, str(place))
    engine_command.stop(purge=True)
    shutil.rmtree(place)


@pytest.fixture
def own(root: Path) -> Engine:
    """A running engine of the project's own."""
    return engine_command.ensure()


@pytest.fixture
def sleeping(tmp_path: Path) -> Callable[[int], Path]:
    """Makes a build context for an image with only ``sleep``, whose RUN takes a given number of seconds."""

    def make(seconds: int) -> Path:
        context = tmp_path / f"sleep-{seconds}"
        program = Path(str(shutil.which("sleep"))).resolve()
        libraries = re.findall(r"(/\S+) \(0x", subprocess.check_output(["ldd", str(program)], text=True))
        for name in (str(program), *libraries):
            target = context / "root" / name.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(Path(name).resolve(), target)
        (context / "Dockerfile").write_text(
            f'FROM scratch\nCOPY root /\nRUN --network=none ["{program}", "{seconds}"]\nCMD ["{program}", "600"]\n'
        )
        return context

    return make


def bake(running: Engine, context: Path, tag: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*find_buildx().command, "build", "--progress=plain", "--load", "--tag", tag, str(context)],
        env=command_environment(running), capture_output=True, text=True, check=False,
    )  # fmt: skip


def processes(root: Path) -> list[str]:
    """Return the command lines that name the folder: dockerd, containerd, the containers' shims."""
    listed = subprocess.check_output(["ps", "-ww", "-eo", "args"], text=True).splitlines()
    return [line for line in listed if f"{root}/" in line]


def alive(number: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    with contextlib.suppress(FileNotFoundError):
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def interfaces() -> set[str]:
    """Return the machine's network interfaces, without those of containers."""
    return {place.name for place in Path("/sys/class/net").iterdir() if not place.name.startswith("veth")}


def command_line(*arguments: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*prefix, sys.executable, "-m", "build", "engine", *arguments],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip


def pid(root: Path) -> int:
    return int((root / "run" / "dockerd.pid").read_text())


def kill(root: Path) -> None:
    victim = pid(root)
    os.kill(victim, signal.SIGKILL)
    while alive(victim):
        time.sleep(0.02)


def test_an_engine_starts_once_builds_and_stops_completely(
    root: Path, sleeping: Callable[[int], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    before = interfaces()
    running = engine_command.ensure()
    assert f"was started at {running.host} (engine of this project), containerd image store" in capsys.readouterr().out
    first = pid(root)
    again = command_line()
    assert again.returncode == 0, again.stderr
    assert f"answers at {running.host}" in again.stdout
    assert pid(root) == first

    status = command_line("--status")
    assert status.returncode == 0, status.stderr
    assert running.host in status.stdout
    assert "containerd" in status.stdout

    built = bake(running, sleeping(0), "own/sleep:1")
    assert built.returncode == 0, built.stderr
    with contextlib.closing(connect(running).client) as client:
        client.containers.run("own/sleep:1", detach=True, network_mode="none")
        assert len(processes(root)) >= 3  # dockerd, containerd, a shim
    assert interfaces() == before

    stopped = command_line("--stop")
    assert stopped.returncode == 0, stopped.stderr
    assert processes(root) == []
    assert str(root) not in Path("/proc/self/mountinfo").read_text()
    assert (root / "data" / "docker").is_dir()
    assert not (root / "run" / "docker.sock").exists()
    purged = command_line("--stop", "--purge")
    assert purged.returncode == 0, purged.stderr
    assert list(root.iterdir()) == []


def test_a_running_engine_is_found_without_docker_host(own: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST")
    found = engine_find.find(default_socket=ABSENT)
    assert found is not None
    assert (found.host, found.source) == (own.host, "engine of this project")


def test_a_docker_client_without_an_engine_is_reported(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST")
    with pytest.raises(EngineError, match=r"no Docker engine answers here: \S+/docker is a client") as caught:
        engine_find.require(default_socket=ABSENT)
    assert "nox -s engine" in str(caught.value.fix)
    assert f"unix://{ABSENT} (default socket): no such socket" in str(caught.value.details)


def test_a_docker_client_without_buildx_is_reported(own: Engine, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("docker") is None:
        pytest.skip("no docker client is on PATH")
    hide = "; ".join(f"mount -t tmpfs none {folder}" for folder in plugin_folders() if folder.is_dir())
    # For another project folder this engine is someone else's, so nothing is installed for it.
    monkeypatch.setenv(ROOT_VARIABLE, str(root / "other"))
    # In a mount namespace of its own, so that only this command misses the plugin.
    done = command_line(prefix=("unshare", "--mount", "sh", "-ec", f'{hide}; exec "$@"', "sh"))
    assert done.returncode == EngineError.exit_code
    assert re.search(r"error: buildx is missing: the Docker client \S+/docker has no such plugin", done.stderr)
    assert "docker-buildx" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_engine_killed_during_a_build_is_reported_and_starts_again(
    own: Engine, root: Path, sleeping: Callable[[int], Path]
) -> None:
    assert bake(own, sleeping(0), "own/sleep:1").returncode == 0
    with contextlib.closing(connect(own).client) as client:
        client.containers.run("own/sleep:1", detach=True, network_mode="none", name="left")
        threading.Timer(2, kill, [root]).start()
        broken = bake(own, sleeping(60), "own/sleep:2")
        assert broken.returncode != 0
        with pytest.raises(Exception) as caught:
            client.ping()
    for failure in (broken.stderr, caught.value):
        explained = explain(failure, own)
        assert explained is not None, failure
        assert explained.what == f"the engine at {own.host} stopped answering"
        assert "nox -s engine" in str(explained.fix)
        assert explained.details
    with pytest.raises(EngineError, match="no Docker engine answers here"):
        engine_find.require()

    again = engine_command.ensure()
    with contextlib.closing(connect(again).client) as client:
        assert client.images.get("own/sleep:1")
        assert client.containers.list() == []


def test_stop_ends_the_containers_of_a_killed_engine(own: Engine, root: Path, sleeping: Callable[[int], Path]) -> None:
    assert bake(own, sleeping(0), "own/sleep:1").returncode == 0
    with contextlib.closing(connect(own).client) as client:
        client.containers.run("own/sleep:1", detach=True, network_mode="none")
        inside = int(client.containers.list()[0].attrs["State"]["Pid"])
    kill(root)
    assert alive(inside)
    engine_command.stop()
    assert processes(root) == []
    assert not alive(inside)
    assert str(root) not in Path("/proc/self/mountinfo").read_text()


def test_an_engine_of_another_project_is_not_stopped(own: Engine, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ROOT_VARIABLE, str(root / "other"))
    done = command_line("--stop")
    assert done.returncode == EngineError.exit_code
    assert "this project's engine is not running; the engine that answers" in done.stderr
    assert own.host in done.stderr
    found = engine_find.find()
    assert found is not None
    assert found.source == "DOCKER_HOST"


def test_an_engine_that_fails_to_start_shows_why_and_leaves_no_process(root: Path) -> None:
    (root / "data").mkdir()
    (root / "data" / "docker").write_text("not a folder")
    with pytest.raises(EngineError, match="the engine failed to start, with exit code 1") as caught:
        engine_command.ensure()
    assert "data/docker" in str(caught.value.details)
    assert caught.value.where == str(root / "data" / "dockerd.log")
    assert processes(root) == []
    (root / "data" / "docker").unlink()


def test_an_engine_that_hangs_is_reported_with_the_command_that_stops_it(
    own: Engine, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_find, "_PROBE_TIMEOUT", 1)
    os.kill(pid(root), signal.SIGSTOP)
    try:
        with pytest.raises(EngineError, match=r"engine \(process \d+\) is running but does not answer") as caught:
            engine_command.ensure()
        assert "nox -s engine -- --stop" in str(caught.value.fix)
    finally:
        os.kill(pid(root), signal.SIGCONT)


def test_a_full_disk_is_reported_with_the_folder_and_a_command_that_frees_space(root: Path, tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100m", "none", str(root)], check=True)
    try:
        running = engine_command.ensure()
        with (tmp_path / "big").open("wb") as file:
            for _ in range(120):
                file.write(os.urandom(1_000_000))
        (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY big /big\n")
        built = bake(running, tmp_path, "own/big:1")
        assert built.returncode != 0
        explained = explain(built.stderr, running)
        assert explained is not None
        assert explained.what == "the disk with the engine's data folder is full"
        assert re.fullmatch(rf"{root}/data/docker \(.* free\)", str(explained.where))
        assert "docker buildx prune" in str(explained.fix)
    finally:
        engine_command.stop(purge=True)
        # The kernel frees what was detached while it was in use a moment later.
        wait_until(lambda: subprocess.run(["umount", str(root)], check=False).returncode == 0)


def test_a_second_engine_in_one_network_is_refused(root: Path) -> None:
    """Two dockerd processes in one network namespace remove each other's bridge and firewall rules."""
    script = f"""
from pathlib import Path
from build.engine import daemon as engine_own
from build.engine.model import Folders
from build.errors import EngineError
from tests.conftest import wait_until
root = Path({str(root)!r})
engine_own.start(Folders(data=root / "data", run=root / "run"))
try:
    engine_own.start(Folders(data=root / "b" / "data", run=root / "b" / "run"))
except EngineError as error:
    print(error.what, "|", error.fix, "|", (root / "b").exists())
"""
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    what, fix, half_done = done.stdout.strip().split(" | ")
    assert re.fullmatch(r"a Docker engine is already running here \(process \d+\), but its address is unknown", what)
    assert f"export DOCKER_HOST=unix://{root}/run/docker.sock" in fix
    assert half_done == "False"
