"""The state in ``.pipeline/``: JSON files that are written atomically, and the lock that keeps two runs apart."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from build.errors import BusyError
from build.paths import Paths, write_atomically


def read_json(path: Path) -> Any | None:
    """Read a JSON file of the state; None where it is missing or broken, so that it is written again."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # not JSON, or not UTF-8
        return None


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as JSON, atomically."""
    write_atomically(path, json.dumps(content, indent=2, sort_keys=True) + "\n")


def lock_file(paths: Paths) -> Path:
    """The file that a run locks to hold a clone."""
    return paths.state / "run.lock"


@contextlib.contextmanager
def exclusive(paths: Paths, command: str) -> Iterator[None]:
    """Hold this clone for one run.

    Args:
        paths: The checkout.
        command: The command that runs; a second run names it in its message.

    Raises:
        BusyError: Another run holds it.
    """
    paths.state.mkdir(parents=True, exist_ok=True)
    holder = paths.state / "run.json"
    lock = FileLock(lock_file(paths))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        run = read_json(holder) or {}
        raise BusyError(
            f"another run is using this clone: '{run.get('command', 'unknown')}', process {run.get('pid', '?')}, "
            f"since {run.get('since', '?')}",
            where=str(paths.root),
            fix="wait for it, or stop it with Ctrl-C; use another clone to work in parallel",
        ) from None
    try:
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        write_json(holder, {"command": command, "pid": os.getpid(), "since": now})
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()
