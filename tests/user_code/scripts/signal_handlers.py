"""The script's own signal handlers: an alarm that limits each request, and a message when the server stops."""

import json
import signal
import sys
import time


class TooSlow(Exception):
    pass


def on_alarm(number, frame):
    raise TooSlow


def on_term(number, frame):
    print("the script saw SIGTERM", file=sys.stderr, flush=True)
    sys.exit(0)


def init():
    signal.signal(signal.SIGTERM, on_term)


def run(data):
    signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        time.sleep(json.loads(data)["seconds"])
        return "in time"
    except TooSlow:
        return "too slow"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
