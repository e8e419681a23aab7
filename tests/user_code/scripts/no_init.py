"""A script without init()."""


def run(data):
    return data
