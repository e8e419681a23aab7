"""A score script of `nox -s bench -- --only serving`: it waits for 50 ms, as for a database or another service."""

import time


def init():
    pass


def run(data):
    time.sleep(0.05)
    return 1
