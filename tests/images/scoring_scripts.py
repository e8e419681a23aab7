"""The scoring scripts of tests that need no framework (``scripts/``), and helpers of those tests."""

from __future__ import annotations

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from image_container import Container, Start, docker

SCRIPTS = Path(__file__).parent / "scripts"
#: Seconds for one answer, on a small busy machine.
PATIENCE = 60
#: Seconds until a line must be in the log.
LOG_PATIENCE = 15


def script(name: str) -> bytes:
    """Return the content of ``scripts/<name>``."""
    return (SCRIPTS / name).read_bytes()


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A container to start."""

    files: dict[str, bytes]
    environment: dict[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()


def start_all(start: Start, wanted: dict[str, Wanted]) -> dict[str, Container]:
    """Start several containers side by side."""
    with ThreadPoolExecutor() as pool:
        futures = {
            name: pool.submit(start, one.files, environment=one.environment, options=one.options)
            for name, one in wanted.items()
        }
    return {name: future.result() for name, future in futures.items()}


def wait_for_file(container: Container, path: str) -> None:
    """Wait until a script has created a file.

    Raises:
        AssertionError: It did not do so in time.
    """
    wait = f"for i in $(seq {PATIENCE * 20}); do [ -e {path} ] && exit 0; sleep 0.05; done; echo no {path} >&2; exit 1"
    docker("exec", container.id, "sh", "-c", wait)


def wait_for_log(container: Container, text: str) -> str:
    """Wait until a text is in a container's log: the engine may write it shortly after the client got its answer.

    Returns:
        The log.

    Raises:
        AssertionError: It is not there in time.
    """
    give_up = time.monotonic() + LOG_PATIENCE
    while text not in (log := container.logs(lines=10000)):
        assert time.monotonic() < give_up, f"the log does not contain {text!r}:\n{log}"
        time.sleep(0.2)
    return log


def make_file(container: Container, path: str) -> None:
    """Create an empty file: the signal for a script that waits for it."""
    docker("exec", container.id, "touch", path)


def wait_for_end(container: Container) -> int:
    """Wait until a container ends.

    Returns:
        Its exit code.

    Raises:
        AssertionError: It is still running.
    """
    try:
        done = subprocess.run(
            ["docker", "wait", container.id], capture_output=True, text=True, check=True, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        raise AssertionError(f"the container is still running\n{container.logs()}") from None
    return int(done.stdout)
