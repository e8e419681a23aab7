"""Running and stopping other programs."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from build.system import processes

#: Starts a child in a session of its own; both ignore SIGTERM; each writes its process id.
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
                          " print('ready', flush=True); time.sleep(600)"], start_new_session=True,
                         stdout=subprocess.PIPE)
child.stdout.readline()
print(os.getpid(), child.pid, flush=True)
time.sleep(600)
"""
#: Starts a child and ends without it.
ORPHANS = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
"""


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and processes.is_alive(psutil.Process(pid))


def test_output_and_exit_code_of_a_program() -> None:
    script = "import sys; print(sys.stdin.read(), end=''); sys.stderr.buffer.write(b'bad \\xff'); sys.exit(3)"
    done = processes.run([sys.executable, "-c", script], stdin="asked")
    assert (done.returncode, done.stdout, done.stderr) == (3, "asked", "bad \ufffd")


def test_a_program_that_cannot_be_started(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        processes.run([tmp_path / "absent"])


def test_a_program_that_takes_too_long_is_stopped() -> None:
    began = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        processes.run(["sleep", "600"], timeout=0.2)
    assert time.monotonic() - began < 5


def test_lines_are_passed_on_while_the_program_runs() -> None:
    script = (
        "import sys; print('first', flush=True); print('second', file=sys.stderr, flush=True); input(); print('no')"
    )
    lines: list[str] = []
    assert processes.follow([sys.executable, "-c", script], lines.append) == 1  # no standard input: input() fails
    assert lines[:2] == ["first\n", "second\n"]


def test_output_in_a_log(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w", encoding="utf-8") as log:
        log.write("$ sh\n")
        assert processes.run_logged(["sh", "-c", "echo out; echo err >&2; exit 4"], log) == 4
    assert (tmp_path / "log").read_text(encoding="utf-8") == "$ sh\nout\nerr\n"


def test_an_interrupt_stops_the_program_and_all_that_it_started() -> None:
    pids: list[int] = []

    def interrupt(line: str) -> None:
        pids.extend(map(int, line.split()))
        raise KeyboardInterrupt

    command = [sys.executable, "-c", STUBBORN]
    with pytest.raises(KeyboardInterrupt), processes.started(command, patience=0.3) as process:
        assert process.stdout is not None
        interrupt(process.stdout.readline())
    assert len(pids) == 2
    assert not [pid for pid in pids if alive(pid)]


def test_children_whose_parent_ended_are_stopped_too() -> None:
    process = processes.start([sys.executable, "-c", ORPHANS], stdout=subprocess.PIPE)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    process.wait()
    assert alive(child)
    processes.stop(process)
    process.stdout.close()
    assert not alive(child)


def test_ctrl_c_stops_the_programs_of_all_threads_and_starts_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_interrupted", threading.Event())
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), processes.worker_threads(2) as pool:
        waiting = [pool.submit(processes.run, ["sleep", "600"]) for _ in range(4)]
        while len(processes._running) < 2:
            time.sleep(0.01)
        raise KeyboardInterrupt
    assert time.monotonic() - began < 10
    assert all(each.cancelled() or isinstance(each.exception(), KeyboardInterrupt) for each in waiting)


def test_a_second_interrupt_kills_at_once() -> None:
    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    process = processes.start([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE)
    assert process.stdout is not None
    pids = list(map(int, process.stdout.readline().split()))
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            processes.stop(process, patience=600)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        process.stdout.close()
    process.wait(timeout=5)
    until = time.monotonic() + 5
    while any(alive(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.02)
    assert not [pid for pid in pids if alive(pid)]
