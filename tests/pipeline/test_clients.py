"""What no client and no limit of the platform may do to a server: delay the health probe, or end a worker.

`tests/images/test_image_clients.py` has the quick part of it, in every image.
"""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from image_clients import PROMISED, SCORING, TLS, Clients, Running, slow_probes
from image_container import Container, Start, docker
from image_timing import Timing
from scoring_scripts import PATIENCE, make_file, wait_for_end, wait_for_file

from build.engine.connect import Connection
from tests.pipeline.serving import containers

pytestmark = [pytest.mark.engine, pytest.mark.alone]

#: What run() does and how many probes are sent: enough for a 99th percentile, and fewer in CI.
PROBED = [
    pytest.param("compute", 40, id="compute-quick"),
    *(pytest.param(do, 300, id=do, marks=pytest.mark.thorough) for do in PROMISED),
]
#: Connections of clients that send nothing: more than the default soft limit of open files.
IDLE = 1100
#: A worker has up to 2,000 connections; some are for requests.
OPEN = 1990
#: Connections that are kept open, for two workers.
KEPT = 8
#: A worker is replaced after these seconds of one prediction.
WORKER_TIMEOUT = 3
#: Predictions that last, one for each of two workers.
HELD = [{"do": "sleep", "name": "first"}, {"do": "compute", "name": "second"}]
#: Seconds until a server with idle connections must have stopped.
SOON = 5


@pytest.fixture(scope="module")
def start(connection: Connection) -> Iterator[Start]:
    """Start containers of the smallest image."""
    with containers(connection) as start_one:
        yield start_one


@pytest.fixture(scope="module")
def clients(start: Start) -> Clients:
    return Clients.start(start)


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running server, and the clients that use it."""

    container: Container
    clients: Clients
    tls: bool = False
    #: The names of predictions: each is used once.
    names: list[str] = field(default_factory=list)

    def hold(self, kind: str, count: int) -> Callable[[], AbstractContextManager[Running]]:
        """Clients of a kind, to be entered."""
        return functools.partial(self.clients.present, "hold", self.container, tls=self.tls, kinds={kind: count})

    def score(self, requests: Sequence[object]) -> list[dict[str, object]]:
        """Send requests at once, and return the answers."""
        answers: list[dict[str, object]] = self.clients.ask("burst", self.container, tls=self.tls, requests=requests)
        return answers

    @contextmanager
    def predicting(self, do: str, waiting: int = 0) -> Iterator[None]:
        """Have a prediction in progress, and requests that wait for it; all must be answered after the block."""
        self.names.append(do)
        name = f"{do}-{len(self.names)}"
        with ExitStack() as others, self.clients.predicting(self.container, do, name, tls=self.tls):
            burst = self.clients.present("burst", self.container, tls=self.tls, requests=[{"do": "nothing"}] * waiting)
            running = others.enter_context(burst)
            yield
        assert not refused(running.result), f"requests that waited: {refused(running.result)[:3]}"

    def slow_probes(
        self, *disturbances: Callable[[], AbstractContextManager[object]], promised: int, count: int
    ) -> str:
        """`image_clients.slow_probes` of this server."""
        return slow_probes(self.clients, self.container, *disturbances, promised=promised, count=count, tls=self.tls)

    def assert_not_replaced(self, workers: int = 1) -> None:
        """Assert that it scores, with the workers that it started with."""
        (answer,) = self.score([{"do": "nothing"}])
        assert answer["status"] == 200, f"it does not score: {answer}"
        assert f'"inits": {workers}}}' in str(answer["body"]), f"a worker was replaced\n{self.container.logs()}"


def serve(start: Start, clients: Clients, *options: str, tls: bool = False, **environment: str) -> Server:
    """Start a server and wait until it answers."""
    files = {**SCORING, **clients.certificate()} if tls else SCORING
    container = start(files, options=options, environment={**environment, **(TLS if tls else {})})
    clients.wait_until_ready(container, tls=tls)
    return Server(container=container, clients=clients, tls=tls)


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Clients that are present while the probe is measured, and the server that they meet."""

    options: tuple[str, ...] = ()
    tls: bool = False
    kind: str = ""
    count: int = 0
    #: Scoring requests that wait for the prediction in progress.
    waiting: int = 0


TROUBLES = {
    "clients that stay open": Trouble(kind="stays open", count=5),
    "idle connections": Trouble(kind="silent", count=IDLE, options=("--ulimit=nofile=1024:20000",)),
    "many requests, few processes": Trouble(waiting=120, options=("--pids-limit=50",)),
    "clients that begin TLS": Trouble(kind="one byte", count=200, tls=True),
    "many clients that begin TLS": Trouble(kind="one byte", count=1000, tls=True),
}


