"""A score script of `nox -s bench -- --only serving`: it does nothing, so that only the server costs time."""


def init():
    pass


def run(data):
    return 1
