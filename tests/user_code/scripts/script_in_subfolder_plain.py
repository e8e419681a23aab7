"""The same without the path: only the app root is on Python's path, as in Microsoft's images."""

from features import square


def init():
    pass


def run(data):
    return square(3)
