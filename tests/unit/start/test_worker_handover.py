"""Workers pass requests to each other: the desks, with real sockets between processes' ends."""

from __future__ import annotations

import array
import contextlib
import importlib
import marshal
import os
import resource
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

START = Path(__file__).parents[3] / "image" / "start"
CLIENT = ("192.0.2.7", 40000)
SERVER = ("192.0.2.1", 5001)


@pytest.fixture
def handover(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(START))
    yield importlib.import_module("server_start.handover")
    for name in [name for name in sys.modules if name.partition(".")[0] == "server_start"]:
        del sys.modules[name]


@pytest.fixture
def client() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection: the client's end and the server's."""
    ends = socket.socketpair()
    yield ends
    for end in ends:
        end.close()


def test_a_request_goes_to_the_worker_that_is_idle(handover: Any, client: tuple[socket.socket, socket.socket]) -> None:
    handover.prepare(3)
    busy, other, idle = handover.take(), handover.take(), handover.take()
    other.show(False, True)
    idle.show(True, False)
    assert busy.pass_on(client[1], b"POST /score", CLIENT, SERVER, 4)
    assert other.receive() is None
    passed = idle.receive()
    assert passed is not None
    assert (passed.data, passed.client, passed.server, passed.requests) == (b"POST /score", CLIENT, SERVER, 4)
    passed.sock.sendall(b"answer")
    assert client[0].recv(10) == b"answer"
    passed.sock.close()


def test_a_worker_gets_one_request_until_it_is_idle_again(
    handover: Any, client: tuple[socket.socket, socket.socket]
) -> None:
    handover.prepare(2)
    busy, idle = handover.take(), handover.take()
    idle.show(True, False)
    assert busy.pass_on(client[1], b"1", CLIENT, SERVER, 0)
    assert not busy.another_is_idle()
    assert not busy.pass_on(client[1], b"2", CLIENT, SERVER, 0)
    idle.show(True, False)
    assert busy.pass_on(client[1], b"2", CLIENT, SERVER, 0)


def test_a_worker_does_not_pass_requests_to_itself(handover: Any, client: tuple[socket.socket, socket.socket]) -> None:
    handover.prepare(2)
    alone, _ = handover.take(), handover.take()
    alone.show(True, False)
    assert not alone.another_is_idle()
    assert not alone.pass_on(client[1], b"1", CLIENT, SERVER, 0)


def test_an_idle_worker_asks_one_for_whom_requests_wait(handover: Any) -> None:
    handover.prepare(3)
    idle, waiting, busy = handover.take(), handover.take(), handover.take()
    waiting.show(False, True)
    busy.show(False, False)
    assert idle.requests_wait()
    idle.ask()
    assert waiting.inbox.recv(10)  # no connection: only that somebody is idle
    with pytest.raises(BlockingIOError):
        busy.inbox.recv(10)


def test_the_place_of_a_worker_that_ended_is_free_and_not_idle(
    handover: Any, client: tuple[socket.socket, socket.socket]
) -> None:
    handover.prepare(2)
    one, two = handover.take(), handover.take()
    two.show(True, True)
    handover.leave(two)
    assert not one.another_is_idle()
    assert not one.requests_wait()
    assert handover.take() is two


def test_the_clients_of_a_worker_that_ended_are_told(
    handover: Any, client: tuple[socket.socket, socket.socket]
) -> None:
    """It had not taken their requests yet, and there may be no next worker at its place."""
    handover.prepare(2)
    one, two = handover.take(), handover.take()
    two.show(True, False)
    assert one.pass_on(client[1], b"POST /score", CLIENT, SERVER, 0)
    client[1].close()
    handover.leave(two)
    assert client[0].recv(10) == b""
    assert two.receive() is None


def test_one_worker_is_alone(handover: Any) -> None:
    handover.prepare(1)
    assert handover.take().alone


def test_more_workers_than_places_share_nothing(handover: Any) -> None:
    handover.prepare(2)
    desks = [handover.take() for _ in range(2 * 2 + handover.SPARE)]
    assert not any(desk.alone for desk in desks)
    assert handover.take().alone


def test_large_requests_are_passed_on_too(handover: Any, client: tuple[socket.socket, socket.socket]) -> None:
    handover.prepare(2)
    busy, idle = handover.take(), handover.take()
    idle.show(True, False)
    data = b"POST /score" + bytes(range(256)) * 20_000
    assert busy.pass_on(client[1], data, CLIENT, SERVER, 4)
    passed = idle.receive()
    assert passed is not None
    assert passed.data == data
    passed.sock.sendall(b"answer")
    assert client[0].recv(10) == b"answer"
    passed.sock.close()


def test_a_worker_without_free_files_takes_a_large_request(
    handover: Any, client: tuple[socket.socket, socket.socket]
) -> None:
    """It keeps file descriptors for that from the start, before the script uses up all others."""
    handover.prepare(2)
    busy, idle = handover.take(), handover.take()
    assert idle.keep_spares()
    idle.show(True, False)
    assert busy.pass_on(client[1], b"x" * 1_000_000, CLIENT, SERVER, 0)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, limits[1]))
    taken = []
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        passed = idle.receive()
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert passed is not None
    assert len(passed.data) == 1_000_000
    passed.sock.close()


def test_the_client_is_told_the_end_where_its_request_is_lost(
    handover: Any, client: tuple[socket.socket, socket.socket]
) -> None:
    """Without a file descriptor for the bytes of a request, nobody could answer it."""
    handover.prepare(2)
    idle = handover.take()
    rights = array.array("i", [client[1].fileno()])
    message = marshal.dumps((None, CLIENT, SERVER, 0))
    idle.outbox.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    client[1].close()
    assert idle.receive() is None
    assert client[0].recv(10) == b""
