"""Workers that start: their init() has all the time it needs, and where one dies in it the server ends.

gunicorn 20.1, which the server of Python 3.7 needs, counts WORKER_TIMEOUT from a worker's fork on; and any gunicorn
replaces a worker that died, also one that comes to the same end each time: with a model too big for the container's
memory, for ever.
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

#: Why the server was ended here: a worker died while it started.
_reason = ""


class Heartbeat(WorkerTmp):  # type: ignore[misc]  # gunicorn has no types
    """A worker's sign of life to its master, which does not look for it while the worker starts."""

    def __init__(self, cfg: Any) -> None:
        super().__init__(cfg)
        # Shared by master and worker. No thread that beats meanwhile: native code may keep Python's global lock.
        self._started = mmap.mmap(-1, 1)

    @property
    def starting(self) -> bool:
        """Whether the worker has neither called init() to its end nor been told to go."""
        return self._started[0] == 0

    def begin(self) -> None:
        """In the worker: it serves, or it leaves because it was told to."""
        self.notify()
        self._started[0] = 1

    def last_update(self) -> float:
        """When the worker gave its last sign (gunicorn's own clock).

        Raises:
            ValueError: It starts; gunicorn passes over such a worker.
        """
        if self.starting:
            raise ValueError("the worker has not started yet")
        time: float = super().last_update()
        return time


def end_where_one_dies() -> None:
    """Have gunicorn's master end where a worker dies while it starts. Call it before gunicorn runs."""
    reap_workers = Arbiter.reap_workers

    def reap(arbiter: Any) -> None:
        starting = [(pid, worker, _end_of(pid)) for pid, worker in list(arbiter.WORKERS.items()) if worker.tmp.starting]
        try:
            reap_workers(arbiter)  # it halts the server itself where a worker says that it could not boot
        except HaltServer:
            _forget_the_dead(arbiter)
            raise
        ends = [end for pid, worker, end in starting if pid not in arbiter.WORKERS and worker.tmp.starting]
        if ends and arbiter.LISTENERS:  # it has none where it is ending already
            global _reason
            _reason = describe(ends[0])
            raise HaltServer("A worker died while it started.", SCRIPT_FAILED)

    Arbiter.reap_workers = reap


def _forget_the_dead(arbiter: Any) -> None:
    """Reap what died with the worker that halts the server: of two signals that come together one is left.

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
    """How a child ended that is still to be reaped: waitid's code and status; None where it lives."""
    try:
        end = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return None if end is None else (end.si_code, end.si_status)


def reason() -> str:
    """Why the server was ended here; empty where it was not."""
    return _reason


def describe(end: tuple[int, int] | None) -> str:
    """For people: how a worker ended, and what to look at.

    Args:
        end: waitid's code and status (the exit code, or the signal); None where they are not known.
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
