"""The beginning of a scoring script for a new framework.  Pure."""

from __future__ import annotations

_TEXT = '''\
"""{title}: describe the model, and why the answer is known."""

import json

import {module}

REQUEST = {{"data": [[1.0], [6.0]]}}
ANSWER = [10.0, 20.0]


def init():
    """Make a tiny real model with the framework, for which the answer to REQUEST is ANSWER."""
    global model
    raise NotImplementedError("{place} makes no model yet")


def run(data):
    prediction = model.predict(json.loads(data)["data"])
    return {{"version": {module}.__version__, "prediction": list(prediction)}}
'''


def skeleton(title: str, module: str, place: str) -> str:
    """Return a script that is complete but for the model; until it is edited, its server says what is missing.

    Args:
        title: The framework's title.
        module: The name by which it is imported.
        place: The path of the script in the repository.
    """
    return _TEXT.format(title=title, module=module, place=place)
