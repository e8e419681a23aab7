"""Run other programs and stop them: the one place where a process is started.

Each program gets a session of its own, so that Ctrl-C reaches this process alone, which then stops the program and
everything that the program started.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

#: Seconds that a process has to end after SIGTERM, and after SIGKILL.
PATIENCE = 15.0
_KILL_PATIENCE = 5.0

Output = int | IO[str] | IO[bytes]

#: The programs of `started` that run now.
_running: set[subprocess.Popen[str]] = set()
#: Set by Ctrl-C in `worker_threads`.
_interrupted = threading.Event()


def run(
    command: Sequence[str | os.PathLike[str]],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: str | None = None,
    merge_output: bool = False,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and return its exit code and output; a failure is for the caller to judge.

    Args:
        command: The program and its arguments.
        cwd: The folder to run it in; by default this process's.
        environment: All its environment variables; by default this process's.
        stdin: Text for its standard input, which is empty otherwise.
        merge_output: Put standard error into ``stdout``, in the order of writing.
        timeout: Seconds after which it is stopped.

    Raises:
        OSError: The program cannot be started.
        subprocess.TimeoutExpired: It did not end in time, and was stopped.
    """
    with started(
        command,
        cwd=cwd,
        environment=environment,
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stderr=subprocess.STDOUT if merge_output else subprocess.PIPE,
    ) as process:
        out, err = process.communicate(stdin, timeout=timeout)
    return subprocess.CompletedProcess(list(command), process.returncode, out, err)


def run_logged(
    command: Sequence[str | os.PathLike[str]],
    log: IO[str] | IO[bytes],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Run a program to its end with all its output in an open file, and return its exit code.

    Args:
        command: The program and its arguments.
        log: The file for standard output and standard error.
        cwd: The folder to run it in; by default this process's.
        environment: All its environment variables; by default this process's.

    Raises:
        OSError: The program cannot be started.
    """
    log.flush()
    with started(command, cwd=cwd, environment=environment, stdout=log, stderr=log) as process:
        return process.wait()


def follow(
    command: Sequence[str | os.PathLike[str]],
    on_line: Callable[[str], None],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Run a program, pass on each line of its output as it comes, and return its exit code.

    Args:
        command: The program and its arguments.
        on_line: Called with each line of standard output and standard error, with the line's end.
        cwd: The folder to run it in; by default this process's.
        environment: All its environment variables; by default this process's.

    Raises:
        OSError: The program cannot be started.
    """
    with started(command, cwd=cwd, environment=environment, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            on_line(line)
        return process.wait()


@contextlib.contextmanager
def started(
    command: Sequence[str | os.PathLike[str]],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: Output = subprocess.DEVNULL,
    stdout: Output = subprocess.PIPE,
    stderr: Output = subprocess.PIPE,
    patience: float = PATIENCE,
) -> Iterator[subprocess.Popen[str]]:
    """Start a program that is stopped where the body of ``with`` raises (Ctrl-C too), and waited for where not.

    Args:
        command: The program and its arguments.
        cwd: The folder to run it in; by default this process's.
        environment: All its environment variables; by default this process's.
        stdin: As for ``subprocess.Popen``.
        stdout: As for ``subprocess.Popen``.
        stderr: As for ``subprocess.Popen``.
        patience: Seconds that it has to end after SIGTERM, before it is killed.

    Raises:
        OSError: The program cannot be started.
        KeyboardInterrupt: In a thread of `worker_threads`: Ctrl-C stopped it.
    """
    # Its temporary files are in the folder of this run, which is removed with them.
    variables = {**(os.environ if environment is None else environment), "TMPDIR": tempfile.gettempdir()}
    process = start(command, cwd=cwd, environment=variables, stdin=stdin, stdout=stdout, stderr=stderr)
    _running.add(process)
    try:
        _raise_if_interrupted()
        yield process
        _close_pipes(process)
        process.wait()
        _raise_if_interrupted()
    except BaseException:
        stop(process, patience=patience)
        raise
    finally:
        _running.discard(process)
        _close_pipes(process)


@contextlib.contextmanager
def worker_threads(count: int | None = None) -> Iterator[ThreadPoolExecutor]:
    """Start threads that run programs, and stop these programs on Ctrl-C, which only the main thread notices.

    Args:
        count: The number of threads; None: as many as suit the machine.
    """
    with ThreadPoolExecutor(count) as pool:
        try:
            yield pool
        except KeyboardInterrupt:
            _interrupted.set()
            pool.shutdown(wait=False, cancel_futures=True)
            for process in tuple(_running):
                stop(process)
            raise


def _raise_if_interrupted() -> None:
    if _interrupted.is_set() and threading.current_thread() is not threading.main_thread():
        raise KeyboardInterrupt


def _close_pipes(process: subprocess.Popen[str]) -> None:
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):  # text that the program did not read
                pipe.close()


def start(
    command: Sequence[str | os.PathLike[str]],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: Output = subprocess.DEVNULL,
    stdout: Output = subprocess.DEVNULL,
    stderr: Output = subprocess.DEVNULL,
) -> subprocess.Popen[str]:
    """Start a program that may outlive this process; ``stop`` ends it.

    Args:
        command: The program and its arguments.
        cwd: The folder to run it in; by default this process's.
        environment: All its environment variables; by default this process's.
        stdin: As for ``subprocess.Popen``.
        stdout: As for ``subprocess.Popen``; text, in which bytes that are not UTF-8 are replaced.
        stderr: As for ``subprocess.Popen``.

    Raises:
        OSError: The program cannot be started.
    """
    return subprocess.Popen(
        list(command),
        cwd=cwd,
        env=None if environment is None else dict(environment),
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )


def stop(process: subprocess.Popen[str], *, patience: float = PATIENCE) -> None:
    """Stop a program from ``start`` and all that it started: SIGTERM, and SIGKILL for what is left.

    Args:
        process: The program; nothing happens where it has ended and left nothing running.
        patience: Seconds to end after SIGTERM.
    """
    end(_family(process), patience=patience)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_KILL_PATIENCE)


