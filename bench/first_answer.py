"""Time to the first scored answer, and memory at idle: our image, the plain image and the bare server, in turn.

The clock runs from the start of ``docker run -d`` to the first answer 200 of ``POST /score``.  Figures and targets
are in ``bench.first_answer_report``.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.errors import NotFound

from bench.first_answer_report import BARE, OURS, PLAIN, FirstAnswer, Start, memory_used, rotated
from build.errors import EngineError, PipelineError
from build.system import console, processes

#: The framework whose model is served.
FRAMEWORK = "sklearn"
SCRIPT = Path("bench") / "first-answer" / "score.py"

_APP_ROOT = "/var/azureml-app"
_REQUEST = b'{"data": [[10.0], [20.0]]}'
_ANSWER = [21.0, 41.0]
_CONTAINER = "container alone"
_LABEL = "inference-images.bench-first-answer"

#: Seconds between two tries to connect, and for one: a lost packet must not cost TCP's second before it is sent again.
_INTERVAL = 0.005
_CONNECT = 0.05
#: Seconds in which a server must answer, and in which the engine must have started the container.
_PATIENCE = 120.0
#: Seconds between two looks at the memory, and how long at most; settled is what changes by no more than this share.
_SETTLE_STEP, _SETTLE_END, _SETTLED = 0.5, 15.0, 0.005


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where containers run, and how they are reached."""

    client: docker.DockerClient
    #: The environment in which the docker command uses this engine.
    environment: Mapping[str, str]
    #: Where a published port answers.
    address: str
    port: int


@dataclass(frozen=True, kw_only=True)
class Contender:
    """An image and how it is started: ``docker run -d … image command``."""

    name: str
    image: str
    #: Replaces the image's own command.
    command: tuple[str, ...] = ()


def contenders(*, ours: str | None, plain: str | None) -> list[Contender]:
    """Return the images that are compared.

    Args:
        ours: The reference of our image, None where our side does not run.
        plain: The plain image's.
    """
    found = []
    if ours:
        server = ("azmlinfsrv", "--entry_script", f"{_APP_ROOT}/{SCRIPT.name}", "--port", "5001")
        found.append(Contender(name=OURS, image=ours))
        found.append(Contender(name=BARE, image=ours, command=server))
    if plain:
        found.append(Contender(name=PLAIN, image=plain))
    return found


def measure(place: Place, compared: Sequence[Contender], script: Path, work: Path, *, rounds: int) -> FirstAnswer:
    """Start each contender once a round, in turn; no result is left out, and no container stays.

    Args:
        place: The engine; nothing else should run on it.
        compared: From ``contenders``; their images are in the engine.
        script: The score script.
        work: A folder on the engine's machine, for what is mounted into the containers.
        rounds: How many.

    Raises:
        EngineError: There is no docker command, or a container could not be started.
        PipelineError: A server did not answer, or wrongly; with its log's end.
    """
    program = shutil.which("docker")
    if program is None:
        raise EngineError(
            "the benchmark starts containers with the docker command, which is not on PATH",
            fix="apt-get install docker-cli, or your system's package",
        )
    app = work / "app"
    app.mkdir(mode=0o755, parents=True, exist_ok=True)
    shutil.copyfile(script, app / script.name)
    (app / script.name).chmod(0o644)
    by_name = {contender.name: contender for contender in compared}
    ours = by_name.get(OURS)
    starts: dict[str, list[Start]] = {name: [] for name in by_name}
    container: list[float] = []
    os.sync()  # what the builds left to be written must not be written while the clock runs
    for number in range(rounds):
        said = []
        for name in rotated([*by_name, *([_CONTAINER] if ours else [])], number):
            if name == _CONTAINER and ours:
                took = _alone(place, program, ours.image, app)
                container.append(took)
            else:
                start = _start(place, program, by_name[name], app)
                starts[name].append(start)
                took = start.seconds
            said.append(f"{name} {took:.2f} s")
        console.info(f"round {number + 1} of {rounds}: {', '.join(said)}")
    return FirstAnswer(starts=starts, container=container)


def _command(program: str, place: Place, name: str, image: str, app: Path, *options: str) -> list[str]:
    return [
        *(program, "run", *options, "--name", name, "--label", f"{_LABEL}={os.getpid()}"),
        *("--publish", f"{place.port}:5001", "--volume", f"{app}:{_APP_ROOT}"),
        *("--env", f"AZUREML_ENTRY_SCRIPT={SCRIPT.name}", image),
    ]


