"""A score script of `nox -s bench -- --only serving`: it computes for 5 ms, in Python.

The clock is the processor time of this thread, so that a busy machine or a slower processor does not change the work.
"""

import time


def init():
    pass


def run(data):
    end = time.thread_time() + 0.005
    while time.thread_time() < end:
        sum(range(500))
    return 1
