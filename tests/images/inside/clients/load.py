"""Steady load of mixed requests."""

import json
import threading
import time
from collections import deque

from wire import Reader, connect, head, score


def load(to, clients, seconds):
    """Score with mixed requests: connections that are kept and new ones, small and large bodies, probes.

    Returns:
        ``requests`` that were answered, ``failed`` ones, and the ``pids`` of the workers that answered.
    """
    end = time.monotonic() + seconds
    answered, failed, pids = [], [], set()

    def work(number):
        turns = deque(
            [
                score({"do": "say", "text": "a" * 100}),
                head(),
                score({"do": "rest"}),
                head("POST", "/score", Content_Length=200000) + b"a" * 200000,
                score({"do": "answer", "bytes": 500000}),
                head(path="/nowhere"),
                score({"do": "raise"}),
                score({"do": "say", "text": "b"}, Connection="close"),
            ]
        )
        turns.rotate(number)
        expected = {"/nowhere": 404, "raise": 500}
        sock = None
        while time.monotonic() < end:
            request = turns[0]
            turns.rotate(-1)
            wanted = next((status for word, status in expected.items() if word.encode() in request[:200]), 200)
            try:
                if sock is None:
                    sock = connect(to)
                    reader = Reader(sock)
                sock.sendall(request)
                answer = reader.answer()
                problem = None if answer["status"] == wanted else "{} for {!r}".format(answer["status"], request[:60])
            except (OSError, EOFError, ValueError, IndexError) as error:
                problem, answer = f"{error!r} for {request[:60]!r}", None
            # Every third client has a new connection for each request.
            if answer is None or number % 3 == 0 or answer["headers"].get("connection") == "close":
                if sock is not None:
                    sock.close()
                sock = None
            if problem:
                failed.append(problem)
            elif answer and answer["body"].startswith(b'{"result"'):
                pids.add(json.loads(answer["body"])["pid"])
            answered.append(None)

    print("ready", flush=True)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"requests": len(answered), "failures": len(failed), "failed": failed[:5], "pids": sorted(pids)}
