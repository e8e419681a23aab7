"""The gunicorn worker of the images: it predicts on its main thread and answers everything else meanwhile.

gunicorn's own choices have a flaw each: its sync worker does not answer the platform's health probe while it
predicts, its threaded worker enters a script's run() several times at once, off the main thread, where the server's
SCORING_TIMEOUT_MS (an alarm signal) does not work.  Here the threaded worker's loop and its requests have threads,
and what calls run() is handed to the main thread, one request after the other.

Works with gunicorn 20.1 (the server of Python 3.7 needs it) and later.
"""

from __future__ import annotations

import contextvars
import gc
import io
import logging
import mmap
import os
import select
import selectors
import socket
import threading
import time
import traceback
from collections import deque
from concurrent.futures import Future
from queue import SimpleQueue
from types import FrameType
from typing import Any, Callable, Iterator, Tuple

from gunicorn.workers.gthread import ThreadWorker

from server_start import starting

#: The one route that runs the user's code.
SCORE = "/score"

#: Shared by the workers: a byte for each that has nothing to do is 1; `watch` makes it.
_idle: mmap.mmap | None = None
#: Seconds that a worker with something to do leaves a new connection to one without.
POLITENESS = 0.1

#: Where a worker that cannot boot tells its master why; `watch` makes it.
_pipe: tuple[int, int] | None = None

_Job = Tuple["Future[Any]", Callable[..., Any], Tuple[Any, ...]]


#: The server's own words where a script raises an exception.
SCRIPT_ENDED = b'{"message": "An unexpected error occurred in scoring script. Check the logs for more info."}'

#: To a client that went away, or said a wrong length.
INCOMPLETE = b'{"message": "The body of the request is shorter than its Content-Length."}'


class ScriptEnded(Exception):
    """run() raised what ends a process (sys.exit): here it ends the request."""


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """A threaded worker that predicts on its main thread."""

    tmp: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tmp.close()
        self.tmp = starting.Heartbeat(self.cfg)
        # In the master, where this runs:
        set_log_level()
        gc.enable()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        #: Steps of answers that are being streamed: they come before the next prediction.
        self._streams: deque[_Job] = deque()
        self._closing = threading.Lock()
        self._closed = False
        self._predicting = False
        #: Connections on which no request has come yet.
        self._silent: set[Any] = set()
        #: Connections that have, or may turn out to have, work for the main thread.
        self._claims: set[Any] = set()
        self._thread = threading.local()
        self.wsgi: Any

    def load_wsgi(self) -> None:
        """Import the server and the user's script, and call its init()."""
        gc.disable()
        try:
            import azureml_inference_server_http.server.config  # noqa: F401  # it sets the loggers up

            set_log_level()
            _collect_from_init_on()
            super().load_wsgi()
        except BaseException as error:
            _tell(error)
            raise
        finally:
            gc.enable()
        self.wsgi = _OnMainThread(self.wsgi, self.call)
        self.tmp.begin()

    def run(self) -> None:
        """Run jobs until the loop, in its thread, has ended: every request is answered, or the grace period is over."""
        # gunicorn has signals restart system calls, so one alone does not wake a main thread that waits for a job.
        self.poller.register(self.PIPE[0], selectors.EVENT_READ, self._wake)
        self._tell_idle()
        loop = threading.Thread(target=self._loop, name="loop", daemon=True)
        loop.start()
        try:
            while True:
                job = self._jobs.get()
                while self._streams:
                    self._do(*self._streams.popleft())
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
            if _idle is not None:
                _idle[self.age % len(_idle)] = 0
            self._jobs.put(None)

    def _wake(self, pipe: int) -> None:
        """A signal came (Python wrote to the pipe): let the main thread run its handler."""
        os.read(pipe, 4096)
        self._jobs.put((Future(), _nothing, ()))

    def call(self, function: Callable[..., Any], *arguments: Any, streams: bool = False) -> Any:
        """Call a function on the main thread and give its result to this one.

        Args:
            function: What to call, after what waits already.
            arguments: Its arguments.
            streams: It goes on with an answer that has begun, and comes before what waits.
        """
        future: Future[Any] = Future()
        with self._closing:
            if self._closed:
                raise RuntimeError("the worker is stopping")
            if streams:
                self._streams.append((future, function, arguments))
                self._jobs.put((Future(), _nothing, ()))
            else:
                self._jobs.put((future, function, arguments))
        try:
            return future.result()
        finally:
            # Before the client hears of it: its next request may find this worker free.
            self._release(self._thread.connection)

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
            for stream in self._streams:
                stream[0].set_exception(RuntimeError("the worker is stopping"))
            while not self._jobs.empty():
                job = self._jobs.get()
                if job is not None:
                    job[0].set_exception(RuntimeError("the worker is stopping"))

    def notify(self) -> None:
        """Tell the master that the worker lives; not while it predicts: WORKER_TIMEOUT ends a prediction that hangs."""
        self._tell_idle()
        if not self._predicting:
            super().notify()

    def handle_abort(self, sig: int, frame: FrameType | None) -> None:
        """The master ends a worker whose prediction took too long."""
        self.alive = False
        for listener in self.sockets:
            listener.close()  # what this process has not taken waits for the worker that replaces it
        super().handle_abort(sig, frame)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM: requests in flight are finished; a worker that still starts has none."""
        if not self.booted:
            self._leave()
        super().handle_exit(sig, frame)
        for connection in tuple(self._silent):
            _read_no_more(connection)

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """SIGINT (Ctrl-C) and SIGQUIT: it ends at once."""
        if not self.booted:
            self._leave()
        super().handle_quit(sig, frame)

    def _leave(self) -> None:
        """End a worker that still starts. An exception would pass for one of the user's init()."""
        self.tmp.begin()
        os._exit(0)

    def handle(self, conn: Any) -> Any:
        """Handle a request in its thread; a client that says nothing does not keep a worker from stopping."""
        self._silent.add(conn)
        self._thread.connection = conn
        try:
            if not self.alive:
                _read_no_more(conn)
            return super().handle(conn)
        finally:
            self._silent.discard(conn)
            self._release(conn)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request that came."""
        self._silent.discard(conn)
        return super().handle_request(req, conn)

    def accept(self, *arguments: Any) -> None:
        """Take a new connection, where no other worker is free for it: here it would wait for a prediction.

        Args:
            arguments: gunicorn's own; the last is the listener.
        """
        if self._claims:
            give_up = time.monotonic() + POLITENESS
            while _another_is_idle():
                if not _is_readable(arguments[-1]):
                    return  # taken
                if time.monotonic() > give_up:
                    _forget_idle()
                    break
                time.sleep(0.001)
        super().accept(*arguments)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Listen or not (gunicorn 27); one that stops does not listen any more: clients go elsewhere at once."""
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:
                listener.close()

    def enqueue_req(self, conn: Any) -> None:
        """Give a connection to a thread."""
        self._claims.add(conn)
        self._tell_idle()
        super().enqueue_req(conn)

    def _release(self, connection: Any) -> None:
        self._claims.discard(connection)
        self._tell_idle()

    def _tell_idle(self) -> None:
        if _idle is not None:
            _idle[self.age % len(_idle)] = 1 if self.alive and self.booted and not self._claims else 0