def end(processes: Sequence[psutil.Process], *, patience: float = PATIENCE) -> None:
    """End processes: SIGTERM, and SIGKILL for those that are left.  A second Ctrl-C kills at once.

    Args:
        processes: Any processes, not only our own.
        patience: Seconds to end after SIGTERM.
    """
    try:
        left = _signal(processes, signal.SIGTERM, patience)
    except BaseException:
        _signal(processes, signal.SIGKILL, 0)
        raise
    _signal(left, signal.SIGKILL, _KILL_PATIENCE)


def is_alive(process: psutil.Process) -> bool:
    """Tell whether a process still runs; one that has ended and was not waited for (a zombie) does not."""
    import psutil

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal(processes: Sequence[psutil.Process], number: signal.Signals, seconds: float) -> list[psutil.Process]:
    """Send a signal to those that are alive, and return those that still are after at most ``seconds``."""
    import psutil

    left = [process for process in processes if is_alive(process)]
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
    until = time.monotonic() + seconds
    while left and time.monotonic() < until:
        time.sleep(0.02)
        left = [process for process in left if is_alive(process)]
    return left


def _family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the process, its descendants, and the members of its session (their parents may have ended)."""
    import psutil  # here, since it would slow down commands that stop nothing

    pid = process.pid
    family: dict[int, psutil.Process] = {}
    if process.poll() is None:
        leader = psutil.Process(pid)
        family = {each.pid: each for each in (leader, *leader.children(recursive=True))}
    elif psutil.pid_exists(pid):
        return []  # another process has the number by now, so no session of ours has it
    for each in psutil.process_iter():
        with contextlib.suppress(OSError, psutil.NoSuchProcess):
            if os.getsid(each.pid) == pid:
                family.setdefault(each.pid, each)
    return list(family.values())
