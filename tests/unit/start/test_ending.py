"""A process of the server ends although the user's code has left threads and processes."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from tests.unit.start.start_modules import START

PROGRAM = """
import atexit, multiprocessing, sys, threading, time
sys.path.insert(0, {start!r})
from server_start import ending
ending.PATIENCE = {patience}

def serve():
    sys.exit(7)

atexit.register(print, "exit handler", flush=True)
{left}
ending.without_waiting(serve)()
"""
THREAD = "threading.Thread(target=time.sleep, args=(20,), name='refresh').start()"
PROCESS = "multiprocessing.get_context('fork').Process(target=time.sleep, args=(20,), name='sidecar').start()"


@pytest.mark.parametrize(("left", "name"), [(THREAD, "refresh"), (PROCESS, "sidecar")])
def test_it_does_not_wait_for_what_is_left(left: str, name: str) -> None:
    source = PROGRAM.format(start=str(START), patience=0.2, left=left)
    began = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-c", source], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        message = program.stderr.readline()
        assert program.wait(timeout=15) == 7
        if left == THREAD:  # multiprocessing's own exit handler waits for its processes
            assert program.stdout.readline() == "exit handler\n"
        program.stdout.close()  # a child process keeps them open
        program.stderr.close()
    assert time.monotonic() - began < 15
    assert message == f"start-server: process {program.pid} ends now, without waiting for {name}\n"


def test_exit_handlers_run() -> None:
    source = PROGRAM.format(start=str(START), patience=15, left="")
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, "exit handler\n", "")