@pytest.fixture(scope="module", params=TROUBLES)
def troubled(request: pytest.FixtureRequest, start: Start, clients: Clients) -> Iterator[tuple[Server, Trouble]]:
    """A server for each kind of trouble."""
    trouble = TROUBLES[request.param]
    server = serve(start, clients, *trouble.options, tls=trouble.tls)
    yield server, trouble
    docker("kill", server.container.id)


@pytest.mark.parametrize(("prediction", "count"), PROBED)
def test_the_probe_is_answered(
    troubled: tuple[Server, Trouble], start: Start, prediction: str, count: int, timing: Timing
) -> None:
    """The promised times, while clients give trouble and run() sleeps or computes; no worker ends."""
    first, trouble = troubled

    def measure(server: Server) -> str:
        held = [server.hold(trouble.kind, trouble.count)] if trouble.kind else []
        busy = functools.partial(server.predicting, prediction, trouble.waiting)
        problem = server.slow_probes(*held, busy, promised=PROMISED[prediction], count=count)
        server.assert_not_replaced()
        return problem

    timing.check(measure, first, lambda: serve(start, first.clients, *trouble.options, tls=trouble.tls))


def test_clients_that_stay_open_after_scores(start: Start, clients: Clients, timing: Timing) -> None:
    """Two workers: half of the clients that stay open are those of each."""

    def measure(server: Server) -> str:
        held = server.hold("scores and stays open", 10)
        problem = server.slow_probes(held, promised=PROMISED["sleep"], count=40)
        server.assert_not_replaced(workers=2)
        return problem

    timing.check(measure, serve(start, clients, WORKER_COUNT="2"), lambda: serve(start, clients, WORKER_COUNT="2"))


def test_many_open_connections(start: Start, clients: Clients) -> None:
    """The soft limit of open files is raised: almost 2,000 connections stay open, and requests are answered."""
    server = serve(start, clients, "--ulimit=nofile=1024:20000")
    with clients.present("hold", server.container, kinds={"silent": OPEN}) as held:
        server.assert_not_replaced()
    silent = held.result["silent"]
    assert not silent["errors"], f"connections that failed: {silent['errors'][:3]}"
    assert not silent["closed"], f"{len(silent['closed'])} of {OPEN} connections were closed"


def test_more_connections_than_files(start: Start, clients: Clients) -> None:
    """Above the hard limit, the connections that are silent longest are closed, and requests are answered."""
    server = serve(start, clients, "--ulimit=nofile=256:256")
    with clients.present("hold", server.container, kinds={"silent": 400}) as held, server.predicting("sleep", 20):
        probed = clients.ask("probe", server.container, count=20)
        assert not probed["failed"], f"probes failed: {probed['failed']}"
    closed = held.result["silent"]["closed"]
    assert 144 < len(closed) < 400, f"{len(closed)} of 400 connections were closed"
    assert closed == list(range(len(closed))), f"not the oldest were closed: {closed}"
    server.assert_not_replaced()


def test_large_bodies_and_little_memory(start: Start, clients: Clients) -> None:
    """Bodies that do not fit the memory together: some requests may have to come again, and no process is killed."""
    server = serve(start, clients, "--memory=300m", "--memory-swap=300m")
    answers = server.score([20_000_000] * 40)
    assert not refused(answers), f"neither 200 nor 503 with Retry-After: {refused(answers)[:3]}"
    assert any(answer["status"] == 200 for answer in answers), "no request was answered with 200"
    assert not server.container.state()["OOMKilled"], "the kernel killed a process"
    server.assert_not_replaced()


# Several workers


@pytest.fixture(scope="module")
def two(start: Start, clients: Clients) -> Server:
    """A server with two workers."""
    return two_workers(start, clients)


def both_work(server: Server) -> None:
    """Wait until both workers predict, and assert that each predicts one at a time."""
    give_up = time.monotonic() + PATIENCE
    pids: set[str] = set()
    while len(pids) < 2:
        assert time.monotonic() < give_up, f"only worker {pids} predicts"
        answers = server.score([{"do": "rest"}] * 30)
        assert {answer["status"] for answer in answers} == {200}, answers[0]
        bodies = [str(answer["body"]) for answer in answers]
        pids |= {match for body in bodies for match in re.findall(r'"pid": (\d+)', body)}
        at_once = [body for body in bodies if '"most_inside": 1,' not in body]
        assert not at_once, f"run() was called while another call was in progress: {at_once[:3]}"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="small"),
        pytest.param({"size": 300_000}, id="large"),
        pytest.param({"size": 20_000, "chunked": True}, id="chunked"),
        pytest.param({"size": 300_000, "chunked": True}, id="large-chunked"),
        pytest.param({"stalled": KEPT}, id="others-stall"),
    ],
)
def test_kept_connections_find_the_idle_worker(two: Server, body: dict[str, Any]) -> None:
    """Connections that are kept open do not belong to a worker: a busy one keeps no request from the other."""
    with two.clients.present("keep", two.container, count=KEPT, rounds=5, **body) as kept, two.predicting("sleep"):
        answers = kept.finish()
    assert not answers["failed"], f"of {KEPT} kept connections: {answers['failed']}"
    two.assert_not_replaced(workers=2)


