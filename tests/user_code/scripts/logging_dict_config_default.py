"""Logging set up by a dictionary as the documentation shows it, which disables all loggers that exist."""

import logging
import logging.config


def init():
    logging.config.dictConfig(
        {
            "version": 1,
            "handlers": {"console": {"class": "logging.StreamHandler"}},
            "root": {"handlers": ["console"], "level": "WARNING"},
        }
    )


def run(data):
    print("printed")
    raise ValueError("the reason")
