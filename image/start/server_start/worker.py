"""The gunicorn worker of the images: it predicts on its main thread and answers all other requests in the meantime.

Each of gunicorn's own workers has a flaw here. The sync worker does not answer health probes while it predicts. The
threaded worker calls a script's run() several times at once, and not on the main thread, where the server's
SCORING_TIMEOUT_MS (an alarm signal) does not work. In this worker, the threaded worker's loop and its requests run in
threads, and calls of run() are passed to the main thread, one request after the other.

Works with gunicorn 20.1 (which the server for Python 3.7 needs) and later.
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

#: Shared by the workers: a byte for each worker, which is 1 while the worker is idle. Created by `watch`.
_idle: mmap.mmap | None = None
#: Seconds for which a busy worker leaves a new connection to an idle one.
POLITENESS = 0.1

#: Through this pipe a worker that cannot boot tells its master why. Created by `watch`.
_pipe: tuple[int, int] | None = None

_Job = Tuple["Future[Any]", Callable[..., Any], Tuple[Any, ...]]


#: The server's own message for a script that raises an exception.
SCRIPT_ENDED = b'{"message": "An unexpected error occurred in scoring script. Check the logs for more info."}'

#: For a client that went away, or announced a wrong length.
INCOMPLETE = b'{"message": "The body of the request is shorter than its Content-Length."}'


class ScriptEnded(Exception):
    """run() raised an exception that ends processes (sys.exit): here it only ends the request."""


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """A threaded worker that predicts on its main thread."""

    tmp: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tmp.close()
        self.tmp = starting.Heartbeat(self.cfg)
        # This runs in the master:
        set_log_level()
        gc.enable()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        #: Steps of streamed answers, which come before the next prediction.
        self._streams: deque[_Job] = deque()
        self._closing = threading.Lock()
        self._closed = False
        self._predicting = False
        #: Connections without a request so far.
        self._silent: set[Any] = set()
        #: Connections that have, or may have, work for the main thread.
        self._claims: set[Any] = set()
        self._thread = threading.local()
        self.wsgi: Any

    def load_wsgi(self) -> None:
        """Import the server and the user's script, and call its init()."""
        gc.disable()
        try:
            import azureml_inference_server_http.server.config  # noqa: F401  # it sets up the loggers

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
        """Run jobs until the loop has ended in its thread: all requests are answered, or the grace period is over."""
        # gunicorn makes signals restart system calls, so a signal alone does not wake a main thread that waits.
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
            # handle_abort has closed the sockets that the loop listened on.
        finally:
            if _idle is not None:
                _idle[self.age % len(_idle)] = 0
            self._jobs.put(None)

    def _wake(self, pipe: int) -> None:
        """A signal came (Python wrote to the pipe): let the main thread run its handler."""
        os.read(pipe, 4096)
        self._jobs.put((Future(), _nothing, ()))

    def call(self, function: Callable[..., Any], *arguments: Any, streams: bool = False) -> Any:
        """Call a function on the main thread, and return its result in this one.

        Args:
            function: The function. It is called after those that wait already.
            arguments: Its arguments.
            streams: The call continues an answer that has begun, and comes before those that wait.
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
            # Before the client gets the answer, so that its next request finds this worker idle.
            self._release(self._thread.connection)

    def _do(self, future: Future[Any], function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        super().notify()
        self._predicting = True
        try:
            future.set_result(function(*arguments))
        except Exception as error:  # noqa: BLE001 - raised again in the request's thread
            future.set_exception(error)
        except BaseException as error:
            # A SystemExit from a signal handler ends the worker; one from a script fails the request.
            failed = ScriptEnded(f"the scoring script ended with {error!r}")
            failed.__cause__ = error
            future.set_exception(failed)
            if not self.alive:
                raise
        finally:
            self._predicting = False
            super().notify()

    def _close(self) -> None:
        """Fail the calls that still wait: a thread that waits for ever would keep the process from ending."""
        with self._closing:
            self._closed = True
            for stream in self._streams:
                stream[0].set_exception(RuntimeError("the worker is stopping"))
            while not self._jobs.empty():
                job = self._jobs.get()
                if job is not None:
                    job[0].set_exception(RuntimeError("the worker is stopping"))

    def notify(self) -> None:
        """Send a heartbeat to the master, except during a prediction: WORKER_TIMEOUT ends one that hangs."""
        self._tell_idle()
        if not self._predicting:
            super().notify()

    def handle_abort(self, sig: int, frame: FrameType | None) -> None:
        """SIGABRT: the master ends this worker, since its prediction took too long."""
        self.alive = False
        for listener in self.sockets:
            listener.close()  # connections not yet accepted wait for the worker that replaces this one
        super().handle_abort(sig, frame)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM: finish the requests in progress; a worker that is still starting has none."""
        if not self.booted:
            self._leave()
        super().handle_exit(sig, frame)
        for connection in tuple(self._silent):
            _read_no_more(connection)

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """SIGINT (Ctrl-C) and SIGQUIT: end at once."""
        if not self.booted:
            self._leave()
        super().handle_quit(sig, frame)

    def _leave(self) -> None:
        """End a worker that is still starting. An exception would look like one of the user's init()."""
        self.tmp.begin()
        os._exit(0)

    def handle(self, conn: Any) -> Any:
        """Handle a request in its thread. A client that sends nothing does not keep the worker from stopping."""
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
        """Answer a request that has arrived."""
        self._silent.discard(conn)
        return super().handle_request(req, conn)

    def accept(self, *arguments: Any) -> None:
        """Accept a new connection, unless another worker is idle: in this one it would wait for a prediction.

        Args:
            arguments: gunicorn's own; the last is the listener.
        """
        if self._claims:
            give_up = time.monotonic() + POLITENESS
            while _another_is_idle():
                if not _is_readable(arguments[-1]):
                    return  # another worker accepted it
                if time.monotonic() > give_up:
                    _forget_idle()
                    break
                time.sleep(0.001)
        super().accept(*arguments)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Listen or not (gunicorn 27). A worker that stops closes its sockets, so that clients go elsewhere at once."""
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:
                listener.close()

    def enqueue_req(self, conn: Any) -> None:
        """Hand a connection to a thread."""
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
    # The caller itself is not idle.
    return _idle is not None and _idle.find(b"\1", 0) >= 0


def _forget_idle() -> None:
    """Mark all workers as busy: a killed one would stay idle for ever. Those alive report again (`notify`)."""
    if _idle is not None:
        _idle[:] = bytes(len(_idle))


def _is_readable(sock: Any) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def _read_no_more(connection: Any) -> None:
    """Stop reading from a connection on which nothing has arrived."""
    try:
        if _is_readable(connection.sock):
            return
        connection.sock.shutdown(socket.SHUT_RD)
    except OSError:
        pass


class _OnMainThread:
    """A WSGI application whose scoring requests are handled by the main thread, their streamed answers too."""

    def __init__(self, app: Callable[..., Any], call: Callable[..., Any]) -> None:
        self._app = app
        self._call = call

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        # The server treats //score as /score.
        if "/" + environ.get("PATH_INFO", "").lstrip("/") != SCORE:
            return self._app(environ, start_response)
        # Read it in this thread: a slow client must not occupy the main thread.
        body = environ["wsgi.input"].read()
        if len(body) < int(environ.get("CONTENT_LENGTH") or 0):
            start_response("400 BAD REQUEST", [("Content-Type", "application/json")])
            return [INCOMPLETE]
        environ["wsgi.input"] = io.BytesIO(body)
        # Flask keeps the request in context variables: answers streamed at the same time need a context each.
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
        """Return the answer's parts and whether it is streamed (its length is unknown); runs on the main thread."""
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
    """An answer that a script streams. The user's code generates its parts, so they too run on the main thread."""

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
    """Enable garbage collection when the user's init() starts, without the objects that the imports created.

    Collecting those takes a tenth of the time of the imports of the server and scikit-learn.
    """
    from azureml_inference_server_http.server.user_script import UserScript

    invoke_init = UserScript.invoke_init

    def collecting(script: Any) -> None:
        gc.freeze()
        gc.enable()
        invoke_init(script)

    UserScript.invoke_init = collecting


