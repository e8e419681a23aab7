"""Standard output: replaced by a buffer, by an object that writes twice, and closed."""

import contextlib
import io
import json
import sys


class Tee:
    def __init__(self, stream):
        self.stream = stream
        self.seen = []

    def write(self, text):
        self.seen.append(text)
        return self.stream.write(text)

    def flush(self):
        self.stream.flush()


def init():
    sys.stdout = Tee(sys.stdout)


def run(data):
    how = json.loads(data)["how"]
    if how == "tee":
        sys.stdout.write("to both\n")
        return sys.stdout.seen[-1]
    if how == "captured":
        with contextlib.redirect_stdout(io.StringIO()) as captured:
            sys.stdout.write("to the buffer")
        return captured.getvalue()
    if how == "closed":
        sys.stdout.flush()
        sys.stdout.stream.close()
        return "closed"
    return "still here"
