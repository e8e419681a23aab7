"""Logging as many scripts set it up, next to the server's own."""

import logging

logging.basicConfig(level=logging.INFO, format="%(levelname)s:%(name)s:%(message)s", force=True)
logger = logging.getLogger("my_model")


def init():
    logging.info("init is complete")


def run(data):
    logger.info("request received")
    logging.getLogger("chatty").setLevel(logging.WARNING)
    logging.getLogger("chatty").info("not to be seen")
    try:
        print(1 / 0)
    except ZeroDivisionError:
        logger.exception("caught")
    return "logged"
