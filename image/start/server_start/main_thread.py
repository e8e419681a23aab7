"""The queue of the main thread: run() is called there, one request after the other.

A script's run() need not be thread-safe, libraries keep sessions and event loops per thread, and SCORING_TIMEOUT_MS is
an alarm signal, which Python handles on the main thread only.
"""

from __future__ import annotations

import math
import time
from collections import deque
from queue import SimpleQueue
from typing import Callable, Generic, TypeVar

Waiting = TypeVar("Waiting")


class MainThread(Generic[Waiting]):
    """Requests that wait for the main thread, and steps of answers that it has begun.

    Other threads add to it and take from it; only the main thread calls `run`.

    Args:
        predict: Answers one request.
        show: Called when it changes whether a new request would be begun at once, and whether requests wait.
        before_work: Called before each request and each step.
        before_wait: Called before the main thread waits for the next request or step.
    """

    def __init__(
        self,
        predict: Callable[[Waiting], None],
        show: Callable[[bool, bool], None],
        before_work: Callable[[], None] = lambda: None,
        before_wait: Callable[[], None] = lambda: None,
    ) -> None:
        self._predict = predict
        self._show = show
        self._before_work = before_work
        self._before_wait = before_wait
        #: The requests that wait, the oldest first. Its operations are atomic.
        self.waiting: deque[Waiting] = deque()
        #: When the current request was begun (`time.monotonic`); 0.0 while there is none.
        self.busy_since = 0.0
        #: How long the last request or step took, in seconds; infinite before the first.
        self.took = math.inf
        self._steps: deque[Callable[[], None]] = deque()
        # A token for each request, step and wake-up; None ends `run`.
        self._tokens: SimpleQueue[bool | None] = SimpleQueue()

    def add(self, request: Waiting) -> None:
        """Add a request; it is begun after those that wait already."""
        self._show(False, self.busy_since > 0)
        self.waiting.append(request)
        self._tokens.put(True)

    def add_step(self, step: Callable[[], None]) -> None:
        """Add a step that continues an answer; it comes before the requests that wait."""
        self._steps.append(step)
        self._tokens.put(True)

    def take_back(self) -> Waiting | None:
        """Remove the oldest request that waits, and return it; None if none does."""
        try:
            return self.waiting.popleft()
        except IndexError:
            return None

    def remove(self, request: Waiting) -> bool:
        """Remove a request that waits. Returns False if it waits no more."""
        try:
            self.waiting.remove(request)
        except ValueError:
            return False
        self._show(False, bool(self.waiting))
        return True

    def put_back(self, request: Waiting) -> None:
        """Add a request again that was removed; it is the next."""
        self.waiting.appendleft(request)
        self._tokens.put(True)

    def wake(self) -> None:
        """Let the main thread run the handlers of signals: a signal alone does not end its wait (see `Worker`)."""
        self._tokens.put(True)

    def end(self) -> None:
        """Make `run` return after what was added so far."""
        self._tokens.put(None)

    def run(self) -> None:
        """Answer requests until `end` is called."""
        self._show(True, False)
        self._before_wait()
        while self._tokens.get():
            while self._steps:
                self._busy(self._steps.popleft())
            request = self.take_back()
            if request is not None:
                self._busy(self._predict, request)
            if not self.waiting:
                self._show(True, False)
            self._before_wait()

    def _busy(self, do: Callable[..., None], *arguments: Waiting) -> None:
        self._before_work()
        self.busy_since = began = time.monotonic()
        self._show(False, bool(self.waiting))
        try:
            do(*arguments)
        finally:
            self.busy_since = 0.0
            self.took = time.monotonic() - began
