"""Conversations: each client says something unusual, and compares what it gets."""

import contextlib
import json
import socket
import ssl
import time

from wire import MEGABYTE, PATIENCE, Reader, connect, half_close, head, plain, reset, score

#: Name → the conversation, and what the client must get.
CONVERSATIONS = {}
#: An error as the answer, or none, and the end of the connection.
REFUSED = "refused"


def conversation(expected):
    def register(function):
        CONVERSATIONS[function.__name__] = (function, expected)
        return function

    return register


def text(answer):
    """Return an answer as text: its status, and the script's result or the body; the size of a large one."""
    body = answer["body"].decode(errors="replace")
    try:
        result = str(json.loads(body)["result"])
    except (ValueError, KeyError, TypeError):
        result = body
    return "{} {}".format(answer["status"], result if len(result) < 1000 else f"{len(result)} bytes")


@conversation("200 None")
def byte_by_byte(to):
    sock = connect(to)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in score():
        sock.sendall(bytes([byte]))
        time.sleep(0.001)
    return text(Reader(sock).answer())


@conversation(["200 None", "200 Healthy"])
def chunks_byte_by_byte(to):
    sock = connect(to)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    body = b'8;x=y\r\n{"do": "\r\n9\r\nnothing"}\r\n0\r\nX-Trailer: 1\r\n\r\n'
    for byte in head("POST", "/score", Transfer_Encoding="chunked") + body:
        sock.sendall(bytes([byte]))
        time.sleep(0.001)
    reader = Reader(sock)
    first = text(reader.answer())
    sock.sendall(head())
    return [first, text(reader.answer())]


@conversation("200 None")
def half_closed_after_the_request(to):
    sock = connect(to)
    sock.sendall(score({"do": "nap"}))
    half_close(sock)
    return text(Reader(sock).answer())


@conversation(REFUSED)
def half_closed_within_the_body(to):
    """The body that was announced never comes: an error, or no answer, and the connection ends."""
    sock = connect(to)
    sock.sendall(score()[:-5])
    half_close(sock)
    return ending(sock)


@conversation(REFUSED)
def half_closed_within_the_head(to):
    sock = connect(to)
    sock.sendall(score()[:20])
    half_close(sock)
    return ending(sock)


@conversation(["200 one", "200 Healthy", "200 three"])
def pipelined(to):
    """Three requests in one piece: three answers, in order."""
    sock = connect(to)
    sock.sendall(score({"do": "say", "text": "one"}) + head() + score({"do": "say", "text": "three"}))
    reader = Reader(sock)
    return [text(reader.answer()) for _ in range(3)]


@conversation(["200 one", "200 two"])
def pipelined_byte_after_byte(to):
    """The second request comes in pieces that do not fit the requests."""
    sock = connect(to)
    everything = score({"do": "say", "text": "one"}) + score({"do": "say", "text": "two"})
    for start in range(0, len(everything), 50):
        sock.sendall(everything[start : start + 50])
        time.sleep(0.005)
    reader = Reader(sock)
    return [text(reader.answer()) for _ in range(2)]


@conversation(["200 one", "200 two", "end"])
def pipelined_and_half_closed(to):
    sock = connect(to)
    sock.sendall(score({"do": "say", "text": "one"}) + score({"do": "say", "text": "two"}))
    half_close(sock)
    reader = Reader(sock)
    return [text(reader.answer()), text(reader.answer()), reader.end()]


@conversation(["200 one", "end"])
def pipelined_after_close(to):
    """The first request says that it is the last one."""
    sock = connect(to)
    sock.sendall(score({"do": "say", "text": "one"}, Connection="close") + head())
    reader = Reader(sock)
    return [text(reader.answer()), reader.end()]


@conversation([f"200 {number}" for number in range(100)])
def many_pipelined(to):
    """A hundred requests at once are answered in order, without recursion or starvation of others."""
    sock = connect(to)
    sock.sendall(b"".join(score({"do": "say", "text": str(number)}) for number in range(100)))
    reader = Reader(sock)
    return [text(reader.answer()) for _ in range(100)]


@conversation(["200 Healthy", "end"])
def http_1_0(to):
    """Without keep-alive, the end of the connection ends the answer."""
    sock = connect(to)
    sock.sendall(head(version="1.0"))
    reader = Reader(sock)
    return [text(reader.answer()), reader.end()]


@conversation(["200 Healthy", "200 Healthy"])
def http_1_0_kept(to):
    """As ApacheBench does with ``-k``."""
    sock = connect(to)
    reader = Reader(sock)
    answers = []
    for _ in range(2):
        sock.sendall(head(version="1.0", Connection="Keep-Alive"))
        answers.append(text(reader.answer()))
    return answers


