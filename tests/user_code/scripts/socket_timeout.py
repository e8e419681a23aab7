"""A timeout for all sockets of the process, as scripts set it that download something."""

import socket
import time


def init():
    socket.setdefaulttimeout(0.2)


def run(data):
    time.sleep(0.6)
    return len(data)