def _nothing() -> None:
    pass


def _another_is_idle() -> bool:
    # The one that asks is not.
    return _idle is not None and _idle.find(b"\1", 0) >= 0


def _forget_idle() -> None:
    """One that was killed would stand there for ever; those that live say it again (`notify`)."""
    if _idle is not None:
        _idle[:] = bytes(len(_idle))


def _is_readable(sock: Any) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def _read_no_more(connection: Any) -> None:
    """End a connection on which nothing came."""
    try:
        if _is_readable(connection.sock):
            return
        connection.sock.shutdown(socket.SHUT_RD)
    except OSError:
        pass


class _OnMainThread:
    """A WSGI application whose scoring requests, and what they give, are worked on by the main thread."""

    def __init__(self, app: Callable[..., Any], call: Callable[..., Any]) -> None:
        self._app = app
        self._call = call

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        # As the server finds its routes: //score is /score.
        if "/" + environ.get("PATH_INFO", "").lstrip("/") != SCORE:
            return self._app(environ, start_response)
        # Read here: a slow client must not keep the main thread.
        body = environ["wsgi.input"].read()
        if len(body) < int(environ.get("CONTENT_LENGTH") or 0):
            start_response("400 BAD REQUEST", [("Content-Type", "application/json")])
            return [INCOMPLETE]
        environ["wsgi.input"] = io.BytesIO(body)
        # Flask keeps the request in context variables: two answers that are streamed at a time have one each.
        context = contextvars.copy_context()
        try:
            parts, streamed = self._call(context.run, self._answer, environ, start_response)
        except ScriptEnded:
            logging.getLogger("azmlinfsrv").exception("Encountered Exception")
            start_response(
                "500 INTERNAL SERVER ERROR",
                [("Content-Type", "application/json"), ("x-ms-run-function-failed", "True")],
            )
            return [SCRIPT_ENDED]
        return _Stream(parts, context, self._call) if streamed else parts

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> tuple[Any, bool]:
        """The answer's parts, on the main thread; whole, unless it is streamed: then its length is not known."""
        names: list[str] = []

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            names.extend(name.lower() for name, _ in headers)
            return start_response(status, headers, *rest)

        parts = self._app(environ, start)
        if "content-length" not in names:
            return parts, True
        try:
            return list(parts), False
        finally:
            if hasattr(parts, "close"):
                parts.close()


class _Stream:
    """An answer that a script gives bit by bit; what makes the bits is the user's code too."""

    def __init__(self, parts: Any, context: contextvars.Context, call: Callable[..., Any]) -> None:
        self._parts = parts
        self._context = context
        self._call = call

    def _do(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self._call(self._context.run, function, *arguments, streams=True)

    def __iter__(self) -> Iterator[bytes]:
        end = object()
        parts = self._do(iter, self._parts)
        while True:
            part = self._do(next, parts, end)
            if part is end:
                return
            yield part

    def close(self) -> None:
        if hasattr(self._parts, "close"):
            self._do(self._parts.close)


def _collect_from_init_on() -> None:
    """Look for garbage from the user's init() on: what the imports before it made stays.

    To look for garbage in that costs a tenth of the server's and scikit-learn's imports.
    """
    from azureml_inference_server_http.server.user_script import UserScript

    invoke_init = UserScript.invoke_init

    def collecting(script: Any) -> None:
        gc.freeze()
        gc.enable()
        invoke_init(script)

    UserScript.invoke_init = collecting


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
    """Make what the workers share with the master: who is idle, why one cannot boot. Call it before gunicorn runs."""
    global _pipe, _idle
    starting.end_where_one_dies()
    _idle = mmap.mmap(-1, 4096)
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
    if starting.reason():
        return starting.reason()
    # WORKER_PRELOAD: the master itself imported the script, and the server ended it with SystemExit.
    return describe(error) if type(error.__context__).__name__.startswith("UserScript") else ""


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