def set_log_level() -> None:
    """Set the server's loggers to AZUREML_LOG_LEVEL: the server (1.5.1) reads the variable but does not use it."""
    level = os.environ.get("AZUREML_LOG_LEVEL", "").upper()
    if not level:
        return
    for name in ("azmlinfsrv", "gunicorn.access", "gunicorn.error"):
        logger = logging.getLogger(name)
        logger.setLevel(level)
        for handler in logger.handlers:
            handler.setLevel(level)


def watch() -> None:
    """Create what workers share with the master: which are idle, and why one cannot boot. Call before gunicorn runs."""
    global _pipe, _idle
    starting.end_where_one_dies()
    _idle = mmap.mmap(-1, 4096)
    _pipe = os.pipe()
    for end in _pipe:
        os.set_blocking(end, False)


def told(error: BaseException) -> str:
    """Return why the server could not boot: the traceback of the user's error, or an empty text.

    Args:
        error: The exception that ended the master.
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
    # With WORKER_PRELOAD the master itself imported the script, and the server raised SystemExit.
    return describe(error) if type(error.__context__).__name__.startswith("UserScript") else ""


def _tell(error: BaseException) -> None:
    text = describe(error)
    if text and _pipe is not None:
        try:
            # One write of less than the size of a pipe, so that texts of two workers do not mix.
            os.write(_pipe[1], text.encode(errors="replace")[-30000:] + b"\0")
        except BlockingIOError:
            pass


def describe(error: BaseException) -> str:
    """Return the traceback of the exception in the user's script, without the server's frames before it.

    Args:
        error: The exception that the server raised because of it, SystemExit, after it logged the traceback.
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
