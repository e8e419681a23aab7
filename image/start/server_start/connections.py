"""All connections of a worker, and the events that its network loop waits for."""

from __future__ import annotations

import select
import socket
import time
from collections import OrderedDict

from server_start import connection as states
from server_start.connection import Connection

READABLE = select.EPOLLIN
WRITABLE = select.EPOLLOUT

#: Seconds for which the end of an answered connection is awaited.
LINGER = 2.0
#: Seconds for which a stopping worker waits for a client that is silent in the middle of a request, or between two.
STOP_PATIENCE = 2.0
#: Seconds within which the rest of a request must have arrived when a worker stops.
STOP_BODY = 10.0
#: Seconds after which a stopping worker closes a connection whose client does not read its answer.
STOP_UNREAD = 10.0


class Connections:
    """The open connections. Only the network loop uses it.

    Args:
        most: How many may be open.
        most_held: Bytes of requests that may have arrived without being answered. A single larger one is accepted.
        largest: Bytes of a single request at most.
    """

    def __init__(self, most: int, most_held: int, largest: int) -> None:
        self.most = most
        self.most_held = most_held
        self.largest = largest
        #: By file descriptor.
        self.open: dict[int, Connection] = {}
        #: Those that do not wait for the worker, so that they may be closed; the one that is silent longest is first.
        self.closable: OrderedDict[Connection, None] = OrderedDict()
        #: Those to read from in the loop's next turn, without an event: a TLS library may hold what has arrived.
        self.again: list[Connection] = []
        #: Bytes of bodies that have arrived and are not answered.
        self.held = 0
        #: Bytes of answers that clients have not taken yet.
        self.unsent = 0
        #: The time of the loop's current turn (`time.monotonic`).
        self.now = time.monotonic()
        self.poll = select.epoll()

    @property
    def full(self) -> bool:
        """True if as many are open as may be."""
        return len(self.open) >= self.most

    def add(self, connection: Connection) -> None:
        """Add a new connection."""
        self.open[connection.fd] = connection
        self.heard(connection)

    def heard(self, connection: Connection) -> None:
        """Note that the client has sent something, or taken something that was sent."""
        connection.since = self.now
        self.closable[connection] = None
        self.closable.move_to_end(connection)

    def watch(self, connection: Connection, events: int) -> None:
        """Wait for these events of a connection, and no others.

        Args:
            connection: The connection.
            events: `READABLE` or `WRITABLE`; 0 for none. Without any, its end is not noticed either.
        """
        if connection.watched == events:
            return
        if not connection.watched:
            self.poll.register(connection.fd, events)
        elif events:
            self.poll.modify(connection.fd, events)
        else:
            # A child of the user's code may have inherited the socket: closing it alone would not end the events.
            self.poll.unregister(connection.fd)
        connection.watched = events

    def forget(self, connection: Connection) -> None:
        """Remove a connection without closing it."""
        self.watch(connection, 0)
        self.open.pop(connection.fd, None)
        self.closable.pop(connection, None)
        self.release(connection)
        connection.state = states.CLOSED
        self.unsent -= sum(map(len, connection.out))
        connection.out.clear()

    def release(self, connection: Connection) -> None:
        """Give back the memory of a request that has not arrived completely."""
        if connection.head is not None:
            self.held -= connection.head.body.size
            connection.head = None

    def close(self, connection: Connection) -> None:
        """Close a connection at once."""
        if connection.state == states.CLOSED:
            return
        self.forget(connection)
        try:
            connection.sock.shutdown(socket.SHUT_RDWR)  # also for children that have inherited it
        except OSError:
            pass
        connection.sock.close()
        if connection.exchange is not None:
            connection.exchange.client_has_gone()

    def close_quietest(self) -> bool:
        """Close the connection that is silent longest.

        Returns:
            False if all of them wait for the worker.
        """
        if not self.closable:
            return False
        self.close(next(iter(self.closable)))
        return True

    def bound_unsent(self) -> None:
        """Close connections whose clients have taken nothing for longest, if too many bytes of answers wait."""
        while self.unsent > self.most_held:
            unread = [connection for connection in self.closable if connection.out]
            if len(unread) < 2:  # a single large answer always gets the memory
                return
            self.close(unread[0])

    def close_late(self, keepalive: float, stopping_since: float) -> None:
        """Close the connections whose clients were silent for too long.

        Args:
            keepalive: Seconds for which a connection is kept for the next request.
            stopping_since: When the worker began to stop (`time.monotonic`); 0.0 if it does not.
        """
        for connection in tuple(self.closable):
            silent = self.now - connection.since
            stopping = self.now - stopping_since if stopping_since else 0.0
            if connection.state == states.LINGERING:
                late = silent > LINGER
            elif connection.kept:
                late = (stopping or silent) > (STOP_PATIENCE if stopping_since else keepalive)
            elif connection.out:
                late = bool(stopping_since) and silent > STOP_UNREAD
            elif connection.head is None:  # a client that sends a byte now and then must not keep the worker
                late = stopping > STOP_PATIENCE
            else:
                late = stopping > STOP_BODY or (bool(stopping_since) and silent > STOP_PATIENCE)
            if late:
                self.close(connection)
