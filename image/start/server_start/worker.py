"""The gunicorn worker of the images: it predicts on its main thread and answers all other requests in the meantime.

Each of gunicorn's own workers has a flaw here. The sync worker does not answer health probes while it predicts. The
threaded worker calls a script's run() several times at once, and not on the main thread, where the server's
SCORING_TIMEOUT_MS (an alarm signal) does not work; and its clients can delay each other. This worker has three threads,
whatever the number of its clients: the main thread calls run(), one request after the other (`main_thread`); the
network loop accepts, reads and writes (`network`); and a third answers the probe (`routes`).

Works with gunicorn 20.1 (which the server for Python 3.7 needs) and later.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import threading
import time
from types import FrameType
from typing import Any

from gunicorn.workers.base import Worker as BaseWorker

from server_start import boot_failure, handover, starting, worker_limits
from server_start.exchange import Exchange
from server_start.main_thread import MainThread
from server_start.network import Network
from server_start.sharing import LONG, can_be_passed

#: Seconds for which a worker that is ended sends its last answers.
LAST_ANSWERS = 1.0
#: Seconds between heartbeats at most: one for each request would cost more than it tells.
HEARTBEAT = 0.1


class Heartbeat(starting.Heartbeat):
    """A worker's heartbeat, which the master closes when the worker has ended.

    Args:
        cfg: gunicorn's configuration.
        desk: The worker's place among all workers.
    """

    def __init__(self, cfg: Any, desk: handover.Desk) -> None:
        super().__init__(cfg)
        self._desk = desk

    def close(self) -> None:
        """Free the worker's place too."""
        handover.leave(self._desk)
        super().close()


class Worker(BaseWorker):  # type: ignore[misc]  # gunicorn has no types
    """A worker that predicts on its main thread."""

    tmp: Any
    wsgi: Any
    network: Network
    main: MainThread[Exchange]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # This runs in the master:
        self.desk = handover.take()
        self.tmp.close()
        self.tmp = Heartbeat(self.cfg, self.desk)
        set_log_level()
        gc.enable()
        self._beat = 0.0

    def load_wsgi(self) -> None:
        """Import the server and the user's script, and call its init()."""
        gc.disable()
        try:
            import azureml_inference_server_http.server.config  # noqa: F401  # it sets up the loggers

            set_log_level()
            _collect_from_init_on()
            super().load_wsgi()
        except BaseException as error:
            boot_failure.tell(error)
            raise
        finally:
            gc.enable()
        _enable_loggers()
        self.main = MainThread(self._answer, self._show, self._before_work, self._before_wait)
        self.network = Network(self, self.main, self.desk, worker_limits.connections_of_worker(self.cfg), self.PIPE[0])
        self.tmp.begin()

    def run(self) -> None:
        """Answer requests until the worker is stopped: then until all are answered, or the grace period is over."""
        loop = threading.Thread(target=self._loop, name="network", daemon=True)
        loop.start()
        try:
            self.main.run()
        finally:
            self.desk.show(False, False)
            self.network.end()
            loop.join(LAST_ANSWERS)

    def _loop(self) -> None:
        try:
            self.network.run()
        except BaseException:
            self.log.exception("The network loop failed; the worker ends")
            self.alive = False
            raise
        finally:
            self.main.end()

    def _answer(self, exchange: Exchange) -> None:
        self.network.answers.answer(exchange)

    def _before_work(self) -> None:
        """The main thread begins a request, or continues an answer: WORKER_TIMEOUT counts from now."""
        if time.monotonic() - self._beat > HEARTBEAT:
            self.notify()

    def _before_wait(self) -> None:
        """The main thread has ended a request or a part of an answer."""
        # asyncio in init(), run() or a stream takes away that signals wake the network loop.
        signal.set_wakeup_fd(self.PIPE[1], warn_on_full_buffer=False)
        if self.main.took > LONG and not self.main.waiting:
            self.desk.ask()  # not before this worker shows that it is idle: others would not believe it
        # A worker that stops accepts nothing more, not even the probe: not while it predicts, nor while requests wait.
        if self.alive and self.retires and (not self.main.waiting or self.nr >= 2 * self.max_requests):
            self.log.info("The worker restarts after %d requests (max_requests)", self.nr)
            self.alive = False
            self.network.wake()

    @property
    def retires(self) -> bool:
        """True if the worker has answered as many requests as gunicorn's setting max_requests says."""
        return bool(self.nr >= self.max_requests)

    def _show(self, idle: bool, waiting: bool) -> None:
        self.desk.show(idle and self.alive, waiting)

    def keeps_alive(self, exchange: Exchange) -> bool:
        """Return whether a request's connection stays open for the next one."""
        # A request that cannot be passed on would wait here while another worker is idle. The next connection goes to
        # that one.
        return bool(self.cfg.keepalive) and (self.desk.alone or can_be_passed(exchange))

    def notify(self) -> None:
        """Send a heartbeat to the master."""
        self._beat = time.monotonic()
        super().notify()

    def heartbeat(self) -> None:
        """Send a heartbeat, except during a prediction: WORKER_TIMEOUT ends one that hangs."""
        if self.ppid != os.getppid():
            self.log.info("Parent changed, shutting down: %s", self)
            self.alive = False
        if not self.main.busy_since:
            self.notify()

    def handle_abort(self, sig: int, frame: FrameType | None) -> None:
        """SIGABRT: the master ends this worker, since its prediction took too long."""
        self.alive = False
        super().handle_abort(sig, frame)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM: finish the requests in progress; a worker that is still starting has none."""
        if not self.booted:
            self._leave()
        super().handle_exit(sig, frame)
        if self.booted:
            self.network.wake()

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """SIGINT (Ctrl-C) and SIGQUIT: end at once."""
        if not self.booted:
            self._leave()
        super().handle_quit(sig, frame)

    def _leave(self) -> None:
        """End a worker that is still starting. An exception would look like one of the user's init()."""
        self.tmp.begin()
        os._exit(0)


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


def _enable_loggers() -> None:
    """Enable the server's loggers: ``logging.config.dictConfig`` in a script disables all that it does not name."""
    for name, logger in logging.root.manager.loggerDict.items():
        if isinstance(logger, logging.Logger) and name.partition(".")[0] in ("azmlinfsrv", "gunicorn"):
            logger.disabled = False


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


def prepare(workers: int) -> None:
    """Create what workers share with the master. Call before gunicorn runs.

    Args:
        workers: WORKER_COUNT.
    """
    starting.end_where_one_dies()
    boot_failure.open_pipe()
    handover.prepare(workers)
