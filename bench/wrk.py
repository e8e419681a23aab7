"""``wrk``, the load tool of the phase ``serving``: installed from the distribution if it is missing, run, and read.

Its latencies are corrected for "coordinated omission": while one request takes long, the others that the connection
would have sent in that time count too (``stats_correct`` in wrk's source).
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from build.engine.install import PATH, add_package
from build.errors import EngineError, PipelineError
from build.system import processes

#: The Lua script with the request and the output: bench/serving-scripts/load.lua.
SCRIPT = "load.lua"
#: Seconds after which wrk counts a request as failed, and in which it must end after its time is over.
_TIMEOUT = 20
_PATIENCE = 60.0


@dataclass(frozen=True, kw_only=True)
class Load:
    """The figures of one run."""

    #: Answers, and the seconds in which they came.
    requests: int
    seconds: float
    #: Seconds.
    p50: float
    p99: float
    #: Failures in words, of connections (connect, read, write, timeout) and answers (status 400 and more), and their
    #: number; ``read`` includes a connection that was closed in the middle of an answer.
    errors: dict[str, int]

    @property
    def answered(self) -> int:
        """Requests that were answered well."""
        return self.requests - self.errors.get("status", 0)

    @property
    def rate(self) -> float:
        """Requests that were answered well, per second."""
        return self.answered / self.seconds


def find_wrk() -> str:
    """Return the path of wrk, which is installed from Debian's or Ubuntu's archive if it is missing.

    Raises:
        EngineError: It is missing, and this is not root, or apt fails.
        NetworkError: It is missing, and the archive cannot be reached.
    """
    if shutil.which("wrk", path=PATH) is None:
        add_package("wrk", what="the load tool of the phase serving")
    program = shutil.which("wrk", path=PATH)
    if program is None:
        raise EngineError("apt installed the package wrk, but wrk is not on PATH", where=PATH)
    return program


def run(program: str, url: str, scripts: Path, *, clients: int, kept: bool, seconds: float) -> Load:
    """Send requests from several clients, each as soon as its last one is answered.

    Args:
        program: From ``find_wrk``.
        url: The address that is asked.
        scripts: The folder that has ``SCRIPT``.
        clients: Connections at the same time.
        kept: Keep connections; else each request asks the server to close its connection.
        seconds: How long; wrk counts whole seconds.

    Raises:
        PipelineError: wrk failed, or its output cannot be read.
    """
    header = () if kept else ("--header", "Connection: close")
    command = [
        *(program, "--threads", "1", "--connections", str(clients), "--duration", f"{max(1, round(seconds))}s"),
        *("--timeout", f"{_TIMEOUT}s", "--script", str(scripts / SCRIPT), *header, url),
    ]
    done = processes.run(command, timeout=seconds + _PATIENCE)
    if done.returncode != 0:
        raise PipelineError("wrk failed", where=" ".join(command), details=(done.stderr or done.stdout)[-1000:])
    return parse(done.stdout)


def parse(output: str) -> Load:
    """Read wrk's output, whose last line is the script's.

    Raises:
        PipelineError: The line is not there, or no request was answered.
    """
    try:
        figures = json.loads(output.splitlines()[-1])
        load = Load(
            requests=int(figures["requests"]),
            seconds=figures["microseconds"] / 1e6,
            p50=figures["p50"] / 1e6,
            p99=figures["p99"] / 1e6,
            errors={name: figures[name] for name in ("connect", "read", "write", "timeout", "status") if figures[name]},
        )
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise PipelineError("wrk's output cannot be read", details=output[-1000:]) from error
    if load.answered <= 0 or load.seconds <= 0:
        raise PipelineError("the server answered no request", details=output[-1000:])
    return load
