"""run() asks the server that it runs in: its health, and its own /score, which waits for this very call."""

import json
import urllib.error
import urllib.request


def init():
    pass


def run(data):
    asked = json.loads(data)
    if asked.get("path") == "/":
        with urllib.request.urlopen("http://127.0.0.1:5001/", timeout=5) as answer:
            return answer.read().decode()
    if asked.get("path") == "/score":
        request = urllib.request.Request(
            "http://127.0.0.1:5001/score", b'{"path": ""}', {"Content-Type": "application/json"}
        )
        try:
            urllib.request.urlopen(request, timeout=1)
        except OSError as error:
            return type(error).__name__
    return "done"
