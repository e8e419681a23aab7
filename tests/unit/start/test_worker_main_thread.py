"""The queue of the main thread: order, and what comes first."""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

START = Path(__file__).parents[3] / "image" / "start"


@pytest.fixture
def main_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(START))
    yield importlib.import_module("server_start.main_thread").MainThread
    for name in [name for name in sys.modules if name.partition(".")[0] == "server_start"]:
        del sys.modules[name]


def nothing(*_: object) -> None:
    pass


def test_requests_are_begun_in_order(main_thread: Any) -> None:
    begun: list[str] = []
    main = main_thread(begun.append, nothing)
    for request in ("first", "second", "third"):
        main.add(request)
    main.end()
    main.run()
    assert begun == ["first", "second", "third"]


def test_an_answer_that_has_begun_comes_first(main_thread: Any) -> None:
    begun: list[str] = []
    main = main_thread(begun.append, nothing)
    main.add("request")
    main.add_step(lambda: begun.append("next part"))
    main.end()
    main.run()
    assert begun == ["next part", "request"]


def test_a_request_that_was_removed_is_not_begun(main_thread: Any) -> None:
    begun: list[str] = []
    main = main_thread(begun.append, nothing)
    for request in ("first", "second", "third"):
        main.add(request)
    assert main.remove("second")
    assert not main.remove("second")
    assert main.take_back() == "first"
    main.put_back("first")
    main.end()
    main.run()
    assert begun == ["first", "third"]


def test_a_wake_up_alone_begins_nothing(main_thread: Any) -> None:
    main = main_thread(pytest.fail, nothing)
    main.wake()
    main.end()
    main.run()
    assert main.take_back() is None


def test_it_shows_whether_it_is_idle_and_whether_requests_wait(main_thread: Any) -> None:
    shown: list[tuple[bool, bool]] = []
    main = main_thread(lambda request: shown.append(("during", request)), lambda *state: shown.append(state))  # type: ignore[arg-type]
    main.add(1)
    main.add(2)
    main.end()
    main.run()
    assert shown[-1] == (True, False)
    assert shown[shown.index(("during", 1)) - 1] == (False, True)  # type: ignore[arg-type]
    assert shown[shown.index(("during", 2)) - 1] == (False, False)  # type: ignore[arg-type]


def test_a_prediction_that_ends_the_worker_leaves_it_not_busy(main_thread: Any) -> None:
    def ends(_: object) -> None:
        raise SystemExit(1)

    main = main_thread(ends, nothing)
    main.add("request")
    with pytest.raises(SystemExit):
        main.run()
    assert main.busy_since == 0.0


def test_each_request_and_each_step_counts_as_work(main_thread: Any) -> None:
    """The time that a prediction may take counts from its begin, also that of a part of a streamed answer."""
    done: list[str] = []
    main = main_thread(done.append, nothing, before_work=lambda: done.append("begins"))
    main.add("request")
    main.add_step(lambda: done.append("step"))
    main.end()
    main.run()
    assert done == ["begins", "step", "begins", "request"]


def test_it_is_idle_for_others_before_it_asks_them(main_thread: Any) -> None:
    """A worker that asks others for requests must not look busy to them."""
    done: list[object] = []
    main = main_thread(done.append, lambda idle, waiting: done.append(idle), before_wait=lambda: done.append("asks"))
    main.add("request")
    main.end()
    main.run()
    assert [after for before, after in itertools.pairwise(done) if before is True] == ["asks", "asks"]


def test_it_prepares_before_each_wait(main_thread: Any) -> None:
    """A script may have changed what the wait needs: in init(), in run(), or in a part of a streamed answer."""
    done: list[str] = []
    main = main_thread(done.append, nothing, before_wait=lambda: done.append("prepared"))
    main.add("request")
    main.add_step(lambda: done.append("step"))
    main.add("last")
    main.end()
    main.run()
    assert done == ["prepared", "step", "request", "prepared", "last", "prepared", "prepared"]
