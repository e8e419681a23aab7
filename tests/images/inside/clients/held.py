"""Clients that are held while others are served: each kind begins, and may do something at each step."""

import contextlib
import select
import sys

from wire import MEGABYTE, Reader, connect, half_close, head, plain, reset, score

#: Seconds between two steps.
STEP = 0.05
#: Seconds after which a client that stays open after its answer makes place for a new one.
STAY = 1.0


def silent(to):
    """Connects, and sends nothing."""
    return connect(plain(to))


def one_byte(to):
    """Sends the first byte of a request, or of a TLS handshake, and waits."""
    sock = connect(plain(to))
    sock.sendall(b"\x16" if to.get("tls") else b"P")
    return sock


def half_a_head(to):
    sock = connect(to)
    sock.sendall(b"POST /score HTTP/1.1\r\nHost: x\r\nContent-")
    return sock


def half_a_body(to):
    sock = connect(to)
    sock.sendall(score()[:-5])
    return sock


def half_of_much(to):
    """Sends half of a body of 2 MB."""
    sock = connect(to)
    sock.sendall(head("POST", "/score", Content_Length=2 * MEGABYTE) + b"a" * MEGABYTE)
    return sock


def stays_open(to):
    """Gets an answer after which the server closes, and does not close its own side."""
    sock = connect(to)
    sock.sendall(head(Connection="close"))
    Reader(sock).answer()
    return sock


def scores_and_stays_open(to):
    """Scores, and does not close its side after the answer."""
    sock = connect(to)
    sock.sendall(score(Connection="close"))
    Reader(sock).answer()
    return sock


def kept(to):
    """Gets an answer, and keeps the connection for the next request."""
    sock = connect(to)
    sock.sendall(head())
    Reader(sock).answer()
    return sock


def reads_nothing(to):
    """Asks for 20 MB, and reads only the head of the answer."""
    sock = connect(to, small=True)
    sock.sendall(score({"do": "answer", "bytes": 20 * MEGABYTE}))
    assert sock.recv(12) == b"HTTP/1.1 200"
    return sock


def reads_a_little(sock):
    sock.recv(100)


def sends_slowly(to):
    """Sends a head that never ends, byte by byte."""
    sock = connect(to)
    sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ")
    return sock


def sends_a_little(sock):
    sock.sendall(b"a")


def sends_small_chunks(to):
    """Sends a body in chunks of one byte."""
    sock = connect(to)
    sock.sendall(head("POST", "/score", Transfer_Encoding="chunked"))
    return sock


def sends_many_chunks(sock):
    sock.sendall(b"1\r\na\r\n" * 1000)


def half_closes(to):
    """Closes its sending side within a body, and waits for an answer."""
    sock = half_a_body(to)
    half_close(sock)
    return sock


def churns(to):
    """Sends half a request and resets the connection; the next one comes at once."""
    sock = half_a_body(to)
    reset(sock)
    return connect(plain(to))


def babbles(to):
    """Sends bytes that are no request."""
    sock = connect(plain(to))
    sock.sendall(bytes(range(128, 256)) * 40 + b"\r\n\r\n")
    return sock


#: Kind → how it begins, what it does at each step, and whether a new one replaces it after `STAY` seconds.
KINDS = {
    "silent": (silent, None, False),
    "one byte": (one_byte, None, False),
    "half a head": (half_a_head, None, False),
    "half a body": (half_a_body, None, False),
    "half of much": (half_of_much, None, False),
    "stays open": (stays_open, None, True),
    "scores and stays open": (scores_and_stays_open, None, True),
    "kept": (kept, None, False),
    "reads nothing": (reads_nothing, None, False),
    "reads slowly": (reads_nothing, reads_a_little, False),
    "sends slowly": (sends_slowly, sends_a_little, False),
    "sends small chunks": (sends_small_chunks, sends_many_chunks, False),
    "half-closes": (half_closes, None, True),
    "churns": (churns, None, True),
    "babbles": (babbles, None, True),
    "comes and goes": (silent, None, True),
}


class Held:
    """Clients of a kind."""

    def __init__(self, to, kind, count):
        self._to = to
        self._begin, self._step, self._renewed = KINDS[kind]
        self._turn = 0
        #: How connections failed.
        self.errors = []
        self.clients = [self._one() for _ in range(count)]

    def _one(self):
        try:
            return self._begin(self._to)
        except (OSError, EOFError) as error:
            self.errors.append(repr(error))
            return None

    def step(self):
        """Do what these clients do at each step."""
        if self._step:
            for client in self.clients:
                with contextlib.suppress(OSError):
                    client and self._step(client)
        if self._renewed:
            # All of them once in STAY seconds, spread over the steps.
            for _ in range(max(1, round(len(self.clients) * STEP / STAY))):
                self._turn = (self._turn + 1) % len(self.clients)
                if self.clients[self._turn] is not None:
                    self.clients[self._turn].close()
                self.clients[self._turn] = self._one()

    def closed(self):
        """Return the numbers of the clients that the server has closed, in the order in which they connected."""
        return [number for number, client in enumerate(self.clients) if client is not None and is_closed(client)]


def hold(to, kinds):
    """Hold clients until standard input is closed.

    Args:
        kinds: Kind → how many of it.

    Returns:
        Kind → ``closed`` by the server (numbers), and the ``errors`` of connections that could not be made.
    """
    held = {kind: Held(to, kind, count) for kind, count in kinds.items()}
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], STEP)[0]:
        for clients in held.values():
            clients.step()
    return {kind: {"closed": clients.closed(), "errors": clients.errors} for kind, clients in held.items()}


def is_closed(sock):
    """Tell whether the server has closed a connection on which it sends nothing else."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    if not poll.poll(0):
        return False
    try:
        return sock.recv(1) == b""
    except OSError:
        return True
