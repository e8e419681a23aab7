"""The gunicorn worker of the images: it predicts on its main thread and answers everything else meanwhile.

gunicorn's own choices have a flaw each: its sync worker does not answer the platform's health probe while it
predicts, its threaded worker enters a script's run() several times at once, off the main thread, where the server's
SCORING_TIMEOUT_MS (an alarm signal) does not work.  Here the threaded worker's loop and its requests have threads,
and what calls run() is handed to the main thread, one request after the other.

Works with gunicorn 20.1 (the server of Python 3.7 needs it) and later.
"""

from __future__ import annotations

import gc
import io
import logging
import os
import selectors
import threading
import time
import traceback
from concurrent.futures import Future
from queue import SimpleQueue
from types import FrameType
from typing import Any, Callable, Iterator, Tuple

from gunicorn.workers.gthread import ThreadWorker

#: The one route that runs the user's code.
SCORE = "/score"

#: Seconds, for each connection that a worker has, by which another worker may be faster to take the next.
PAUSE = 0.02

#: Where a worker that cannot boot tells its master why; `watch` opens it.
_pipe: tuple[int, int] | None = None

_Job = Tuple["Future[Any]", Callable[..., Any], Tuple[Any, ...]]


#: The server's own words where a script raises an exception.
SCRIPT_ENDED = b'{"message": "An unexpected error occurred in scoring script. Check the logs for more info."}'


class ScriptEnded(Exception):
    """run() raised what ends a process (sys.exit): here it ends the request."""


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """A threaded worker that predicts on its main thread."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        set_log_level()  # of the master, where this runs
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._predicting = False
        self.wsgi: Any

    def load_wsgi(self) -> None:
        """Import the server and the user's script, and call its init()."""
        # What imports make stays: to look for garbage in it costs 7 % of the server's and scikit-learn's imports.
        usual = gc.get_threshold()
        gc.set_threshold(50000, 20, 20)
        try:
            import azureml_inference_server_http.server.config  # noqa: F401  # it sets the loggers up

            set_log_level()
            super().load_wsgi()
        except BaseException as error:
            _tell(error)
            raise
        finally:
            gc.set_threshold(*usual)
        self.wsgi = _OnMainThread(self.wsgi, self.call)

    def run(self) -> None:
        """Run jobs until the loop, in its thread, has ended: every request is answered, or the grace period is over."""
        # gunicorn has signals restart system calls, so one alone does not wake a main thread that waits for a job.
        self.poller.register(self.PIPE[0], selectors.EVENT_READ, self._wake)
        loop = threading.Thread(target=self._loop, name="loop", daemon=True)
        loop.start()
        try:
            while True:
                job = self._jobs.get()
                if job is None:
                    return
                self._do(*job)
        finally:
            self._close()

    def _loop(self) -> None:
        try:
            super().run()
        except (OSError, ValueError):
            if self.alive:
                raise
            # handle_abort has closed what the loop listened on.
        finally:
            self._jobs.put(None)

    def _wake(self, pipe: int) -> None:
        """A signal came (Python wrote to the pipe): let the main thread run its handler."""
        os.read(pipe, 4096)
        self._jobs.put((Future(), _nothing, ()))

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function on the main thread, after those that wait already, and give its result to this thread."""
        future: Future[Any] = Future()
        with self._closing:
            if self._closed:
                raise RuntimeError("the worker is stopping")
            self._jobs.put((future, function, arguments))
        return future.result()

    def _do(self, future: Future[Any], function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        super().notify()
        self._predicting = True
        try:
            future.set_result(function(*arguments))
        except Exception as error:  # noqa: BLE001 - the request's thread gets it
            future.set_exception(error)
        except BaseException as error:
            # SystemExit of a signal's handler ends the worker; of a script, it fails the request.
            failed = ScriptEnded(f"the scoring script ended with {error!r}")
            failed.__cause__ = error
            future.set_exception(failed)
            if not self.alive:
                raise
        finally:
            self._predicting = False
            super().notify()

    def _close(self) -> None:
        """Fail what still waits: a thread that waits for ever would keep the process from ending."""
        with self._closing:
            self._closed = True
            while not self._jobs.empty():
                job = self._jobs.get()
                if job is not None:
                    job[0].set_exception(RuntimeError("the worker is stopping"))

    def notify(self) -> None:
        """Tell the master that the worker lives; not while it predicts: WORKER_TIMEOUT ends a prediction that hangs."""
        if not self._predicting:
            super().notify()

    def accept(self, listener: Any) -> None:
        """Take a connection; a worker with work lets one with less take it first.

        Without a pause the busy ones would be as fast: a request would wait there while another worker is free.
        """
        if self.cfg.workers > 1 and self.nr_conns:
            time.sleep(min(PAUSE * self.nr_conns, 10 * PAUSE))
        super().accept(listener)

    def handle_abort(self, sig: int, frame: FrameType | None) -> None:
        """The master ends a worker whose prediction took too long."""
        self.alive = False
        for listener in self.sockets:
            listener.close()  # what this process has not taken waits for the worker that replaces it
        super().handle_abort(sig, frame)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM: requests in flight are finished; a worker that still starts has none."""
        if not self.booted:
            os._exit(0)
        super().handle_exit(sig, frame)


