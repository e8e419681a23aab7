"""How gunicorn's master reaps its children: real processes, with a stand-in for gunicorn, which is not installed here.

`tests/images/inside/dead_workers.py` does the same with each image's own gunicorn.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import time
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.unit.start.start_modules import module

PR_SET_CHILD_SUBREAPER = 36


class HaltServer(BaseException):
    """gunicorn's."""

    def __init__(self, reason: str, exit_status: int = 1) -> None:
        self.exit_status = exit_status


class Sign:
    """A worker's heartbeat."""

    def __init__(self, starting: bool) -> None:
        self.starting = starting
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Arbiter:
    """gunicorn's master."""

    WORKER_BOOT_ERROR = 3
    APP_LOAD_ERROR = 4

    def __init__(self) -> None:
        self.WORKERS: dict[int, Any] = {}
        self.LISTENERS = [object()]
        self.reexec_pid = 0
        self.log = logging.getLogger("test")
        self.cfg = types.SimpleNamespace(child_exit=lambda *_: None)

    def add(self, child: int, *, starting: bool) -> Any:
        self.WORKERS[child] = types.SimpleNamespace(tmp=Sign(starting), aborted=False)
        return self.WORKERS[child]


@pytest.fixture
def starting(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """The module, with stand-ins for the three names of gunicorn that it imports."""
    stand_ins: dict[str, dict[str, Any]] = {
        "gunicorn": {},
        "gunicorn.arbiter": {"Arbiter": Arbiter},
        "gunicorn.errors": {"HaltServer": HaltServer},
        "gunicorn.workers": {},
        "gunicorn.workers.workertmp": {"WorkerTmp": object},
    }
    for name, names in stand_ins.items():
        stand_in = types.ModuleType(name)
        vars(stand_in).update(names)
        monkeypatch.setitem(sys.modules, name, stand_in)
    return module("starting")


@pytest.fixture
def adopting() -> Iterator[None]:
    """Adopt orphans, as the first process of a container does."""
    control = ctypes.CDLL(None).prctl
    control(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    yield
    control(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def dead(end: Callable[[], object]) -> int:
    """Return a child that has ended and is not reaped."""
    child = os.fork()
    if not child:
        end()
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    return child


def exits(code: int) -> Callable[[], object]:
    return lambda: os._exit(code)


def gets(number: int) -> Callable[[], object]:
    def end() -> None:
        signal.signal(number, signal.SIG_DFL) if number != signal.SIGKILL else None
        os.kill(os.getpid(), number)

    return end


def is_reaped(child: int) -> bool:
    try:
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return False


@pytest.mark.parametrize(
    ("end", "says"),
    [
        (exits(0), "(exit code 0)"),
        (exits(3), "(exit code 3)"),
        (exits(7), "(exit code 7)"),
        (gets(signal.SIGKILL), "(SIGKILL) while the script was imported or its init() ran: give the container more"),
        (gets(signal.SIGSEGV), "(SIGSEGV)"),
    ],
)
def test_a_worker_that_dies_while_it_starts_ends_the_server(
    starting: types.ModuleType, end: Callable[[], object], says: str
) -> None:
    arbiter = Arbiter()
    workers = [arbiter.add(dead(end), starting=True) for _ in range(2)]
    with pytest.raises(HaltServer) as halt:
        starting.reap(arbiter)
    assert halt.value.exit_status == 3
    assert says in starting.reason()
    # Both are gone: the server does not wait for the second one.
    assert not arbiter.WORKERS
    assert all(worker.tmp.closed for worker in workers)


@pytest.mark.parametrize("end", [exits(0), exits(3), exits(4), gets(signal.SIGKILL)])
def test_a_worker_that_dies_later_is_replaced(starting: types.ModuleType, end: Callable[[], object]) -> None:
    arbiter = Arbiter()
    arbiter.add(dead(end), starting=False)
    starting.reap(arbiter)
    assert not arbiter.WORKERS
    assert starting.reason() == ""


def test_a_worker_that_is_told_to_stop_while_it_starts_does_not_end_the_server(starting: types.ModuleType) -> None:
    arbiter = Arbiter()
    arbiter.add(dead(gets(signal.SIGTERM)), starting=True)
    starting.reap(arbiter)
    assert not arbiter.WORKERS


def test_nothing_ends_a_server_that_ends_already(starting: types.ModuleType) -> None:
    arbiter = Arbiter()
    arbiter.LISTENERS = []
    arbiter.add(dead(exits(3)), starting=True)
    starting.reap(arbiter)
    assert not arbiter.WORKERS


def test_a_living_worker_and_another_child_are_left(starting: types.ModuleType) -> None:
    arbiter = Arbiter()
    alive = os.fork()
    if not alive:
        time.sleep(60)
        os._exit(0)
    try:
        arbiter.add(alive, starting=True)
        other = dead(exits(3))
        starting.reap(arbiter)
        assert list(arbiter.WORKERS) == [alive]
        assert os.waitpid(other, 0)[1] >> 8 == 3
    finally:
        os.kill(alive, signal.SIGKILL)
        os.waitpid(alive, 0)


@pytest.mark.usefixtures("adopting")
@pytest.mark.parametrize("code", [0, 3, 4])
def test_an_orphan_is_reaped_and_its_exit_code_ignored(
    starting: types.ModuleType, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    arbiter = Arbiter()
    worker = dead(exits(0))
    arbiter.add(worker, starting=False)
    reader, writer = os.pipe()

    def leave_an_orphan() -> None:
        orphan = os.fork()
        if not orphan:
            os._exit(code)
        os.write(writer, str(orphan).encode())

    child = dead(leave_an_orphan)
    orphan = int(os.read(reader, 100))
    os.waitpid(child, 0)
    give_up = time.monotonic() + 10
    while orphan not in starting._ended_children() and time.monotonic() < give_up:
        time.sleep(0.01)
    starting.bury_orphans(arbiter)
    assert not is_reaped(orphan), "a child of init() would lose its exit code"
    monkeypatch.setattr(starting, "PATIENCE", 0.0)
    starting.bury_orphans(arbiter)
    assert is_reaped(orphan)
    assert not is_reaped(worker), "the exit code of a worker is lost"
    starting.reap(arbiter)
    assert not arbiter.WORKERS
