"""A script whose init() takes longer than its test's WORKER_TIMEOUT (SECONDS); run() returns the number of calls."""

import time

SECONDS = 9
CALLS = "/tmp/calls.init"


def init():
    with open(CALLS, "a") as file:  # noqa: PTH123
        file.write(".")
    time.sleep(SECONDS)


def run(data):
    with open(CALLS) as file:  # noqa: PTH123
        return len(file.read())