@conversation([404, 500, 405, 200] * 3)
def kept_through_errors(to):
    """One connection for many requests, also for those with an error."""
    sock = connect(to)
    reader = Reader(sock)
    statuses = []
    for request in (head(path="/nowhere"), score({"do": "raise"}), head("PUT", "/score", Content_Length=0), head()) * 3:
        sock.sendall(request)
        statuses.append(reader.answer()["status"])
    return statuses


@conversation(["200 ", "200 Healthy"])
def head_request(to):
    """An answer to HEAD has no body, whatever its Content-Length says; the next answer follows at once."""
    sock = connect(to)
    reader = Reader(sock)
    sock.sendall(head("HEAD", "/"))
    first = text(reader.answer(method="HEAD"))
    sock.sendall(head())
    return [first, text(reader.answer())]


@conversation([100, "200 None"])
def expects_100(to):
    """curl and others send a large body only after ``100 Continue``."""
    sock = connect(to)
    body = json.dumps({"do": "nothing"}).encode()
    sock.sendall(head("POST", "/score", Content_Length=len(body), Expect="100-continue"))
    reader = Reader(sock)
    first, _ = reader.head()
    sock.sendall(body)
    return [first, text(reader.answer())]


@conversation("200 None")
def expects_100_and_does_not_wait(to):
    sock = connect(to)
    body = json.dumps({"do": "nothing"}).encode()
    sock.sendall(head("POST", "/score", Content_Length=len(body), Expect="100-continue") + body)
    reader = Reader(sock)
    first = reader.answer()
    return text(reader.answer() if first["status"] == 100 else first)


