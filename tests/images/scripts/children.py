"""Processes that a script starts. It needs no package but the standard library, and works on Python 3.7."""

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

FORK = multiprocessing.get_context("fork")


class Number:
    """An object of the script's own class, which other processes get by its name."""

    def __init__(self, value):
        self.value = value


factor = 1


def init():
    global factor
    factor = 10


def multiply(number):
    return Number(number.value * factor)


def values(numbers):
    return [number.value for number in numbers]


def terminate():
    """A process that is told to end right after its start."""
    process = FORK.Process(target=time.sleep, args=(600,))
    process.start()
    process.terminate()
    process.join(5)
    return process.exitcode


def pools():
    """A pool tells its processes to end."""
    results = []
    for _ in range(5):
        with FORK.Pool(2) as pool:
            results.append(values(pool.map(multiply, [Number(1), Number(2)])))
    return results


def executor():
    with ProcessPoolExecutor(2, mp_context=FORK) as pool:
        return values(pool.map(multiply, [Number(1), Number(2)]))


def spawn():
    """The new process imports the main file of its parent and the script, but starts no server and calls no init()."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return values(pool.map(multiply, [Number(1), Number(2)]))


def program():
    """A subprocess that is told to end."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    process.terminate()
    return process.wait(5)


def fork():
    """A fork that leaves run() in its own way."""
    child = os.fork()
    if not child:
        sys.exit(5)
    return os.waitpid(child, 0)[1] >> 8


def orphans():
    """Processes that outlive their parent, and end with the codes that mean something between gunicorn's processes."""
    for code in (3, 4):
        subprocess.run(["sh", "-c", f"(sleep 0.2; exit {code}) & true"], check=True)


def ended_children_of_the_server():
    server = os.getppid()
    states = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            states.append(stat.read_text().rpartition(")")[2].split()[:2])
    return states.count(["Z", str(server)])


def live():
    """Leave a process that lives longer than the request, and as long as it likes."""
    process = FORK.Process(target=ignore_and_sleep)
    process.start()
    return process.pid


def ignore_and_sleep():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)


def run(data):
    return {"result": globals()[json.loads(data)["do"]](), "pid": os.getpid()}
