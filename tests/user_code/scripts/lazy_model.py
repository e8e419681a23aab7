"""The model is loaded by the first request; many arrive at once."""

import os
import time

model = None
loads = 0


def init():
    pass


def load():
    global model, loads
    if model is None:
        time.sleep(0.3)
        loads += 1
        model = os.getpid()
    return model


def run(data):
    load()
    return loads
