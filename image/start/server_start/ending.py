"""The end of the server's processes: they do not wait for threads and processes of the user's code.

At its end, Python waits for all threads that are not daemons, and multiprocessing for all such processes. A program
that gets SIGTERM does not wait: the signal ends it. The server handles that signal, to finish its requests, and would
then wait until the platform kills the container, or, if WORKER_TIMEOUT ended the worker, without a replacement.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from typing import Any, Callable, NoReturn

#: Seconds for Python's own end: other threads, exit handlers, child processes.
PATIENCE = 2.0
#: Seconds for the exit handlers, if Python has not called them by then: logs and telemetry are sent there.
LAST_HANDLERS = 1.0


def without_waiting(run: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the function in which gunicorn's master and its workers run, so that the end of the process is limited."""

    def limited(*arguments: Any) -> Any:
        try:
            return run(*arguments)
        except SystemExit as end:
            _limit(end.code)
            raise

    return limited


def _limit(code: Any) -> None:
    """End this process after `PATIENCE`, if it has not ended by then.

    Args:
        code: The exit code, as `sys.exit` takes it.
    """
    number = code if isinstance(code, int) else int(code is not None)
    begun = threading.Event()
    atexit.register(begun.set)  # Python calls it first
    try:
        threading.Thread(target=_end, args=(number, begun), name="end", daemon=True).start()
    except RuntimeError:  # the platform allows no more threads: Python may end in time all the same
        pass


def _end(code: int, begun: threading.Event) -> NoReturn:
    time.sleep(PATIENCE)
    names = [thread.name for thread in threading.enumerate() if not thread.daemon and thread.name != "MainThread"]
    multiprocessing = sys.modules.get("multiprocessing.process")
    if multiprocessing is not None:
        names += [process.name for process in multiprocessing.active_children() if not process.daemon]
    waits = f" for {', '.join(names)}" if names else ""
    print(f"start-server: process {os.getpid()} ends now, without waiting{waits}", file=sys.stderr, flush=True)
    if not begun.is_set():
        handlers = threading.Thread(target=atexit._run_exitfuncs, daemon=True)  # noqa: SLF001 - no public way
        try:
            handlers.start()
            handlers.join(LAST_HANDLERS)
        except RuntimeError:  # the platform allows no more threads
            pass
        sys.stdout.flush()
    os._exit(code & 0xFF)
