"""Clients of every kind: what is a request is answered, what is none is refused, and nobody delays the health probe.

`tests/pipeline/test_clients.py` has more of them, in one image.
"""

from __future__ import annotations

import functools

import pytest
from image_clients import PROMISED, SCORING, Clients, slow_probes
from image_container import Container, Start
from image_timing import Timing

pytestmark = pytest.mark.depends("base")

#: They move 100 MB, or wait.
SLOW = ("large_body", "large_body_in_chunks", "large_answer_read_late")
#: Kind of client (``inside/clients/held.py``) → how many are there at the same time. Those that get answers from the
#: script come first: they begin before the prediction.
KINDS = {
    "reads nothing": 2, "reads slowly": 2, "silent": 10, "one byte": 10, "half a head": 10, "half a body": 10,
    "half of much": 3, "stays open": 10, "kept": 10, "sends slowly": 10, "sends small chunks": 1, "half-closes": 10,
    "churns": 10, "babbles": 10, "comes and goes": 20,
}  # fmt: skip
PROBES = 40


@pytest.fixture(scope="module")
def clients(start: Start) -> Clients:
    return Clients.start(start)


@pytest.fixture(scope="module")
def served(start: Start, clients: Clients) -> Container:
    """A server with one worker."""
    return serve(start, clients)


def serve(start: Start, clients: Clients) -> Container:
    container = start(SCORING)
    clients.wait_until_ready(container)
    return container


def workers_started(clients: Clients, server: Container) -> str:
    """Return the script's answer, which has the number of workers that have started."""
    (answer,) = clients.ask("burst", server, requests=[{"do": "nothing"}])
    assert answer["status"] == 200, f"the server does not score: {answer}"
    return str(answer["body"])


def test_conversations(clients: Clients, served: Container) -> None:
    """Requests that come in pieces, in chunks, together or half-closed are answered; what is no request is refused."""
    wrong = clients.ask("converse", served, without=SLOW)
    assert not wrong, f"the answer and the expected one: {wrong}"
    assert '"inits": 1}' in workers_started(clients, served), f"the worker was replaced\n{served.logs()}"


def test_no_client_delays_the_probe(start: Start, clients: Clients, served: Container, timing: Timing) -> None:
    """Clients of all kinds are there at the same time, while run() computes."""

    def measure(server: Container) -> str:
        held = functools.partial(clients.present, "hold", server, kinds=KINDS)
        prediction = functools.partial(clients.predicting, server, "compute", "delays")
        problem = slow_probes(clients, server, held, prediction, promised=PROMISED["compute"], count=PROBES)
        assert '"inits": 1}' in workers_started(clients, server), f"the worker was replaced\n{server.logs()}"
        return problem

    timing.check(measure, served, lambda: serve(start, clients))
