"""Answers that are generated part by part, as chat models do; and a generator that is returned as it is."""

import json
import time

from azureml.contrib.services.aml_response import AMLResponse


def words(text):
    for word in text.split():
        time.sleep(0.05)
        yield f"data: {word}\n\n".encode()


def counted():
    """The parts of one answer, computed with what all answers share: models keep such state."""
    global computing
    for _ in range(5):
        computing += 1
        time.sleep(0.02)
        yield b"alone\n" if computing == 1 else b"with another\n"
        computing -= 1


def fails():
    yield b"begins\n"
    raise ValueError("the model stopped")


def init():
    global computing
    computing = 0


def run(data):
    asked = json.loads(data)
    if asked.get("how") == "plain generator":
        return (x for x in range(3))
    if asked.get("how") == "counted":
        return AMLResponse(counted(), 200)
    if asked.get("how") == "fails":
        return AMLResponse(fails(), 200)
    return AMLResponse(words(asked["text"]), 200, {"Content-Type": "text/event-stream"})
