"""The network loop of a worker: one thread that accepts, reads, writes and closes, and never waits for a client.

A client that is slow, silent or gone therefore delays no other client. Requests that have arrived completely are given
to the thread that answers them, and answers come back as bytes.
"""

from __future__ import annotations

import os
import time
from collections import deque
from typing import Any, Callable

from gunicorn.util import unquote_to_wsgi_str

from server_start import connection as states
from server_start.accepting import Acceptor
from server_start.connection import Connection
from server_start.connections import READABLE, Connections
from server_start.exchange import MORE, SCORE, WAIT, Answers, Exchange
from server_start.handover import Desk
from server_start.http_request import Head
from server_start.main_thread import MainThread
from server_start.plain_request import PlainRequest
from server_start.receiving import Receiver
from server_start.routes import Routes
from server_start.sending import Sender
from server_start.sharing import PATIENCE, Sharing

#: Seconds between the checks of what has timed out.
TICK = 1.0
#: The same, while the worker stops.
STOP_TICK = 0.05
#: Seconds in which a stopping worker may still get a request from another one.
LAST_HANDOVER = 0.1


class Network:
    """The network loop.

    Args:
        worker: gunicorn's worker.
        main: Gets the requests for /score.
        desk: The worker's place among all workers.
        connections: The worker's connections: none yet.
        signals: The read end of the pipe into which Python writes when a signal has come.
    """

    def __init__(
        self, worker: Any, main: MainThread[Exchange], desk: Desk, connections: Connections, signals: int
    ) -> None:
        self._worker = worker
        self._main = main
        self._connections = connections
        self.answers = Answers(worker, self.send)
        self._routes = Routes(self.answers)
        self._sender = Sender(
            connections,
            next_request=lambda connection: self._receiver.next_request(connection),
            discard=lambda connection: self._receiver.discard(connection),
        )
        self._receiver = Receiver(connections, worker, self._begin, self._sender.refuse)
        self._sharing = Sharing(connections, main, desk, self._receiver.feed)
        self._acceptor = Acceptor(connections, worker.sockets, worker.cfg, self._receiver.read)
        #: Bytes for connections, from other threads.
        self._sent: deque[tuple[Connection, bytes, str]] = deque()
        self._asleep = False
        self._stopping_since = 0.0
        self._ended = False
        self._signals = signals
        self._desk = desk
        desk.keep_spares()
        self._wake_read, self._wake_write = os.pipe()
        for end in (self._wake_read, self._wake_write):
            os.set_blocking(end, False)
        self._others: dict[int, Callable[[], object]] = {
            self._wake_read: lambda: os.read(self._wake_read, 4096),
            signals: self._signalled,
            desk.inbox.fileno(): self._sharing.take_over,
        }
        for fd in self._others:
            connections.poll.register(fd, READABLE)

    def send(self, connection: Connection, data: bytes, then: str) -> None:
        """Send bytes of an answer. Any thread may call it.

        Args:
            connection: The client.
            data: The next bytes.
            then: What follows them: `MORE`, `WAIT`, `KEEP` or `CLOSE`.
        """
        self._sent.append((connection, data, then))
        self.wake()

    def end(self) -> None:
        """Make the loop send what it has, as far as clients take it at once, and end. Any thread may call it."""
        self._ended = True
        self._asleep = True
        self.wake()

    def wake(self) -> None:
        """End the wait of the loop. Any thread may call it."""
        if self._asleep:
            self._asleep = False
            try:
                os.write(self._wake_write, b"\0")
            except BlockingIOError:  # it has been woken often enough
                pass

    def run(self) -> None:
        """Run until the worker stops and all its requests are answered, or `end` is called."""
        self._acceptor.begin()
        self._routes.start()
        ticked = 0.0
        while not self._ended:
            self._turn()
            if not self._worker.alive and not self._stopping_since:
                self._stop_accepting()
            now = self._connections.now
            if self._stopping_since or now - ticked >= TICK:
                ticked = now
                self._worker.heartbeat()
                self._connections.close_late(self._worker.cfg.keepalive, self._stopping_since)
            if self._stopping_since and self._all_answered():
                return
        self._send_all()

    def _turn(self) -> None:
        """Wait for events, and handle them."""
        connections = self._connections
        self._asleep = True
        events = connections.poll.poll(0 if self._sent or connections.again else self._timeout())
        self._asleep = False
        connections.now = time.monotonic()
        again, connections.again = connections.again, []
        for connection in again:
            if connection.state == states.READING:
                self._receiver.read(connection)
        for fd, _ in events:
            ready = connections.open.get(fd)
            if ready is not None:
                self._ready(ready)
            elif self._acceptor.listens_on(fd):
                if self._sharing.leave_to_others():
                    self._acceptor.pause(PATIENCE)
                else:
                    self._acceptor.accept(fd)
            elif fd in self._others:
                self._others[fd]()
        self._send_all()
        self._acceptor.go_on()
        if not self._desk.alone:
            self._sharing.share()

    def _timeout(self) -> float:
        """Return how long to wait for events, in seconds."""
        wait = STOP_TICK if self._stopping_since else TICK
        share = self._sharing.due()
        if share is not None:
            wait = min(wait, share)
        if self._acceptor.again:
            wait = min(wait, max(0.0, self._acceptor.again - self._connections.now))
        return wait

    def _ready(self, connection: Connection) -> None:
        """Something has happened on a connection."""
        if connection.out:
            self._sender.flush(connection)
        elif connection.state == states.READING:
            self._receiver.read(connection)
        elif connection.state == states.HANDSHAKE:
            self._acceptor.shake_hands(connection)
        elif connection.state == states.LINGERING:
            self._receiver.discard(connection)
        else:  # it waits for its answer; what the client sends now, or its end, can wait too
            self._connections.watch(connection, 0)

    def _begin(self, connection: Connection, head: Head) -> None:
        """A request has arrived completely: give it to the thread that answers it."""
        connection.state = states.ANSWERING
        connection.requests += 1
        self._connections.closable.pop(connection, None)
        score = _is_score(head.request)
        exchange = Exchange(connection, head, self.answers, self._main.add_step if score else self._routes.add)
        exchange.scores = score
        connection.exchange = exchange
        if score:
            self._sharing.begun()
            self._main.add(exchange)
        else:
            self._routes.add(lambda: self.answers.answer(exchange))

    def _send_all(self) -> None:
        while self._sent:
            connection, data, then = self._sent.popleft()
            exchange = connection.exchange
            if then not in (MORE, WAIT) and exchange is not None and exchange.scores:
                self._sharing.answered()
            self._sender.send(connection, data, then)

    def _signalled(self) -> None:
        """A signal has come: let the main thread run its handler."""
        # gunicorn makes signals restart system calls, so a signal alone does not wake a main thread that waits.
        os.read(self._signals, 4096)
        self._main.wake()

    def _stop_accepting(self) -> None:
        """The worker stops."""
        self._stopping_since = self._connections.now
        self._desk.show(False, bool(self._main.waiting))
        self._acceptor.end()
        for connection in [one for one in self._connections.closable if one.untouched]:
            self._ready(connection)
            if connection.untouched:
                self._connections.close(connection)

    def _all_answered(self) -> bool:
        stopping = self._connections.now - self._stopping_since
        return not self._connections.open and not self._sent and stopping > LAST_HANDOVER


def _is_score(request: Any) -> bool:
    """Return whether the server runs the user's code for a request; it treats //score as /score."""
    if isinstance(request, PlainRequest):
        return bool(request.path == SCORE)
    prefix = os.environ.get("SCRIPT_NAME", "")
    for name, value in request.headers:
        if name == "SCRIPT_NAME":  # gunicorn takes it from proxies that it trusts
            prefix = value
    path = request.path[len(prefix) :] if request.path.startswith(prefix) else request.path
    return bool("/" + unquote_to_wsgi_str(path).lstrip("/") == SCORE)
