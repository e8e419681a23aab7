"""Threads started in init(): one refreshes a value for ever, one is not a daemon, a timer starts itself again."""

import threading
import time

value = 0
ticks = 0


def refresh():
    global value
    while True:
        value += 1
        time.sleep(0.01)


def tick():
    global ticks
    ticks += 1
    timer = threading.Timer(0.05, tick)
    timer.daemon = True
    timer.start()


def init():
    threading.Thread(target=refresh, daemon=True).start()
    threading.Thread(target=refresh).start()
    tick()


def run(data):
    before = value
    time.sleep(0.2)
    return value > before and ticks > 1
