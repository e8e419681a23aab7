"""Known failures of the images that these replace; these images must not have them.

Predictions end when the test lets them (``scripts/held.py``), so a test knows for certain that one is in progress.
"""

from __future__ import annotations

import re
import socket
import time
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import requests
from image_container import Container, Start, docker
from image_plan import Image
from image_timing import Timing
from scoring_scripts import PATIENCE, Wanted, make_file, script, start_all, wait_for_end, wait_for_file

pytestmark = pytest.mark.depends("base")

#: Seconds. The platforms' probes time out after 2 s; these images must answer in 1 s.
PROBE_TIMEOUT = 1
PROBES = 3
#: Scoring requests that wait at the same time: more than any sensible number of threads.
QUEUE = 40
#: The default grace period of ``docker stop``, in seconds: enough for a server with no request in progress.
GRACE = 10

HELD = {"main.py": script("held.py")}
CONTAINERS = {
    "one worker": Wanted(files=HELD),
    "preloaded": Wanted(files=HELD, environment={"WORKER_COUNT": "2", "WORKER_PRELOAD": "true"}),
    "starting": Wanted(files={"main.py": script("starting.py")}),
    "starting the master": Wanted(files={"main.py": script("starting.py")}, environment={"WORKER_PRELOAD": "true"}),
}


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A script that cannot be served, and how the log must end."""

    script: bytes
    #: In the last traceback: where the error is.
    frame: str
    #: In the last line.
    error: str
    environment: dict[str, str]


RUN = b"\n\ndef run(data):\n    return 1\n"
BROKEN = {
    "init fails": Broken(
        script=b"def init():\n    raise ValueError('no model here')\n" + RUN,
        frame='main.py", line 2, in init',
        error="ValueError: no model here",
        environment={},
    ),
    "init fails in the master": Broken(
        script=b"def init():\n    raise ValueError('no model here')\n" + RUN,
        frame='main.py", line 2, in init',
        error="ValueError: no model here",
        environment={"WORKER_PRELOAD": "true"},
    ),
    "init fails in two workers": Broken(
        script=b"def init():\n    raise ValueError('no model here')\n" + RUN,
        frame='main.py", line 2, in init',
        error="ValueError: no model here",
        environment={"WORKER_COUNT": "2"},
    ),
    "init exits": Broken(
        script=b"import sys\n\n\ndef init():\n    sys.exit('no licence')\n" + RUN,
        frame='main.py", line 5, in init',
        error="SystemExit: no licence",
        environment={},
    ),
    "import fails": Broken(
        script=b"import no_such_module\n\n\ndef init():\n    pass\n" + RUN,
        frame='main.py", line 1, in <module>',
        error="ModuleNotFoundError: No module named 'no_such_module'",
        environment={},
    ),
    "syntax": Broken(
        script=b"def init(:\n    pass\n" + RUN, frame='main.py", line 1', error="SyntaxError: ", environment={}
    ),
    "init is killed": Broken(  # as the kernel does when memory runs out
        script=b"import os\n\n\ndef init():\n    os.kill(os.getpid(), 9)\n" + RUN,
        frame="",  # the process could not write a traceback
        error="a worker died (SIGKILL) while the script was imported or its init() ran: give the container more memory",
        environment={},
    ),
    "one of two is killed": Broken(
        script=b"import os\nimport time\n\n\ndef init():\n    try:\n        open('/tmp/first', 'x').close()\n"
        b"    except FileExistsError:\n        os.kill(os.getpid(), 9)\n    time.sleep(600)\n" + RUN,
        frame="",
        error="a worker died (SIGKILL)",
        environment={"WORKER_COUNT": "2"},
    ),
    "init ends the process": Broken(
        script=b"import os\n\n\ndef init():\n    os._exit(7)\n" + RUN,
        frame="",
        error="a worker died (exit code 7) while the script was imported or its init() ran",
        environment={},
    ),
    "no run": Broken(
        script=b"def init():\n    pass\n",
        frame="main.py",
        error="does not have a run() function defined",
        environment={},
    ),
}


@pytest.fixture(scope="module")
def containers(image: Image, start: Start) -> dict[str, Container]:
    """The containers that serve, started together: those that the tests of this image need."""
    names = ["one worker"] if image.scope == "image" else list(CONTAINERS)
    return start_all(start, {name: CONTAINERS[name] for name in names})


@pytest.fixture(scope="module")
def broken(start: Start, containers: dict[str, Container]) -> dict[str, Container]:
    """The containers that end when they start. They do so during the tests of the others."""
    return start_all(
        start,
        {
            name: Wanted(files={"main.py": one.script}, environment=one.environment, options=("--network=none",))
            for name, one in BROKEN.items()
        },
    )


@pytest.fixture(scope="module")
def server(containers: dict[str, Container]) -> str:
    """A server with one worker."""
    return containers["one worker"].wait_until_it_answers()


def fresh(start: Start, name: str) -> Container:
    """Start another one of the containers."""
    wanted = CONTAINERS[name]
    return start(wanted.files, environment=wanted.environment)


def ask(url: str, do: str, name: str = "") -> requests.Response:
    """Request a prediction from ``scripts/held.py``."""
    return requests.post(f"{url}/score", json={"do": do, "name": name}, timeout=2 * PATIENCE)


@contextmanager
def in_flight(container: Container, url: str, do: str, name: str) -> Iterator[Future[requests.Response]]:
    """Start a prediction, which ends when the ``with`` block ends."""
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, url, do, name)
        try:
            wait_for_file(container, f"/tmp/entered.{name}")
            yield answer
        finally:
            if container.state()["Running"]:
                make_file(container, f"/tmp/release.{name}")


def assert_healthy(url: str, seconds: float = PATIENCE) -> None:
    """Assert that a health probe is answered in time."""
    answer = requests.get(url, timeout=seconds)
    assert (answer.status_code, answer.text) == (200, "Healthy"), f"GET / → {answer.status_code} {answer.text}"


def slowest_probe(url: str) -> float:
    """Return the time of the slowest health probe (s), without anything else to do."""
    times = []
    for _ in range(PROBES):
        begin = time.monotonic()
        assert_healthy(url)
        times.append(time.monotonic() - begin)
    return max(times)


def slow_health(url: str, idle: float) -> str:
    """Say that health probes take too long; return an empty text if they do not.

    Args:
        url: The server.
        idle: The time of a probe of the idle server (s): a slow machine delays that too.
    """
    for _ in range(PROBES):
        try:
            assert_healthy(url, PROBE_TIMEOUT + idle)
        except requests.Timeout:
            return f"GET / is not answered in {PROBE_TIMEOUT} s and the {idle:.1f} s of the idle server"
    return ""


def connect(url: str) -> socket.socket:
    """Open a connection on which the test itself sends bytes."""
    parts = urllib.parse.urlsplit(url)
    assert parts.hostname and parts.port
    return socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE)


# 1: the health probe


@pytest.mark.parametrize("prediction", [pytest.param("sleep", marks=pytest.mark.depends("image")), "compute"])
def test_health_during_a_prediction(
    start: Start, containers: dict[str, Container], prediction: str, timing: Timing
) -> None:
    def measure(container: Container) -> str:
        url = container.wait_until_it_answers()
        idle = slowest_probe(url)
        with in_flight(container, url, prediction, f"health-{prediction}") as answer:
            problem = slow_health(url, idle)
            assert not answer.done(), "no prediction was in progress"
        assert answer.result().json()["result"] == "released"
        return problem

    timing.check(measure, containers["one worker"], lambda: fresh(start, "one worker"))


def test_health_while_requests_wait(start: Start, containers: dict[str, Container], timing: Timing) -> None:
    """Many requests wait, health probes are answered, and then all requests get their answers."""

    def measure(container: Container) -> str:
        url = container.wait_until_it_answers()
        idle = slowest_probe(url)
        with ThreadPoolExecutor(QUEUE) as pool:
            with in_flight(container, url, "sleep", "queue") as first:
                waiting = [pool.submit(ask, url, "nothing") for _ in range(QUEUE)]
                problem = slow_health(url, idle)
                assert not first.done(), "no prediction was in progress"
                early = [answer for answer in waiting if answer.done()]
                assert not early, "run() was called while another call was in progress"
            statuses = {answer.result().status_code for answer in waiting}
        assert statuses == {200}, f"the requests that waited got {statuses}"
        return problem

    timing.check(measure, containers["one worker"], lambda: fresh(start, "one worker"))


def test_health_while_all_workers_predict(start: Start, containers: dict[str, Container], timing: Timing) -> None:
    """Two workers, both with a prediction in progress, and requests that wait."""

    def measure(container: Container) -> str:
        url = container.wait_until_it_answers()
        idle = slowest_probe(url)
        with (
            ThreadPoolExecutor(QUEUE) as pool,
            in_flight(container, url, "sleep", "all-1") as first,
            in_flight(container, url, "sleep", "all-2") as second,
        ):
            waiting = [pool.submit(ask, url, "nothing") for _ in range(QUEUE)]
            problem = slow_health(url, idle)
            assert not first.done(), "no prediction was in progress"
            assert not second.done(), "no prediction was in progress"
        statuses = {answer.result().status_code for answer in waiting}
        assert statuses == {200}, f"the requests that waited got {statuses}"
        return problem

    timing.check(measure, containers["preloaded"], lambda: fresh(start, "preloaded"))


def test_one_prediction_at_a_time(server: str) -> None:
    """Scripts need not be thread-safe: run() is not called before the last call has returned."""
    with ThreadPoolExecutor(QUEUE) as pool:
        answers = list(pool.map(ask, [server] * QUEUE, ["rest"] * QUEUE))
    statuses = {answer.status_code for answer in answers}
    assert statuses == {200}, f"answers: {statuses}"
    assert len({answer.json()["pid"] for answer in answers}) == 1, "WORKER_COUNT is 1, but several processes predict"
    at_a_time = max(answer.json()["most_inside"] for answer in answers)
    assert at_a_time == 1, f"{at_a_time} calls of run() were in progress at once"


@pytest.mark.parametrize(
    "begin",
    [b"", b"POST /score HTTP/1.1\r\nHost: x\r\n", b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 17\r\n\r\n{"],
    ids=["nothing", "half the headers", "half the body"],
)
def test_a_slow_client_delays_nobody(
    start: Start, containers: dict[str, Container], begin: bytes, timing: Timing
) -> None:
    """The original images had nginx in front of the server, which waited for the whole request."""
    request = b'POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 17\r\n\r\n{"do": "nothing"}'

    def measure(container: Container) -> str:
        url = container.wait_until_it_answers()
        idle = slowest_probe(url)
        with connect(url) as slow:
            slow.sendall(begin)
            problem = slow_health(url, idle)
            with ThreadPoolExecutor(1) as pool:
                other = pool.submit(ask, url, "nothing")
                try:
                    status = other.result(PATIENCE / 4).status_code
                except TimeoutError:
                    slow.shutdown(socket.SHUT_RDWR)  # otherwise the other client keeps waiting
                    return f"another client had to wait for the slow one for {PATIENCE / 4:.0f} s"
            assert status == 200, f"another client got {status}"
            slow.sendall(request[len(begin) :])
            assert slow.recv(100).startswith(b"HTTP/1.1 200"), "the slow client got no answer"
        return problem

    timing.check(measure, containers["one worker"], lambda: fresh(start, "one worker"))


# 2: a script that cannot be served


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_script(broken: dict[str, Container], name: str) -> None:
    """The container ends with the server's exit code, and the log ends with the traceback of the user's error."""
    code = wait_for_end(broken[name])
    log = broken[name].logs()
    assert code == 3, f"exit code {code}, not 3\n{log}"
    last = log.rstrip().splitlines()[-1]
    assert BROKEN[name].error in last, f"the log's last line is not the user's error: {last}"
    trace = log[log.rfind("Traceback") :]
    assert BROKEN[name].frame in trace, f"the last traceback does not show where: {trace}"


# 3: the start


def test_log_lists_no_packages(containers: dict[str, Container], server: str) -> None:
    """No ``pip freeze`` before the server starts."""
    log = containers["one worker"].logs(lines=10000)
    listed = re.findall(r"^.*\w==\d.*$", log, re.MULTILINE)
    assert not listed, f"the log lists packages: {listed[:3]}"


@pytest.mark.parametrize(("name", "workers"), [("one worker", 1), ("preloaded", 2)])
def test_nothing_runs_next_to_the_server(containers: dict[str, Container], name: str, workers: int) -> None:
    """The only processes are the server, which is the first one, and its workers."""
    containers[name].wait_until_it_answers()
    table = docker("top", containers[name].id, "-eo", "pid,ppid,args").splitlines()[1:]
    parents = dict(line.split(None, 2)[:2] for line in table)
    first = [process for process, parent in parents.items() if parent not in parents]
    children = [process for process, parent in parents.items() if parent in first]
    assert (len(first), len(children), len(table)) == (1, workers, 1 + workers), (
        f"expected the server and {workers} workers: {table}"
    )


# 4: the end. These tests come last: they stop the containers that the others use.


@pytest.mark.depends("image")
def test_stop_finishes_requests(containers: dict[str, Container], server: str) -> None:
    """After SIGTERM, which docker stop sends, the request in progress and those that wait are still answered."""
    container = containers["one worker"]
    with ThreadPoolExecutor(3) as pool:
        with in_flight(container, server, "sleep", "stop") as first:
            waiting = [pool.submit(ask, server, "nothing") for _ in range(3)]
            assert_healthy(server)  # accepted after the others, so those have been accepted too
            docker("kill", "--signal", "TERM", container.id)
            assert not first.done(), "no prediction was in progress"
        answers = []
        for future in [first, *waiting]:
            try:
                answers.append(str(future.result().status_code))
            except requests.RequestException as error:
                answers.append(f"dropped: {error}")
    code = wait_for_end(container)
    assert answers[0] == "200", f"the request in progress: {answers[0]}"
    assert set(answers) == {"200"}, f"requests that waited: {answers[1:]}"
    assert code == 0, f"exit code {code}\n{container.logs()}"


def test_stop_without_requests(start: Start, containers: dict[str, Container], timing: Timing) -> None:
    """It ends within docker's grace period, even if clients keep connections open."""

    def measure(container: Container) -> str:
        url = container.wait_until_it_answers()
        with connect(url) as silent, requests.Session() as kept:
            assert silent
            assert kept.get(url, timeout=PATIENCE).status_code == 200
            return slow_stop(container)

    timing.check(measure, containers["preloaded"], lambda: fresh(start, "preloaded"))


@pytest.mark.parametrize("name", ["starting", "starting the master"])
def test_stop_while_it_starts(start: Start, containers: dict[str, Container], name: str, timing: Timing) -> None:
    """It ends within docker's grace period, even during a long init(): no client waits for an answer yet."""

    def measure(container: Container) -> str:
        wait_for_file(container, "/tmp/entered.init")
        return slow_stop(container)

    timing.check(measure, containers[name], lambda: fresh(start, name))


def slow_stop(container: Container) -> str:
    """Stop a container; say that it was killed because it took too long, or return an empty text."""
    docker("stop", "--time", str(GRACE), container.id)
    code = container.state()["ExitCode"]
    if code == 137:
        return f"it did not stop in {GRACE} s, and was killed\n{container.logs()}"
    assert code == 0, f"exit code {code}\n{container.logs()}"
    return ""


def test_workers_that_fail_together_end_the_server(container: Container) -> None:
    """The kernel merges simultaneous signals of two children: the master must not wait for the second one."""
    outcome = container.python("dead_workers.py")
    assert outcome == {"code": 3, "waits_for": 0}, f"the server waits for dead workers: {outcome}"
