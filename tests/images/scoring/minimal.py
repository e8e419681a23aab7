"""An image without a framework: the model is plain Python."""

import json

REQUEST = {"data": [[10.0], [20.0]]}
ANSWER = [21.0, 41.0]
#: MiB of memory that are enough for a container to score.
MEMORY = 64


def init():
    """Nothing to load."""


def run(data):
    return {"version": None, "prediction": [2 * x + 1 for [x] in json.loads(data)["data"]]}
