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
    """Asks for 50 MB, and reads only the head of the answer."""
    sock = connect(to, small=True)
    sock.sendall(score({"do": "answer", "bytes": 50 * MEGABYTE}))
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
    "half-closes": (half_closes, None, True),
    "churns": (churns, None, True),
    "babbles": (babbles, None, True),
    "comes and goes": (silent, None, True),
}


def hold(to, kind, count):
    """Hold clients of a kind until standard input is closed.

    Returns:
        ``closed``: the numbers of those that the server closed, in the order in which they connected; ``errors``:
        connections that could not be made.
    """
    begin, step, renewed = KINDS[kind]
    errors = []
    clients = []

    def one():
        try:
            return begin(to)
        except (OSError, EOFError) as error:
            errors.append(repr(error))
            return None

    for _ in range(count):
        clients.append(one())
    print("ready", flush=True)
    turn = 0
    while not select.select([sys.stdin], [], [], STEP)[0]:
        for client in clients:
            if client is not None and step:
                with contextlib.suppress(OSError):
                    step(client)
        if renewed:
            # All of them once in STAY seconds, spread over the steps.
            for _ in range(max(1, round(count * STEP / STAY))):
                turn = (turn + 1) % count
                if clients[turn] is not None:
                    clients[turn].close()
                clients[turn] = one()
    closed = [number for number, client in enumerate(clients) if client is not None and is_closed(client)]
    return {"closed": closed, "errors": errors[:5], "failed": len(errors)}


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
