"""Runs inside a container and asks its server, as JSON: the way in where there is no network.

    python -c "$(cat ask_server.py)" '{"data": 1}'

It prints the answer to ``POST /score``, or null where the server does not answer ``GET /`` in some seconds.
Standard library only, and nothing newer than Python 3.7 has.
"""

import http.client
import json
import sys
import time

#: Seconds to wait for the first answer: whoever asks looks from time to time whether the container still runs.
START = 5
#: Seconds for a prediction.
PATIENCE = 60


def ask(method, path, body, timeout):
    connection = http.client.HTTPConnection("127.0.0.1", 5001, timeout=timeout)
    connection.request(method, path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return {"status": answer.status, "body": answer.read().decode()}


def is_up():
    give_up = time.monotonic() + START
    while time.monotonic() < give_up:
        try:
            ask("GET", "/", None, START)
        except OSError:
            time.sleep(0.1)
        else:
            return True
    return False


if __name__ == "__main__":
    print(json.dumps(ask("POST", "/score", sys.argv[1], PATIENCE) if is_up() else None))