def test_new_connections_find_the_idle_worker(two: Server) -> None:
    """The same where they come during the long prediction."""
    with two.predicting("compute"), two.clients.present("keep", two.container, count=KEPT, rounds=10) as kept:
        answers = kept.finish()
    assert not answers["failed"], f"of {KEPT} kept connections: {answers['failed']}"
    two.assert_not_replaced(workers=2)


def test_the_probe_is_answered_before_a_restart(start: Start, clients: Clients) -> None:
    """With max_requests, a worker restarts after its prediction; until then, it answers the probe."""
    server = serve(start, clients, GUNICORN_CMD_ARGS="--max-requests 3")
    with server.predicting("sleep"):
        probed = clients.ask("probe", server.container, count=20)
        assert not probed["failed"], f"probes failed: {probed['failed']}"
    server.assert_not_replaced()
    with server.predicting("sleep"):
        probed = clients.ask("probe", server.container, count=20)
        assert not probed["failed"], f"probes of the third prediction failed: {probed['failed']}"
    clients.wait_until_ready(server.container)
    server.assert_not_replaced(workers=2)


def test_a_worker_that_hangs_is_replaced(start: Start, clients: Clients) -> None:
    """WORKER_TIMEOUT ends the worker, and meanwhile and afterwards the other one answers all requests."""
    server = serve(start, clients, WORKER_COUNT="2", WORKER_TIMEOUT=str(WORKER_TIMEOUT))
    both_work(server)
    with clients.present("burst", server.container, requests=[{"do": "sleep", "name": "hangs"}]) as hung:
        wait_for_file(server.container, "/tmp/entered.hangs")
        answers = clients.ask("keep", server.container, count=KEPT, rounds=10, pause=(WORKER_TIMEOUT + 3) / 10)
    assert not answers["failed"], f"of {KEPT} kept connections: {answers['failed']}"
    assert hung.result[0]["status"] in (None, 500, 502, 503, 504), f"the request that hung: {hung.result}"
    both_work(server)
    server.assert_not_replaced(workers=3)


def test_stop_finishes_requests_of_all_workers(start: Start, clients: Clients, timing: Timing) -> None:
    """After SIGTERM, requests in progress and those that wait are answered; kept and silent connections are closed."""

    def measure(server: Server) -> str:
        with ExitStack() as stack:
            for kind in ("kept", "silent"):
                stack.enter_context(server.hold(kind, KEPT)())
            requests = HELD + [{"do": "rest"}] * 6
            waiting = stack.enter_context(clients.present("burst", server.container, requests=requests))
            for held in HELD:
                wait_for_file(server.container, f"/tmp/entered.{held['name']}")
            docker("kill", "--signal", "TERM", server.container.id)
            time.sleep(0.5)  # it must not end before the predictions
            for held in HELD:
                make_file(server.container, f"/tmp/release.{held['name']}")
            answers = waiting.finish()
        assert {answer["status"] for answer in answers} == {200}, f"answers: {answers}"
        return slow_end(server)

    timing.check(measure, two_workers(start, clients), lambda: two_workers(start, clients))


def test_stop_with_idle_connections(start: Start, clients: Clients, timing: Timing) -> None:
    """Connections without a request, of any kind, do not delay the stop."""

    def measure(server: Server) -> str:
        with ExitStack() as held:
            for kind in ("kept", "silent", "one byte", "half a head"):
                held.enter_context(server.hold(kind, KEPT)())
            docker("kill", "--signal", "TERM", server.container.id)
            return slow_end(server)

    timing.check(measure, two_workers(start, clients), lambda: two_workers(start, clients))


def two_workers(start: Start, clients: Clients) -> Server:
    """A server with two workers, which both work."""
    server = serve(start, clients, WORKER_COUNT="2")
    both_work(server)
    return server


def slow_end(server: Server) -> str:
    """Wait for the end of a server, which must succeed; say that it took too long, or return an empty text."""
    begin = time.monotonic()
    code = wait_for_end(server.container)
    seconds = time.monotonic() - begin
    assert code == 0, server.container.logs()
    return "" if seconds < SOON else f"it waited for connections without a request: {seconds:.1f} s"


def refused(answers: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """Return the answers that are neither 200 nor 503 with Retry-After."""
    return [
        answer
        for answer in answers
        if not (answer["status"] == 200 or (answer["status"] == 503 and answer["retry_after"]))
    ]
