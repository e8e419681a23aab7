"""Reads for which GPUs the framework of an image has code, with NVIDIA's ``cuobjdump`` from the wheel of that name.

The program is copied into a container of the image: no library of several gigabytes leaves it.
"""

from __future__ import annotations

import importlib.metadata
import io
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from image_container import Container, docker

#: Wheels exist for Linux and Windows on x86-64 only.
DISTRIBUTION = "nvidia-cuda-cuobjdump"
#: Where the program is in the container.
FOLDER, PROGRAM = "/tmp", "cuobjdump"
#: An architecture counts if it has at least this share of the compiled files of the most frequent one. Frameworks add
#: a few files for an architecture that the other files do not support: torch has 59 of 476 for sm_103.
SHARE = 0.25


def cuobjdump() -> Path | None:
    """Return the program on this machine; None where its wheel is not installed."""
    try:
        files = importlib.metadata.files(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((Path(str(file.locate())) for file in files if file.name == PROGRAM), None)


def kernels(container: Container, program: Path, distributions: Iterable[str]) -> dict[str, int]:
    """Count the compiled files of distributions by architecture.

    Args:
        container: A running container of the image.
        program: cuobjdump on this machine.
        distributions: Their names.

    Returns:
        ``sm_80`` (machine code) or ``compute_90`` (PTX) → number of files.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        content = program.read_bytes()
        entry = tarfile.TarInfo(PROGRAM)
        entry.size, entry.mode = len(content), 0o755
        tar.addfile(entry, io.BytesIO(content))
    docker("cp", "-", f"{container.id}:{FOLDER}", stdin=buffer.getvalue())
    found: dict[str, int] = container.python("probe_kernels.py", f"{FOLDER}/{PROGRAM}", *distributions)
    return found


def reach(counts: Mapping[str, int]) -> set[str]:
    """Return the architectures for which most of the code was compiled.

    Args:
        counts: Architecture → number of compiled files (`kernels`).
    """
    most = max(counts.values(), default=0)
    return {architecture for architecture, count in counts.items() if count >= SHARE * most}
