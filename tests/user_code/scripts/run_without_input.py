"""A script that takes no input."""


def init():
    pass


def run():
    return "always the same"
