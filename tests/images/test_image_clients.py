"""Clients of every kind: what is a request is answered, what is none is refused, and nobody delays the health probe.

`tests/pipeline/test_clients.py` has more of them, in one image.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import pytest
from image_clients import PROMISED, SCORING, Clients, assert_probes
from image_container import Container, Start

pytestmark = pytest.mark.depends("base")

#: They move 100 MB, or wait.
SLOW = ("large_body", "large_body_in_chunks", "large_answer_read_late")
#: Clients that are present at the same time, of each kind (``inside/clients/held.py``).
EACH = 6
#: The kinds that get answers from the script: they begin before the prediction.
SCORED = ("reads slowly", "reads nothing")
UNSCORED = (
    "silent", "one byte", "half a head", "half a body", "half of much", "stays open", "kept", "sends slowly",
    "half-closes", "churns", "babbles", "comes and goes",
)  # fmt: skip
PROBES = 40


@pytest.fixture(scope="module")
def clients(start: Start) -> Clients:
    return Clients.start(start)


@pytest.fixture(scope="module")
def served(start: Start, clients: Clients) -> Container:
    """A server with one worker."""
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


def test_no_client_delays_the_probe(clients: Clients, served: Container) -> None:
    """Clients of all kinds are there at the same time, while run() computes."""
    kinds: Sequence[str] = (*SCORED, *UNSCORED)
    held = [functools.partial(clients.present, "hold", served, kind=kind, count=EACH) for kind in kinds]
    prediction = functools.partial(clients.predicting, served, "compute", "delays")
    assert_probes(clients, served, *held, prediction, promised=PROMISED["compute"], count=PROBES)
    assert '"inits": 1}' in workers_started(clients, served), f"the worker was replaced\n{served.logs()}"
