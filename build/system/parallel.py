"""The same work on several items at a time, in threads."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Requests to one server at a time: more gain little and meet rate limits.
WORKERS = 8


def run_parallel(work: Callable[[Item], Result], items: Iterable[Item], *, workers: int = WORKERS) -> list[Result]:
    """Apply a function to items, several at a time.

    The threads are daemons, unlike those of `concurrent.futures`: Ctrl-C does not wait for a silent server.

    Args:
        work: The function; it is called in other threads.
        items: Its arguments.
        workers: The number of threads.

    Returns:
        The results in the order of the items.

    Raises:
        Exception: The failure of the first item, in their order, that failed; items that have not begun are left.
    """
    arguments = list(items)
    if len(arguments) <= 1 or workers <= 1:
        return [work(argument) for argument in arguments]
    pending: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(arguments)):
        pending.put(number)
    results: dict[int, Result] = {}
    failures: dict[int, BaseException] = {}
    stopping = threading.Event()

    def run() -> None:
        while not stopping.is_set():
            try:
                number = pending.get_nowait()
            except queue.Empty:
                return
            try:
                results[number] = work(arguments[number])
            except BaseException as failure:  # noqa: BLE001  raised again in the caller's thread
                failures[number] = failure
                stopping.set()

    threads = [threading.Thread(target=run, daemon=True) for _ in range(min(workers, len(arguments)))]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    finally:
        stopping.set()
    if failures:
        raise failures[min(failures)]
    return [results[number] for number in range(len(arguments))]
