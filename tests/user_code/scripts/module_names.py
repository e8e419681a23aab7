"""Modules of the user with names that the server's own files also have."""

import config
import exceptions
import routes
import settings
import worker
from utils import helpers


def init():
    pass


def run(data):
    return [config.NAME, exceptions.NAME, routes.NAME, settings.NAME, worker.NAME, helpers.NAME]
