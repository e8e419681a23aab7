"""The phase ``serving``: our server and the bare one in the same image, under the load of ``wrk``.

The bare server is Microsoft's package as its own command starts it, without our start-up code.  Effects: containers in
the engine, which are removed at the end.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import tarfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.errors import NotFound
from docker.models.containers import Container
from docker.types import LogConfig

from bench import wrk
from bench.serving_points import Point, by_server
from bench.serving_report import Result, Round, Run, sentence
from build.errors import EngineError, PipelineError
from build.system import console

#: The folder of the score scripts and of wrk's script, from the root of the checkout.
SCRIPTS = Path("bench") / "serving-scripts"
_APP_ROOT = "/var/azureml-app"
#: Where the images have the start files that ``--start-files`` replaces.
_START_FILES = "/usr/local/lib/inference-server/server_start"
_PORT = 5001
_BARE = ("azmlinfsrv", "--entry_script", f"{_APP_ROOT}/score.py", "--port", str(_PORT))
_SERVERS = ("ours", "bare", "again")
_LABEL = "inference-images.bench-serving"
_REQUEST, _ANSWER = b'{"data": [[10.0], [20.0]]}', b"1"

#: Seconds: of the load before a point is measured, without figures; between two tries to reach a new server; until it
#: must answer; after each run, in addition to what its last requests take.
_WARM_UP = 1.0
_INTERVAL = 0.05
_PATIENCE = 120.0
_PAUSE = 0.2


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is measured, and how."""

    client: docker.DockerClient
    #: The reference of the image.
    image: str
    #: ``SCRIPTS`` of the checkout.
    scripts: Path
    #: The path of wrk.
    program: str
    #: Rounds of each point.
    pairs: int
    #: Of each run.
    seconds: float
    #: CPU time per request, at most, as a share of the bare server's.
    cpu_limit: float
    #: A folder that takes the place of the image's ``server_start``.
    start_files: Path | None = None


def measure(setting: Setting, points: Sequence[Point]) -> tuple[Result, ...]:
    """Measure points; no run is left out, and no container stays.

    Args:
        setting: Nothing else should run on its engine's machine.
        points: From ``serving_points.choose``.

    Returns:
        A result for each point, in the order in which they were measured.

    Raises:
        PipelineError: A server does not start, answers wrongly, or answers nothing under load.
    """
    results = []
    for group in by_server(points):
        with _servers(setting, group[0]) as servers:
            for point in group:
                results.append(_measure_point(setting, servers, point))
                console.info(sentence(results[-1]))
    return tuple(results)


