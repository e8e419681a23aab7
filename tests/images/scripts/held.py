"""Predictions that end on a signal (a file in /tmp), so that no test measures time."""

import json
import os
import time

#: Seconds after which a prediction ends without its signal.
AT_MOST = 60

inside = 0
most_inside = 0


def init():
    """Nothing to load."""


def run(data):
    global inside, most_inside
    asked = json.loads(data)
    inside += 1
    most_inside = max(most_inside, inside)
    try:
        result = globals()[asked["do"]](asked.get("name"))
    finally:
        inside -= 1
    return {"result": result, "pid": os.getpid(), "most_inside": most_inside}


def nothing(name):
    """Return which process predicts."""


def rest(name):
    """Take long enough that another thread would enter in the meantime."""
    time.sleep(0.01)


def sleep(name):
    """A prediction that waits, like native code that releases the interpreter's lock."""
    return hold(name, lambda: time.sleep(0.01))


def compute(name):
    """A prediction in Python."""
    return hold(name, lambda: sum(range(1000)))


def hang(name):
    """A prediction that never ends."""
    return hold(name, lambda: time.sleep(1))


def hold(name, work):
    touch("entered." + name)
    end = time.monotonic() + AT_MOST
    while not os.path.exists("/tmp/release." + name):  # noqa: PTH110
        if time.monotonic() > end:
            return "not released"
        work()
    return "released"


def meet(name):
    """Wait until another worker's prediction of the same name runs at the same time."""
    touch("meet." + name + "." + str(os.getpid()))
    end = time.monotonic() + 3
    while time.monotonic() < end:
        if len([entry for entry in os.listdir("/tmp") if entry.startswith("meet." + name + ".")]) > 1:  # noqa: PTH208
            return "met"
        time.sleep(0.01)
    return "alone"


def touch(name):
    with open("/tmp/" + name, "w"):  # noqa: PTH123
        pass
