"""The processes and threads of the user's code behave as in any program: what it starts ends as it is told to."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests
from image_container import Container, Start, docker
from image_plan import applies
from scoring_scripts import script, wait_for_log

#: Seconds for one answer. Most faults of this kind are processes that wait for ever.
LONGEST = 20
#: Seconds in which the server must reap orphans that have ended.
REAPING = 10
#: Native thread pools must have threads, also on a machine with one core.
THREADS = {"OMP_NUM_THREADS": "2"}


@pytest.fixture(scope="module")
def server(start: Start) -> Container:
    container = start({"main.py": script("children.py")})
    container.wait_until_it_answers()
    return container


def ask(container: Container, do: str) -> Any:
    """Call one function of ``scripts/children.py``; its result."""
    answer = requests.post(f"{container.url()}/score", json={"do": do}, timeout=LONGEST)
    assert answer.status_code == 200, f"{do}: {answer.status_code} {answer.text}\n{container.logs()}"
    return answer.json()["result"]


@pytest.mark.depends("base")
@pytest.mark.parametrize(
    ("do", "result"),
    [
        ("terminate", -15),
        ("pools", [[10, 20]] * 5),
        ("executor", [10, 20]),
        ("spawn", [1, 2]),
        ("program", -15),
        ("fork", 5),
    ],
)
def test_what_run_starts_ends(server: Container, do: str, result: Any) -> None:
    assert ask(server, do) == result


@pytest.mark.depends("base")
def test_an_orphan_is_nobodys(server: Container) -> None:
    """gunicorn 20.1 ends the server if any child of it ends with code 3 or 4, and orphans become its children."""
    ask(server, "orphans")
    time.sleep(0.5)
    give_up = time.monotonic() + REAPING
    while left := ask(server, "ended_children_of_the_server"):
        assert time.monotonic() < give_up, f"{left} processes that have ended still count as processes"
        time.sleep(0.2)
    server.must_run()


@pytest.mark.depends("base")
def test_a_process_that_lives_on_keeps_neither_clients_nor_the_server(server: Container) -> None:
    """The client gets the end of its connection, and the container ends in time. This test comes last: it stops it."""
    answer = requests.post(f"{server.url()}/score", json={"do": "live"}, headers={"Connection": "close"}, timeout=5)
    assert answer.status_code == 200
    docker("stop", "--time", str(LONGEST), server.id)
    state = server.state()
    assert state["ExitCode"] == 0, f"exit code {state['ExitCode']} (137: killed)\n{server.logs()}"
    wait_for_log(server, "ends now, without waiting for ")


# Wheels for Python 3.7 have an older OpenMP library, which cannot end its threads.
@applies(lambda image: image.python != "3.7" and {"scikit-learn", "lightgbm", "xgboost", "torch"} & image.lock.keys())
def test_models_of_a_preloaded_script_predict(start: Start) -> None:
    """With WORKER_PRELOAD, workers are forks of a process with native threads, which a fork does not have."""
    container = start(
        {"main.py": script("preloaded.py")}, environment={"WORKER_PRELOAD": "true", "WORKER_COUNT": "2", **THREADS}
    )
    url = container.wait_until_it_answers()
    try:
        answer = requests.post(f"{url}/score", json={}, timeout=LONGEST)
    except requests.Timeout:
        raise AssertionError(f"no answer in {LONGEST} s: a worker waits for threads that it does not have") from None
    assert answer.status_code == 200, f"{answer.text}\n{container.logs()}"
    assert answer.json()["rows"], "no model predicted"
