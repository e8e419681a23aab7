"""joblib's processes (loky) and threads; the function uses what init() has loaded."""

import json

import joblib


def init():
    global factor
    factor = 3


def times(x):
    return factor * x


def run(data):
    asked = json.loads(data)
    return joblib.Parallel(n_jobs=2, prefer=asked["prefer"])(joblib.delayed(times)(x) for x in asked["xs"])
