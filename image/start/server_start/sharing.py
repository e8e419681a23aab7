"""Gives requests that wait in this worker to idle workers, and takes those of others."""

from __future__ import annotations

from typing import Callable

from server_start import connection as states
from server_start.connection import Connection
from server_start.connections import READABLE, Connections
from server_start.exchange import Exchange
from server_start.handover import LARGEST, Desk
from server_start.main_thread import MainThread

#: Seconds for which a request waits before an idle worker gets it: passing it on costs more than a short wait.
PATIENCE = 0.002
#: Seconds of a prediction after which its worker asks others for requests at once: where predictions are long, waiting
#: before asking would cost more than it saves.
LONG = 0.01
#: Seconds for which new connections are left to a worker that shows that it is idle: it may have stopped.
TRUST = 0.05


class Sharing:
    """Shares requests with other workers.

    Args:
        connections: All connections of this worker.
        main: The requests that wait here.
        desk: This worker's place among all workers.
        feed: Called with a connection from another worker and the bytes of its request.
    """

    def __init__(
        self,
        connections: Connections,
        main: MainThread[Exchange],
        desk: Desk,
        feed: Callable[[Connection, bytes], None],
    ) -> None:
        self._connections = connections
        self._main = main
        self._desk = desk
        self._feed = feed
        #: Requests that the main thread has not answered.
        self._unanswered = 0
        #: When the last of them was answered; 0.0 while there are any, or if other workers have been asked.
        self._idle_since = 0.0
        #: When a request could not be passed on (`time.monotonic`).
        self._tried = 0.0
        #: When this worker began to leave new connections to others; 0.0 if it does not.
        self._left_since = 0.0

    def begun(self) -> None:
        """Note that a request waits for the main thread of this worker."""
        self._unanswered += 1
        self._idle_since = 0.0

    def answered(self) -> None:
        """Note that the main thread has answered a request."""
        self._unanswered -= 1
        if not self._unanswered:
            self._idle_since = self._connections.now

    def share(self) -> None:
        """Pass a request on, or ask for one, if that is due."""
        if self._main.waiting:
            self._pass_on()
        elif self._idle_since and self._connections.now - self._idle_since >= PATIENCE:
            self._idle_since = 0.0  # asked once: from now on the others see that this worker is idle
            self._desk.ask()

    def due(self) -> float | None:
        """Return in how many seconds `share` is to be called; None if not without another event."""
        if self._desk.alone:
            return None
        if self._main.waiting:
            if not self._desk.another_is_idle() or not self._passable():
                return None
            # Between two requests, the main thread is not busy for a moment.
            since = max(self._main.busy_since or self._connections.now, self._tried)
        else:
            since = self._idle_since if self._desk.requests_wait() else 0.0
        return max(0.0, since + PATIENCE - self._connections.now) if since else None

    def _passable(self) -> Exchange | None:
        """Return the oldest request that waits and can be passed on."""
        return next((one for one in tuple(self._main.waiting) if can_be_passed(one)), None)

    def _may_pass(self) -> bool:
        """Return whether an idle worker should get a request: the current prediction is not a short one."""
        since = self._main.busy_since
        return bool(since) and self._connections.now - since >= PATIENCE and self._desk.another_is_idle()

    def leave_to_others(self) -> bool:
        """Return whether an idle worker should accept the next connection, since this one predicts."""
        if not self._main.busy_since or not self._desk.another_is_idle():
            self._left_since = 0.0
            return False
        now = self._connections.now
        self._left_since = self._left_since or now
        return now - self._left_since < TRUST

    def _pass_on(self) -> None:
        """Pass one request to an idle worker, if the current prediction is not a short one."""
        if not self._may_pass():
            return
        exchange = self._passable()
        if exchange is None or not self._main.remove(exchange):
            return
        connection, data = exchange.connection, exchange.head.body.written(exchange.connection.raw)
        data += connection.buffer
        if not self._desk.pass_on(connection.sock, data, connection.client, connection.server, connection.requests - 1):
            self._tried = self._connections.now
            self._main.put_back(exchange)
            return
        self._connections.forget(connection)
        connection.sock.close()
        self.answered()
        self._connections.held -= exchange.head.body.size

    def take_over(self) -> None:
        """Take the connections that other workers have passed on."""
        while True:
            passed = self._desk.receive()
            if passed is None:
                break
            connection = Connection(passed.sock, passed.client, passed.server, encrypted=False)
            connection.requests = passed.requests
            if self._connections.full or not self._desk.keep_spares():
                self._connections.close_quietest()
            self._connections.add(connection)
            self._feed(connection, passed.data)
            if connection.state == states.READING:
                self._connections.watch(connection, READABLE)
        # Others take this worker for busy now. Where no request has come of it, the main thread shows that it is idle.
        self._main.wake()


def can_be_passed(exchange: Exchange) -> bool:
    """Return whether another worker can take a request over."""
    return not exchange.connection.encrypted and exchange.head.body.size <= LARGEST
