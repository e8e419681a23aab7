"""The workers as children of gunicorn's master: their start, and their end.

init() may take as long as it needs: gunicorn 20.1, which the server for Python 3.7 needs, counts WORKER_TIMEOUT from
the fork of a worker. If a worker dies in init(), the server ends: every version of gunicorn replaces a worker that
died, for ever if each one dies, as with a model too large for the container's memory.

The master is the first process of the container, so it also adopts what the user's code leaves behind. How such an
orphan ended is of no interest; gunicorn 20.1 ends the server if its exit code is 3 or 4.
"""

from __future__ import annotations

import mmap
import os
import signal
import time
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer
from gunicorn.workers.workertmp import WorkerTmp

from server_start import children, ending, preload
from server_start.failure import SCRIPT_FAILED

#: Seconds for which an orphan that ended is left. With WORKER_PRELOAD, it may be a child of init() in the master itself
#: (they look alike), whose exit code the script is about to ask for.
PATIENCE = 1.0

#: Why this module ended the server: how a worker died while it started.
_reason = ""
#: Orphans that have ended, and when that was seen first (`time.monotonic`).
_orphans: dict[int, float] = {}


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
    children.install()
    run, spawn_worker, murder_workers = Arbiter.run, Arbiter.spawn_worker, Arbiter.murder_workers

    def spawn(arbiter: Any) -> Any:
        preloaded = arbiter.cfg.preload_app
        if preloaded:
            preload.before_fork()
        with children.forking_worker(arbiter.LISTENERS):
            pid = spawn_worker(arbiter)
        if preloaded:
            preload.warn()
        return pid

    def murder(arbiter: Any) -> None:
        """gunicorn calls this every second."""
        reap(arbiter)  # gunicorn 20 forgets a worker that ended before it was listed
        bury_orphans(arbiter)
        murder_workers(arbiter)

    Arbiter.run = ending.without_waiting(run)
    Arbiter.spawn_worker = spawn
    Arbiter.murder_workers = murder
    Arbiter.reap_workers = reap


def reap(arbiter: Any) -> None:
    """Reap the workers that have ended, and no other child, and end the server if one of them died while it started.

    All are reaped before the server ends: the kernel merges the signals of workers that end at the same time, and
    gunicorn would wait for the others until the grace period ends.

    Raises:
        HaltServer: A worker died while it started.
    """
    global _reason
    if arbiter.reexec_pid and _has_ended(arbiter.reexec_pid):
        arbiter.reexec_pid = 0
    failed = []
    for pid in list(arbiter.WORKERS):
        try:
            # gunicorn 20 calls this in a signal handler too, and so possibly within another call of it.
            end = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG)
        except ChildProcessError:
            how = None
        else:
            if end is None:
                continue
            how = (end.si_code, end.si_status)
        worker = arbiter.WORKERS.pop(pid, None)
        if worker is None:
            continue
        _log(arbiter.log, pid, worker, how)
        if _failed(arbiter, worker, how):
            failed.append(how)
        worker.tmp.close()
        arbiter.cfg.child_exit(arbiter, worker)
    if failed and arbiter.LISTENERS:  # no listeners: it is ending already
        _reason = describe(failed[0])
        raise HaltServer("A worker died while it started.", SCRIPT_FAILED)


def bury_orphans(arbiter: Any) -> None:
    """Reap the other children that ended at least `PATIENCE` ago: until then, each counts as a process."""
    now = time.monotonic()
    workers = {*arbiter.WORKERS, arbiter.reexec_pid, getattr(arbiter, "dirty_arbiter_pid", 0)}
    ended = _ended_children() - workers
    for pid in set(_orphans) - ended:
        del _orphans[pid]
    for pid in ended:
        if now - _orphans.setdefault(pid, now) >= PATIENCE:
            _has_ended(pid)


def _ended_children() -> set[int]:
    """Return the children of this process that have ended and are not reaped yet."""
    try:
        if os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return set()
    except ChildProcessError:
        return set()
    ours = [b"Z", str(os.getpid()).encode()]
    return {int(name) for name in os.listdir("/proc") if name.isdigit() and _state(name) == ours}


def _state(name: str) -> list[bytes]:
    """Return the state and the parent of a process (see proc(5)); an empty list if it does not exist any more."""
    try:
        with open(f"/proc/{name}/stat", "rb") as file:
            # The second field is the name of the program, in parentheses, and may contain spaces and parentheses.
            return file.read().rpartition(b")")[2].split()[:2]
    except OSError:
        return []


def _has_ended(pid: int) -> bool:
    """Reap a child if it has ended."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def _failed(arbiter: Any, worker: Any, how: tuple[int, int] | None) -> bool:
    """Tell whether a worker ended because it could not start."""
    if how is not None and how[0] != os.CLD_EXITED and how[1] in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        return False  # it was told to stop, before it could handle the signal
    if hasattr(worker.tmp, "starting"):
        return bool(worker.tmp.starting)
    # Another worker class, chosen by the user.
    codes = (arbiter.WORKER_BOOT_ERROR, arbiter.APP_LOAD_ERROR)
    return how is not None and how[0] == os.CLD_EXITED and how[1] in codes


def _log(log: Any, pid: int, worker: Any, how: tuple[int, int] | None) -> None:
    """Log how a worker ended, if it did not end by itself."""
    if how is None or how == (os.CLD_EXITED, 0):
        return
    if how[0] == os.CLD_EXITED:
        log.error("Worker (pid:%s) exited with code %s.", pid, how[1])
        return
    hint = " Perhaps out of memory?" if how[1] == signal.SIGKILL and not worker.aborted else ""
    level = log.info if how[1] == signal.SIGTERM else log.error
    level("Worker (pid:%s) was sent %s!%s", pid, _signal_name(how[1]), hint)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


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
        how, why = f" ({_signal_name(end[1])})", "native code of a package failed"
        if end[1] == signal.SIGKILL:
            why = "give the container more memory, most often there was too little"
    return f"a worker died{how} while the script was imported or its init() ran: {why}\n"
