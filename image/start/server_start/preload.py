"""WORKER_PRELOAD=true: init() runs in gunicorn's master, and workers are forks of it. Threads do not survive a fork.

A library that keeps a pool of native threads waits for ever in a worker, for threads that only the master has. GCC's
OpenMP, libgomp, which scikit-learn, LightGBM, XGBoost and PyTorch use, can end its threads before the fork; it starts
new ones when they are needed. OpenBLAS does so by itself. For others (ONNX Runtime, TensorFlow), there is a warning.
"""

from __future__ import annotations

import os
import sys
import threading

#: omp_pause_hard, of OpenMP 5.0's omp_pause_resource_t.
_HARD = 2

_warned = False


def before_fork() -> None:
    """End the idle OpenMP threads of this thread, in each libgomp of the process: wheels have copies of their own."""
    import ctypes

    for path in _loaded("libgomp"):
        try:
            ctypes.CDLL(path, mode=os.RTLD_NOW | os.RTLD_NOLOAD).omp_pause_resource_all(_HARD)
        except (OSError, AttributeError):  # GCC before 9 does not have the function
            pass


def _loaded(name: str) -> list[str]:
    """Return the files of the loaded libraries whose file name starts with a name."""
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        paths = {line.split(None, 5)[5].rstrip("\n") for line in maps if "/" in line}
    return sorted(path for path in paths if os.path.basename(path).startswith(name))


def warn() -> None:
    """Name the threads that init() left in the master, once: its workers do not have them."""
    global _warned
    threads = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    native = len(os.listdir("/proc/self/task")) - len(threads) - 1
    if _warned or (not threads and native <= 0):
        return
    _warned = True
    left = [f"{native} of native code"] if native > 0 else []
    print(
        f"start-server: WORKER_PRELOAD=true: init() started threads ({', '.join([*threads, *left])}) that the workers, "
        "forks of this process, do not have: run() may wait for them for ever; if it does, set WORKER_PRELOAD=false",
        file=sys.stderr,
        flush=True,
    )
