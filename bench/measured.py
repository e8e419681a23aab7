"""``python -m bench.measured FILE COMMAND…``: run a command of this project, and write its cost to a file.

A JSON object: ``cpu`` (seconds) and ``memory`` (bytes).
"""

from __future__ import annotations

import json
import re
import runpy
import sys
import time
from pathlib import Path


def peak_memory() -> int:
    """Return the largest resident memory that this process had, in bytes (proc(5), ``VmHWM``).

    Not ``getrusage``: its figure begins with that of the process that started this one.
    """
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    match = re.search(r"^VmHWM:\s+(\d+) kB$", text, re.MULTILINE)
    return int(match[1]) * 1024 if match else 0


if __name__ == "__main__":
    report = Path(sys.argv.pop(1))
    try:
        runpy.run_module("build", run_name="__main__", alter_sys=True)
    finally:
        cost = {"cpu": time.process_time(), "memory": peak_memory()}
        report.write_text(json.dumps(cost), encoding="utf-8")
