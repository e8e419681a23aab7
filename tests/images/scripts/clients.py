"""A script for the tests of clients: the request says what to do. Predictions that are held end on a signal."""

import json
import os
import time

#: Seconds after which a prediction ends without its signal.
AT_MOST = 120
CALLS = "/tmp/calls.init"

inside = 0
most_inside = 0


def init():
    with open(CALLS, "a") as file:  # noqa: PTH123
        file.write(".")


def run(data):
    global inside, most_inside
    try:
        asked = json.loads(data)
    except ValueError:
        return {"result": len(data), "pid": os.getpid()}
    if asked["do"] == "break_off":
        return break_off()
    inside += 1
    most_inside = max(most_inside, inside)
    try:
        result = globals()[asked["do"]](asked)
    finally:
        inside -= 1
    return {"result": result, "pid": os.getpid(), "most_inside": most_inside, "inits": inits()}


def inits():
    """Return how many workers have started."""
    with open(CALLS) as file:  # noqa: PTH123
        return len(file.read())


def nothing(asked):
    return None


def say(asked):
    return asked["text"]


def answer(asked):
    """Return a text of some bytes."""
    return "a" * asked["bytes"]


def break_off():
    """Return an answer that is shorter than its Content-Length."""
    from azureml_inference_server_http.api.aml_response import AMLResponse

    return AMLResponse(b"ab", 200, {"Content-Length": "10"})


def rest(asked):
    """Take long enough that another thread would enter in the meantime."""
    time.sleep(0.01)


def nap(asked):
    time.sleep(0.2)


def sleep(asked):
    """A prediction that waits, like native code that releases the interpreter's lock."""
    return hold(asked["name"], lambda: time.sleep(0.05))


def compute(asked):
    """A prediction in Python, which does not release the interpreter's lock for 50 ms."""
    return hold(asked["name"], work)


def work():
    end = time.monotonic() + 0.05
    while time.monotonic() < end:
        sum(range(1000))


def hold(name, do):
    with open("/tmp/entered." + name, "w"):  # noqa: PTH123
        pass
    end = time.monotonic() + AT_MOST
    while not os.path.exists("/tmp/release." + name):  # noqa: PTH110
        if time.monotonic() > end:
            return "not released"
        do()
    return "released"
