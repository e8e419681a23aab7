"""init() gives up with sys.exit()."""

import sys


def init():
    sys.exit("no model was found")


def run(data):
    return data
