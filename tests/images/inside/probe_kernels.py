"""Print for which GPUs the libraries of some distributions contain code, as JSON; runs inside the image.

    python -c "$(cat probe_kernels.py)" CUOBJDUMP DISTRIBUTION...

No GPU and no driver is needed. Standard library only, and only features of Python 3.7.

The output counts the compiled files: {"sm_80": 476, "compute_90": 40}. ``sm_`` is machine code for one architecture,
``compute_`` is PTX, which drivers compile for newer architectures
(https://docs.nvidia.com/cuda/cuda-compiler-driver-nvcc/index.html#gpu-compilation).
"""

import collections
import json
import re
import subprocess
import sys

try:
    from importlib import metadata
except ImportError:  # Python 3.7; the server installs the backport
    import importlib_metadata as metadata

#: Option of cuobjdump → the ending of the files that it lists, and the prefix of their architectures.
LISTS = {"--list-elf": ("cubin", "sm_"), "--list-ptx": ("ptx", "compute_")}


def libraries(distribution):
    """Return the paths of the shared libraries of a distribution."""
    files = metadata.distribution(distribution).files or []
    return [str(file.locate()) for file in files if re.search(r"\.so(\.\d+)*$", file.name)]


def kernels(cuobjdump, library):
    """Return the architectures of the compiled files in a library, one for each file."""
    found = []
    for option, (ending, prefix) in LISTS.items():
        done = subprocess.run([cuobjdump, option, library], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output = done.stdout.decode(errors="replace")
        if "fatal" in output:  # its exit code also tells that there are no files of one kind
            sys.exit(library + ": " + output.strip().splitlines()[-1])
        listed = re.findall(r"\.sm_(\w+)\." + ending + r"\b", output)
        found.extend(prefix + number for number in listed)
    return found


if __name__ == "__main__":
    counts = collections.Counter()
    for name in sys.argv[2:]:
        for path in libraries(name):
            counts.update(kernels(sys.argv[1], path))
    print(json.dumps(counts))
