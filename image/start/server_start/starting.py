"""The start of workers: init() may take as long as it needs, and if a worker dies in it, the server ends.

gunicorn 20.1, which the server for Python 3.7 needs, counts WORKER_TIMEOUT from the fork of a worker. And every version
of gunicorn replaces a worker that died, for ever if each one dies: with a model too large for the container's memory.
"""

from __future__ import annotations

import mmap
import os
import signal
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer
from gunicorn.workers.workertmp import WorkerTmp

from server_start.failure import SCRIPT_FAILED

#: Why this module ended the server: how a worker died while it started.
_reason = ""


class Heartbeat(WorkerTmp):  # type: ignore[misc]  # gunicorn has no types
    """A worker's heartbeat for its master, which does not expect it while the worker starts."""

    def __init__(self, cfg: Any) -> None:
        super().__init__(cfg)
        # Shared by master and worker. A thread could not send heartbeats: native code may hold Python's global lock.
        self._started = mmap.mmap(-1, 1)

    @property
    def starting(self) -> bool:
        """True until init() has returned or the worker has been told to stop."""
        return self._started[0] == 0

    def begin(self) -> None:
        """End the start, in the worker: it serves now, or it stops because it was told to."""
        self.notify()
        self._started[0] = 1

    def last_update(self) -> float:
        """Return the time of the worker's last heartbeat (by gunicorn's own clock).

        Raises:
            ValueError: The worker is starting. gunicorn skips such a worker.
        """
        if self.starting:
            raise ValueError("the worker has not started yet")
        time: float = super().last_update()
        return time


def end_where_one_dies() -> None:
    """Make gunicorn's master end if a worker dies while it starts. Call this before gunicorn runs."""
    reap_workers = Arbiter.reap_workers

    def reap(arbiter: Any) -> None:
        starting = [(pid, worker, _end_of(pid)) for pid, worker in list(arbiter.WORKERS.items()) if worker.tmp.starting]
        try:
            reap_workers(arbiter)  # it ends the server itself if a worker reports that it could not boot
        except HaltServer:
            _forget_the_dead(arbiter)
            raise
        ends = [end for pid, worker, end in starting if pid not in arbiter.WORKERS and worker.tmp.starting]
        if ends and arbiter.LISTENERS:  # no listeners: it is ending already
            global _reason
            _reason = describe(ends[0])
            raise HaltServer("A worker died while it started.", SCRIPT_FAILED)

    Arbiter.reap_workers = reap


def _forget_the_dead(arbiter: Any) -> None:
    """Reap workers that died at the same time as the one that ends the server: simultaneous signals are merged.

    gunicorn stops at the first worker that could not boot, and would wait for the others until the grace period ends.
    """
    for pid in list(arbiter.WORKERS):
        try:
            gone = os.waitpid(pid, os.WNOHANG)[0] == pid
        except ChildProcessError:
            gone = True
        worker = arbiter.WORKERS.pop(pid, None) if gone else None
        if worker is not None:
            worker.tmp.close()


def _end_of(pid: int) -> tuple[int, int] | None:
    """Return how a child that is not yet reaped ended: waitid's code and status; None if it is alive."""
    try:
        end = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return None if end is None else (end.si_code, end.si_status)


def reason() -> str:
    """Return why this module ended the server; empty if it did not."""
    return _reason


def describe(end: tuple[int, int] | None) -> str:
    """Explain how a worker ended, and what to check.

    Args:
        end: waitid's code and status (the exit code, or the signal); None if they are not known.
    """
    how, why = "", "see the log above"
    if end is not None and end[0] == os.CLD_EXITED:
        how, why = f" (exit code {end[1]})", "the script or a package ended the process"
    elif end is not None:
        names = {number.value: number.name for number in signal.Signals}
        how, why = f" ({names.get(end[1], end[1])})", "native code of a package failed"
        if end[1] == signal.SIGKILL:
            why = "give the container more memory, most often there was too little"
    return f"a worker died{how} while the script was imported or its init() ran: {why}\n"
