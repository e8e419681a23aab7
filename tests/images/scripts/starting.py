"""A script whose init() does not end."""

import time


def init():
    with open("/tmp/entered.init", "w"):  # noqa: PTH123
        pass
    time.sleep(60)


def run(data):
    return data
