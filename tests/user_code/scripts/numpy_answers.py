"""Answers with numpy's types: as they are they cannot be sent, as lists they can."""

import json

import numpy as np


def init():
    pass


def run(data):
    how = json.loads(data)["how"]
    if how == "array":
        return np.zeros((1000, 1000))
    if how == "number":
        return {"score": np.float32(0.5)}
    if how == "nan":
        return [float("nan"), 1.0]
    return {"scores": np.arange(3).tolist(), "best": int(np.argmax([1, 3, 2]))}
