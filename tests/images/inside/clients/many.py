"""Many requests at the same time."""

import sys
import threading
import time

from wire import MEGABYTE, PATIENCE, Reader, connect, head, score, short


def burst(to, requests):
    """Send scoring requests at once, each on a connection of its own, and wait for all answers.

    Args:
        requests: What each asks the script to do: JSON data, or a number of bytes.

    Returns:
        For each request its status, the start of the body and ``Retry-After``, or the ``error``.
    """
    answers = {}
    sent = threading.Semaphore(0)

    def ask(number, sock, asked):
        try:
            if isinstance(asked, int):
                sock.sendall(head("POST", "/score", Content_Length=asked))
                sent.release()
                try:
                    for _ in range(0, asked, MEGABYTE):
                        sock.sendall(b"a" * MEGABYTE)
                except OSError:
                    pass  # an answer may have come before the body was read
            else:
                sock.sendall(score(asked))
                sent.release()
            answers[number] = short(Reader(sock).answer())
        except (OSError, EOFError, ValueError, IndexError) as error:
            sent.release()
            answers[number] = {"status": None, "error": repr(error)}
        sock.close()

    socks = [connect(to) for _ in requests]
    threads = [threading.Thread(target=ask, args=each) for each in zip(range(len(socks)), socks, requests)]
    for thread in threads:
        thread.start()
    for _ in threads:
        sent.acquire()
    print("ready", flush=True)
    for thread in threads:
        thread.join()
    return [answers[number] for number in range(len(requests))]


def keep(to, count, rounds, pause=0, size=0, chunked=False, stalled=0):
    """Score on connections that are kept open, again and again, when standard input is closed.

    Args:
        count: Number of connections; each scores once before.
        rounds: In each, all connections send a request before the first answer is read.
        pause: Seconds between two rounds.
        size: Bytes of a body; 0 for a small one.
        chunked: The body is sent in chunks.
        stalled: Number of further connections. After their first request, they send only the head of the next one.

    Returns:
        ``failed``: requests that were not answered in time, or not with 200.
    """
    socks = [connect(to) for _ in range(count + stalled)]
    readers = [Reader(sock) for sock in socks]
    failed = []
    request = score({"do": "rest"})
    if chunked:
        chunk = b"1000\r\n" + b"a" * 0x1000 + b"\r\n"
        request = head("POST", "/score", Transfer_Encoding="chunked") + chunk * (size // 0x1000 + 1) + b"0\r\n\r\n"
    elif size:
        request = head("POST", "/score", Content_Length=size) + b"a" * size

    def ask_all():
        for sock in socks:
            sock.sendall(request)
        for number, reader in enumerate(readers):
            try:
                status = reader.answer()["status"]
                if status != 200:
                    failed.append(f"{number}: {status}")
            except (OSError, EOFError, ValueError, IndexError) as error:
                failed.append(f"{number}: {error!r}")

    for sock in socks:
        sock.settimeout(PATIENCE / 4)
    ask_all()
    print("ready", flush=True)
    sys.stdin.read()
    for sock in socks[count:]:
        sock.sendall(head("POST", "/score", Content_Length=300_000) + b"a")
    del socks[count:], readers[count:]
    for _ in range(rounds):
        if failed:
            break
        ask_all()
        time.sleep(pause)
    return {"failed": failed[:5]}