def _nothing() -> None:
    pass


class _OnMainThread:
    """A WSGI application whose scoring requests, and what they give, are worked on by the main thread."""

    def __init__(self, app: Callable[..., Any], call: Callable[..., Any]) -> None:
        self._app = app
        self._call = call

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if environ.get("PATH_INFO") != SCORE:
            return self._app(environ, start_response)
        # Read here: a slow client must not keep the main thread.
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read())
        try:
            return _Body(self._call(self._app, environ, start_response), self._call)
        except ScriptEnded:
            logging.getLogger("azmlinfsrv").exception("Encountered Exception")
            start_response(
                "500 INTERNAL SERVER ERROR",
                [("Content-Type", "application/json"), ("x-ms-run-function-failed", "True")],
            )
            return [SCRIPT_ENDED]


class _Body:
    """A response's body; a script may give a generator, which is the user's code too."""

    def __init__(self, parts: Any, call: Callable[..., Any]) -> None:
        self._parts = parts
        self._call = call

    def __iter__(self) -> Iterator[bytes]:
        end = object()
        parts = self._call(iter, self._parts)
        while True:
            part = self._call(next, parts, end)
            if part is end:
                return
            yield part

    def close(self) -> None:
        if hasattr(self._parts, "close"):
            self._call(self._parts.close)


def set_log_level() -> None:
    """Give the server's loggers the level of AZUREML_LOG_LEVEL: the server reads it, and does not use it (1.5.1)."""
    level = os.environ.get("AZUREML_LOG_LEVEL", "").upper()
    if not level:
        return
    for name in ("azmlinfsrv", "gunicorn.access", "gunicorn.error"):
        logger = logging.getLogger(name)
        logger.setLevel(level)
        for handler in logger.handlers:
            handler.setLevel(level)


def watch() -> None:
    """Open the way on which a worker says why it could not boot. Call it in the master, before gunicorn runs."""
    global _pipe
    _pipe = os.pipe()
    for end in _pipe:
        os.set_blocking(end, False)


def told(error: BaseException) -> str:
    """Why the server could not boot: the traceback of the user's error, or an empty text.

    Args:
        error: What ended the master.
    """
    if _pipe is not None:
        try:
            text = os.read(_pipe[0], 1 << 16)
        except BlockingIOError:
            text = b""
        if text:
            return text.split(b"\0")[0].decode(errors="replace")
    return describe(error)  # WORKER_PRELOAD: the master itself imported the script


def _tell(error: BaseException) -> None:
    text = describe(error)
    if text and _pipe is not None:
        try:
            # One write of less than a pipe holds: two workers' texts do not mix.
            os.write(_pipe[1], text.encode(errors="replace")[-30000:] + b"\0")
        except BlockingIOError:
            pass


def describe(error: BaseException) -> str:
    """The traceback of what the user's script raised, without the server's frames above it.

    Args:
        error: What the server made of it: it logs the traceback, and ends with SystemExit.
    """
    reason = error.__context__ if isinstance(error, SystemExit) else error
    if reason is None:
        return ""
    reason = reason.__cause__ or reason
    frames = reason.__traceback__
    while frames is not None and _is_the_servers(frames.tb_frame):
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(reason), reason, frames or reason.__traceback__))


def _is_the_servers(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    return "azureml_inference_server_http" in file or file.startswith("<frozen importlib")