@contextlib.contextmanager
def _gone_afterwards(place: Place, process: subprocess.Popen[str], name: str) -> Any:
    """Wait until `docker run` ends, then remove its container, whatever happens."""
    try:
        yield
    finally:
        try:
            process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            processes.stop(process)
            process.communicate()
        finally:
            with contextlib.suppress(NotFound):
                place.client.api.remove_container(name, force=True, v=True)


def _popen(command: Sequence[str], place: Place) -> subprocess.Popen[str]:
    # Ctrl-C does not reach it: stopped halfway, its container could appear after the clean-up.
    return processes.start(command, environment=place.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _alone(place: Place, program: str, image: str, app: Path) -> float:
    """Seconds of `docker run` with the command `true`, until it ended."""
    name = f"bench-alone-{os.getpid()}"
    began = time.monotonic()
    process = _popen([*_command(program, place, name, image, app), "true"], place)
    with _gone_afterwards(place, process, name):
        _, said = process.communicate(timeout=_PATIENCE)
        took = time.monotonic() - began
        if process.returncode:
            raise EngineError(f"{image} does not run", where=" ".join(process.args), details=said)  # type: ignore[arg-type]
    return took


def _start(place: Place, program: str, contender: Contender, app: Path) -> Start:
    name = f"bench-{contender.name}-{os.getpid()}"
    command = [*_command(program, place, name, contender.image, app, "--detach"), *contender.command]
    began = time.monotonic()
    process = _popen(command, place)
    with _gone_afterwards(place, process, name):
        answered, body = _first_answer(place, process, contender, name, began + _PATIENCE)
        if not _right(body):
            raise PipelineError(f"{contender.name} gives a wrong answer: {body!r}", where=contender.image)
        process.wait(_PATIENCE)
        memory, anonymous = _idle_memory(place, name)
    return Start(seconds=answered - began, memory=memory, anonymous=anonymous)


def _first_answer(
    place: Place, process: subprocess.Popen[str], contender: Contender, name: str, end: float
) -> tuple[float, bytes]:
    """Send requests until the answer is 200; return its time (monotonic clock) and its body."""
    said = "nothing listens"
    looked = time.monotonic()
    while time.monotonic() < end:
        try:
            status, body = _ask(place, end)
            answered = time.monotonic()
            if status == 200:
                return answered, body
            said = f"{status} {body.decode(errors='replace')[:200]}"
        except (OSError, http.client.HTTPException):
            pass  # not yet
        if time.monotonic() - looked > 1.0:
            looked = time.monotonic()
            if not _runs(place, process, contender, name):
                said = "its container ended"
                break
        time.sleep(_INTERVAL)
    log = ""
    with contextlib.suppress(NotFound):
        log = place.client.containers.get(name).logs(tail=20).decode(errors="replace")
    raise PipelineError(
        f"the benchmark got no answer from '{contender.name}': {said}", where=contender.image, details=log
    )


def _ask(place: Place, end: float) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(place.address, place.port, timeout=_CONNECT)
    with contextlib.closing(connection):
        connection.connect()
        # The server listens: the answer comes when the model is loaded, and another request would only disturb it.
        connection.sock.settimeout(max(1.0, end - time.monotonic()))
        connection.request("POST", "/score", body=_REQUEST, headers={"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()


def _right(body: bytes) -> bool:
    """Tell whether the answer is the model's, with the tolerance of floats."""
    try:
        return all(math.isclose(*pair) for pair in zip(json.loads(body), _ANSWER, strict=True))
    except (ValueError, TypeError):
        return False


def _runs(place: Place, process: subprocess.Popen[str], contender: Contender, name: str) -> bool:
    """Tell whether the container runs or is still being started.

    Raises:
        EngineError: `docker run` failed.
    """
    code = process.poll()
    if code is None:
        return True
    if code:
        _, said = process.communicate()
        raise EngineError(f"the container of '{contender.name}' could not be started", details=said)
    return bool(place.client.containers.get(name).status == "running")


def _idle_memory(place: Place, name: str) -> tuple[int, int]:
    """Return the bytes in use once they have settled, and those of them that do not belong to files."""
    container = place.client.containers.get(name)
    before = 0
    end = time.monotonic() + _SETTLE_END
    while True:
        time.sleep(_SETTLE_STEP)
        stats: Any = container.stats(stream=False, one_shot=True)
        used, anonymous = memory_used(stats)
        if abs(used - before) <= _SETTLED * used or time.monotonic() > end:
            return used, anonymous
        before = used
