"""The thread that answers the health probe and everything else that does not run the user's code."""

from __future__ import annotations

import threading
import traceback
from queue import SimpleQueue
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from server_start.exchange import Answers


class Routes:
    """Answers requests in a thread of its own, one after the other: none of them takes long.

    Args:
        answers: Answers them.
    """

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._steps: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def start(self) -> None:
        """Start the thread. It ends with the process."""
        threading.Thread(target=self._run, name="routes", daemon=True).start()

    def add(self, step: Callable[[], None]) -> None:
        """Add a request, or a step of a streamed answer."""
        self._steps.put(step)

    def _run(self) -> None:
        while True:
            try:
                self._steps.get()()
            except BaseException:  # noqa: BLE001 - this thread must go on: without it, nothing answers the probe
                traceback.print_exc()
