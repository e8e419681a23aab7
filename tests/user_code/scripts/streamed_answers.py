"""Answers that are generated part by part, as chat models do; and a generator that is returned as it is."""

import json
import time

from azureml.contrib.services.aml_response import AMLResponse


def words(text):
    for word in text.split():
        time.sleep(0.05)
        yield f"data: {word}\n\n".encode()


def fails():
    yield b"begins\n"
    raise ValueError("the model stopped")


def init():
    pass


def run(data):
    asked = json.loads(data)
    if asked.get("how") == "plain generator":
        return (x for x in range(3))
    if asked.get("how") == "fails":
        return AMLResponse(fails(), 200)
    return AMLResponse(words(asked["text"]), 200, {"Content-Type": "text/event-stream"})
