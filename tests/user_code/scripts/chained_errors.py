"""An error with a cause, and one with a message in another language."""

import json


class ModelError(Exception):
    pass


def init():
    pass


def load(name):
    raise FileNotFoundError(f"no weights: {name}")


def run(data):
    asked = json.loads(data)
    if asked.get("broken"):
        try:
            load("größe.bin")
        except FileNotFoundError as error:
            raise ModelError("the model cannot predict") from error
    return "fine"
