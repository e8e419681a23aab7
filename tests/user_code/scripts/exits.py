"""Exceptions that end programs, raised in run()."""

import json
import os
import sys


def init():
    pass


def run(data):
    how = json.loads(data)["how"]
    if how == "sys.exit":
        sys.exit("the model gave up")
    if how == "exit 0":
        exit(0)
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "os._exit":
        os._exit(1)
    return "still here"