@dataclass(frozen=True, kw_only=True)
class _Server:
    container: Container
    #: ``http://172.17.0.5:5001/score``
    url: str

    def cpu(self) -> float:
        """Seconds of all processors that the container has taken."""
        stats: Any = self.container.stats(stream=False, one_shot=True)
        return int(stats["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9


def _measure_point(setting: Setting, servers: dict[str, _Server], point: Point) -> Result:
    for server in servers.values():
        _load(setting, server, point, _WARM_UP)
    rounds = []
    for number in range(setting.pairs):
        # The two servers of each pair are neighbours in time, and each of them is the first one equally often.
        order = _SERVERS if number % 2 == 0 else _SERVERS[::-1]
        runs = {name: _load(setting, servers[name], point, setting.seconds) for name in order}
        rounds.append(Round(**runs))
    result = Result(point=point, rounds=tuple(rounds), cpu_limit=setting.cpu_limit)
    for name in ("bare", "again"):
        if failed := sum(sum(getattr(one, name).load.errors.values()) for one in rounds):
            console.warn(f"{point.name}: {failed} requests to the bare server failed")
    return result


def _load(setting: Setting, server: _Server, point: Point, seconds: float) -> Run:
    before = server.cpu()
    load = wrk.run(
        setting.program, server.url, setting.scripts, clients=point.clients, kept=point.kept, seconds=seconds
    )
    # At once: what the server still does for the last requests is in no figure, as their answers are not.
    used = server.cpu() - before
    time.sleep(point.backlog + _PAUSE)
    return Run(load=load, cpu=used / load.answered)


@contextlib.contextmanager
def _servers(setting: Setting, point: Point) -> Iterator[dict[str, _Server]]:
    """Start a container of each of ``_SERVERS``, and remove them at the end."""
    names = {name: f"bench-serving-{name}-{os.getpid()}" for name in _SERVERS}
    try:
        containers = {name: _start(setting, point, name, names[name]) for name in _SERVERS}
        yield {name: _answering(container, name) for name, container in containers.items()}
    finally:
        for name in names.values():
            with contextlib.suppress(NotFound):
                setting.client.api.remove_container(name, force=True, v=True)


def _start(setting: Setting, point: Point, server: str, name: str) -> Container:
    volumes = {}
    if setting.start_files and server == "ours":
        volumes = {str(setting.start_files.resolve()): {"bind": _START_FILES, "mode": "ro"}}
    container = setting.client.containers.create(
        setting.image,
        command=None if server == "ours" else list(_BARE),
        name=name,
        labels={_LABEL: str(os.getpid())},
        environment={"AZUREML_ENTRY_SCRIPT": "score.py", "WORKER_COUNT": str(point.workers)},
        ports={f"{_PORT}/tcp": ("127.0.0.1", 0)},
        volumes=volumes,
        # The server writes a line for each request: this driver takes less of the engine's time than the default one.
        log_config=LogConfig(type="local"),
    )
    script = (setting.scripts / f"{point.script}.py").read_bytes()
    container.put_archive(_APP_ROOT, _archive("score.py", script))
    container.start()
    return container


def _archive(name: str, content: bytes) -> bytes:
    """Return a tar archive with one file that everybody can read."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(content), 0o644
        tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _answering(container: Container, server: str) -> _Server:
    """Wait until a server answers a request.

    Raises:
        PipelineError: It does not, or wrongly; with the end of its log.
        EngineError: It runs, and no address of it can be reached from here.
    """
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        container.reload()
        # Twice: all servers must be reached at their first address, also one that became ready while it was asked.
        if _first_answer(container) and (found := _first_answer(container)):
            host, port, status, body = found
            if (status, body) == (200, _ANSWER):
                return _Server(container=container, url=f"http://{host}:{port}/score")
            raise PipelineError(
                f"the server '{server}' of the benchmark answers {status} {body[:200]!r}", details=_log(container)
            )
        if container.status not in ("created", "running"):
            raise PipelineError(f"the server '{server}' of the benchmark ended", details=_log(container))
        time.sleep(_INTERVAL)
    raise EngineError(
        f"the server '{server}' of the benchmark did not answer in {_PATIENCE:.0f} s",
        fix="run the benchmark on the engine's machine",
        details=_log(container),
    )


def _addresses(container: Container) -> list[tuple[str, int]]:
    """Return where a container may answer: its own address, which needs no proxy, then its published port."""
    network = container.attrs["NetworkSettings"]
    own = [(one["IPAddress"], _PORT) for one in network["Networks"].values() if one.get("IPAddress")]
    published = [
        (binding["HostIp"], int(binding["HostPort"]))
        for bindings in (network.get("Ports") or {}).values()
        for binding in bindings or ()
    ]
    return [*own, *published]


def _first_answer(container: Container) -> tuple[str, int, int, bytes] | None:
    """Ask a container for a score: the address that answered, status and body; None if no address answers."""
    for host, port in _addresses(container):
        connection = http.client.HTTPConnection(host, port, timeout=2.0)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("POST", "/score", body=_REQUEST, headers={"Content-Type": "application/json"})
            answer = connection.getresponse()
            return host, port, answer.status, answer.read()
    return None


def _log(container: Container) -> str:
    with contextlib.suppress(NotFound):
        return container.logs(tail=20).decode(errors="replace")
    return ""
