"""The steps of the benchmark: programs with their output in its log, timed."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from build.errors import EngineError
from build.system import processes

#: Seconds that a step has to stop its builds and containers after Ctrl-C.
_PATIENCE = 45.0


def step(arguments: Sequence[str], *, cwd: Path, variables: Mapping[str, str], log: Path, what: str) -> float:
    """Run a program with its output in a log.

    Args:
        arguments: The command line.
        cwd: The folder to run it in.
        variables: Variables that are added to this process's environment.
        log: The file that the output is appended to.
        what: The step in words, for the message if it fails.

    Returns:
        Wall-clock seconds.

    Raises:
        EngineError: It failed; with the last lines of the log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as output:
        output.write(f"$ {' '.join(arguments)}\n")
        output.flush()
        began = time.monotonic()
        with processes.started(
            arguments,
            cwd=cwd,
            environment={**os.environ, **variables},
            stdout=output,
            stderr=output,
            patience=_PATIENCE,
        ) as process:
            returncode = process.wait()
        seconds = time.monotonic() - began
    if returncode != 0:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
        raise EngineError(f"the benchmark stopped: {what} failed", where=str(log), details="\n".join(lines))
    return seconds