@conversation("200 104857600")
def large_body(to):
    """100 MB: what nginx in front of the original images accepted."""
    sock = connect(to)
    size = 100 * 1024 * 1024
    sock.sendall(head("POST", "/score", Content_Length=size))
    for _ in range(100):
        sock.sendall(b"a" * (size // 100))
    sock.sendall(b"a" * (size % 100))
    return text(Reader(sock).answer())


@conversation("200 104857600")
def large_body_in_chunks(to):
    sock = connect(to)
    sock.sendall(head("POST", "/score", Transfer_Encoding="chunked"))
    for _ in range(100):
        sock.sendall(b"100000\r\n" + b"a" * (1 << 20) + b"\r\n")
    sock.sendall(b"0\r\n\r\n")
    return text(Reader(sock).answer())


@conversation("200 50000000 bytes")
def large_answer_read_late(to):
    """50 MB that the client begins to read after the server has filled all buffers."""
    sock = connect(to, small=True)
    sock.sendall(score({"do": "answer", "bytes": 50 * MEGABYTE}))
    time.sleep(1)
    return text(Reader(sock).answer())


@conversation(["200 10000000 bytes", "end"])
def large_answer_half_closed(to):
    sock = connect(to)
    sock.sendall(score({"do": "answer", "bytes": 10 * MEGABYTE}, Connection="close"))
    half_close(sock)
    reader = Reader(sock)
    return [text(reader.answer()), reader.end()]


@conversation(REFUSED)
def not_a_request(to):
    sock = connect(to)
    sock.sendall(bytes(range(128, 256)) + b"\r\n\r\n")
    return ending(sock)


@conversation(REFUSED)
def tls_without_tls(to):
    """A TLS hello on a server without TLS."""
    sock = connect(plain(to))
    sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 500)
    half_close(sock)
    return ending(sock)


@conversation(REFUSED)
def blank_lines_only(to):
    sock = connect(to)
    sock.sendall(b"\r\n" * 100)
    half_close(sock)
    return ending(sock)


@conversation(REFUSED)
def endless_head(to):
    """A head of a megabyte is refused, not read to its end."""
    sock = connect(to)
    try:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        for number in range(20000):
            sock.sendall(b"X-%06d: " % number + b"a" * 40 + b"\r\n")
        sock.sendall(b"\r\n")
    except OSError:
        pass
    return ending(sock)


@conversation(REFUSED)
def endless_request_line(to):
    sock = connect(to)
    with contextlib.suppress(OSError):
        sock.sendall(b"GET /" + b"a" * MEGABYTE + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    return ending(sock)


@conversation(REFUSED)
def chunks_in_http_1_0(to):
    sock = connect(to)
    sock.sendall(head("POST", "/score", version="1.0", Transfer_Encoding="chunked", Connection="keep-alive"))
    sock.sendall(b"2\r\n{}\r\n0\r\n\r\n")
    half_close(sock)
    return ending(sock)


@conversation("200 100000")
def tiny_chunks(to):
    """A body in 100,000 chunks."""
    sock = connect(to)
    sock.sendall(head("POST", "/score", Transfer_Encoding="chunked") + b"1\r\na\r\n" * 100000 + b"0\r\n\r\n")
    return text(Reader(sock).answer())


@conversation([REFUSED] * 10)
def wrong_lengths(to):
    """Lengths of bodies that are wrong, or that are announced twice: each is refused, and nothing is smuggled."""
    outcomes = []
    for lines in (
        "Content-Length: -1",
        "Content-Length: ten",
        "Content-Length: +4",
        "Content-Length: 4\r\nContent-Length: 5",
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Content-Length: 2\r\nTransfer-Encoding: gzip, chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: nonsense",
        "Content-Length : 4",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    ):
        sock = connect(to)
        sock.sendall(f"POST /score HTTP/1.1\r\nHost: x\r\n{lines}\r\n\r\n".encode() + b"0\r\n\r\n" + head())
        half_close(sock)
        outcomes.append(ending(sock))
    return outcomes


@conversation([REFUSED] * 9)
def wrong_chunks(to):
    outcomes = []
    for body in (
        b"x\r\n\r\n",
        b"-1\r\n\r\n",
        b"2\r\nabc\r\n0\r\n\r\n",
        b"0" * 100000,
        b"f" * 15 + b"\r\nabc",
        b"2 \r\n{}\r\n0\r\n\r\n",
        b'2;\x00="\r\n{}\r\n0\r\n\r\n',
        b"2\r\n{}\r\n0\r\nno trailer\r\n\r\n",
        b"2\n{}\r\n0\r\n\r\n",
    ):
        sock = connect(to)
        try:
            sock.sendall(head("POST", "/score", Transfer_Encoding="chunked") + body)
            half_close(sock)
        except OSError:
            pass
        outcomes.append(ending(sock))
    return outcomes


@conversation("200 None")
def resets(to):
    """Clients that are killed at each moment of a request."""
    whole = score({"do": "answer", "bytes": MEGABYTE})
    for end in (0, 1, len(whole) // 2, len(whole) - 1, len(whole)):
        sock = connect(to)
        sock.sendall(whole[:end])
        time.sleep(0.02)
        reset(sock)
    sock = connect(to, small=True)
    sock.sendall(whole)
    sock.recv(1000)
    reset(sock)
    sock = connect(to)
    sock.sendall(whole * 5)
    reset(sock)
    sock = connect(to)
    sock.sendall(score())
    return text(Reader(sock).answer())


@conversation("8 bytes of the body are missing")
def short_answer(to):
    """Only the connection's end tells a client that no more bytes come."""
    sock = connect(to)
    sock.settimeout(PATIENCE / 4)
    sock.sendall(score({"do": "break_off"}))
    try:
        return text(Reader(sock).answer())
    except EOFError as error:
        return str(error)


@conversation("200 Healthy")
def absolute_path(to):
    """Proxies send the whole URL in the request line."""
    sock = connect(to)
    sock.sendall(head(path="http://x:5001/"))
    return text(Reader(sock).answer())


@conversation("200 None")
def other_spellings(to):
    """Names of headers in any case, and no space or several around their values."""
    sock = connect(to)
    sock.sendall(b'POST /score HTTP/1.1\r\nhOST:x\r\ncONTENT-lENGTH:   17  \r\n\r\n{"do": "nothing"}')
    return text(Reader(sock).answer())


def ending(sock):
    """Return how the server ends a connection: `REFUSED`, or what it answers instead."""
    reader = Reader(sock)
    statuses = []
    sock.settimeout(PATIENCE / 4)
    try:
        while True:
            statuses.append(reader.answer()["status"])
    except (EOFError, ConnectionError, ssl.SSLError):
        end = "closed"
    except socket.timeout:
        end = "not closed"
    sock.close()
    return REFUSED if end == "closed" and all(status >= 400 for status in statuses) else [statuses, end]


def converse(to, without=()):
    """Hold conversations with the server, one after the other.

    Args:
        without: The names of conversations to leave out.

    Returns:
        Name → what the client got and should have got, where they differ.
    """
    wrong = {}
    for name, (function, expected) in CONVERSATIONS.items():
        if name in without:
            continue
        try:
            outcome = function(to)
        except (OSError, EOFError, ValueError, IndexError) as error:
            outcome = repr(error)
        if outcome != expected:
            wrong[name] = [outcome, expected]
    return wrong
