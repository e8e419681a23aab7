"""Gives requests that wait in this worker to idle workers, and takes those of others."""

from __future__ import annotations

from typing import Callable

from server_start import connection as states
from server_start.connection import Connection
from server_start.connections import READABLE, Connections
from server_start.exchange import Exchange
from server_start.handover import Desk
from server_start.main_thread import MainThread

#: Seconds for which a request waits before an idle worker gets it: passing it on costs more than a short wait.
PATIENCE = 0.002


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
            since = self._main.busy_since if self._desk.another_is_idle() else 0.0
        else:
            since = self._idle_since if self._desk.requests_wait() else 0.0
        return max(0.0, since + PATIENCE - self._connections.now) if since else None

    @property
    def others_are_faster(self) -> bool:
        """True if this worker predicts and another one is idle: that one should accept the next connection."""
        return bool(self._main.busy_since) and self._desk.another_is_idle()

    def _pass_on(self) -> None:
        """Pass one request to an idle worker, if the current prediction is not a short one."""
        since = self._main.busy_since
        if not since or self._connections.now - since < PATIENCE or not self._desk.another_is_idle():
            return
        exchange = next((one for one in tuple(self._main.waiting) if one.connection.raw is not None), None)
        if exchange is None or not self._main.remove(exchange):
            return
        client = exchange.connection
        data = bytes(client.raw or b"")
        if not self._desk.pass_on(client.sock, data, client.client, client.server, client.requests - 1):
            self._main.put_back(exchange)
            return
        self.answered()
        self._connections.held -= exchange.head.body.size
        self._connections.forget(client)
        client.sock.close()

    def take_over(self) -> None:
        """Take the connections that other workers have passed on."""
        while True:
            passed = self._desk.receive()
            if passed is None:
                return
            connection = Connection(passed.sock, passed.client, passed.server, encrypted=False)
            connection.requests = passed.requests
            self._connections.add(connection)
            self._feed(connection, passed.data)
            if connection.state == states.READING:
                self._connections.watch(connection, READABLE)
