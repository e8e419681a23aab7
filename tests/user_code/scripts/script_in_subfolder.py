"""An entry script in a folder of its own (`src/score.py`), with a module next to it."""

import os
import sys

sys.path.append(os.path.dirname(os.path.abspath(__file__)))

from features import square


def init():
    pass


def run(data):
    return [square(3), os.getcwd()]
