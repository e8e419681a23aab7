"""CUDA without a framework: asks the runtime for GPUs, like a script with its own kernels, and answers on the CPU."""

import ctypes
import json
from pathlib import Path

REQUEST = {"data": [[10.0], [20.0]]}
ANSWER = [21.0, 41.0]
#: MiB of memory that are enough for a container to score.
MEMORY = 64


def init():
    global gpus
    # The shortest is the soname; Debian's packages contain the full file name too.
    libraries = [path.name for path in Path("/usr/lib/x86_64-linux-gnu").glob("libcudart.so.[0-9]*")]
    count = ctypes.c_int()
    failed = ctypes.CDLL(min(libraries, key=len)).cudaGetDeviceCount(ctypes.byref(count))
    gpus = 0 if failed else count.value


def run(data):
    return {"version": None, "gpus": gpus, "prediction": [2 * x + 1 for [x] in json.loads(data)["data"]]}
