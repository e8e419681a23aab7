"""A script that reads a command line, which it does not have here: the arguments are the server's."""

import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--model", default="model.bin")
arguments = parser.parse_args()


def init():
    pass


def run(data):
    return arguments.model
