"""A function of the script itself in a pool."""

import json
from multiprocessing import Pool


def square(x):
    return x * x


def init():
    pass


def run(data):
    with Pool(2) as pool:
        return pool.map(square, json.loads(data))
