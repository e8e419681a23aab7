"""Logging set up by a dictionary that leaves the server's loggers alone."""

import logging
import logging.config

logging.config.dictConfig(
    {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"short": {"format": "my format: %(message)s"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "short"}},
        "root": {"handlers": ["console"], "level": "INFO"},
    }
)


def init():
    logging.info("from init")


def run(data):
    logging.getLogger("my_model").info("from run")
    print("printed")
    if "wrong" in data:
        raise ValueError("the reason")
    return "logged"
