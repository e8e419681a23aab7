"""Modules of the user with names that the server's own packages also use."""

import config
import server
import settings
import worker
from utils import helpers


def init():
    pass


def run(data):
    return [config.NAME, server.NAME, settings.NAME, worker.NAME, helpers.NAME]
