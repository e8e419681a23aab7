"""Send a scoring request to the server from inside its container, which may have no network.

    python -c "$(cat ask_server.py)" '{"data": 1}'

Prints the answer to ``POST /score`` as JSON, or null if the server does not answer ``GET /`` within some seconds.
Standard library only, and only features of Python 3.7.
"""

import http.client
import json
import sys
import time

#: Seconds to wait for the first answer. The caller tries again, and checks in between that the container still runs.
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
