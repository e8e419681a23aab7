"""What is known of CUDA when planned: which distributions carry it, and whether pins, packages and framework agree.

Pure.  Outside facts: the names and metadata are those of NVIDIA's wheels on PyPI; their libraries are in
``site-packages/nvidia/*/lib``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from build import platforms as markers
from build.matrix.model import Cuda

#: CUDA's own distributions: the toolkit's libraries, cuDNN, NCCL, and the bindings that load them.
_DISTRIBUTION = re.compile(r"(nvidia|cuda)-.+")
#: The toolkit's meta-package, whose version is the toolkit's.
_TOOLKIT = re.compile(r"cuda-toolkit")
#: The runtime library (cudart); NVIDIA's names end in the major version up to CUDA 12.
_RUNTIME = re.compile(r"nvidia-cuda-runtime(-cu\d+)?")
_CUDNN = re.compile(r"nvidia-cudnn(-jit)?-cu\d+")


@functools.cache
def is_cuda(name: str) -> bool:
    """Whether a distribution is a part of CUDA: its layers are shared by all images with the same pins.

    Args:
        name: Any spelling: ``nvidia-cudnn-cu13``, ``cuda_toolkit``.
    """
    return _DISTRIBUTION.fullmatch(canonicalize_name(name)) is not None


def disagreements(cuda: Cuda, versions: Mapping[str, str], *, elsewhere: bool = False) -> list[str]:
    """What the matrix says of a CUDA against what its packages are, a sentence each.

    Args:
        cuda: The pins, with the packages of this image.
        versions: Distribution → version, of the image's lock.
        elsewhere: CUDA comes with Debian packages or a base image; wheels bring only the rest.
    """
    found = []
    brought = _first(_TOOLKIT, versions) or _first(_RUNTIME, versions)
    if brought and Version(brought[1]) != Version(cuda.version):
        found.append(f"the matrix says CUDA {cuda.version}, {brought[0]} is {brought[1]}")
    cudnn = _first(_CUDNN, versions)
    if cudnn and cuda.cudnn is None:
        found.append(f"the matrix names no cuDNN, and {cudnn[0]} {cudnn[1]} is one")
    elif cudnn and cuda.cudnn and Version(cudnn[1]) != Version(cuda.cudnn):
        found.append(f"the matrix says cuDNN {cuda.cudnn}, {cudnn[0]} is {cudnn[1]}")
    elif cuda.cudnn and not cudnn and not elsewhere:
        found.append(f"the matrix says cuDNN {cuda.cudnn}, and no package brings it")
    return found


def _first(pattern: re.Pattern[str], versions: Mapping[str, str]) -> tuple[str, str] | None:
    return next(((name, version) for name, version in versions.items() if pattern.fullmatch(name)), None)


def contradictions(framework: str, requires: Iterable[str], versions: Mapping[str, str], python: str) -> list[str]:
    """What a framework's own metadata asks of CUDA, also in its extras, against what is locked, a sentence each.

    TensorFlow's extra ``and-cuda``, for example, names what it was built with.  What it asks for and is not locked
    says nothing: an image need not have all.

    Args:
        framework: The distribution, for the sentences: ``tensorflow 2.18.1``.
        requires: The values of ``Requires-Dist`` of its metadata.
        versions: Distribution → version, of the image's lock.
        python: The image's Python: ``3.11``.
    """
    found = []
    for requirement, extra in _asked(requires, python):
        locked = versions.get(canonicalize_name(requirement.name))
        if locked is None or not is_cuda(requirement.name) or requirement.specifier.contains(locked, prereleases=True):
            continue
        by = f" (its extra '{extra}')" if extra else ""
        found.append(
            f"{framework} was built for {requirement.name}{requirement.specifier}{by}, the matrix gives {locked}"
        )
    return list(dict.fromkeys(found))


def _asked(requires: Iterable[str], python: str) -> Iterator[tuple[Requirement, str]]:
    """The requirements that hold on x86-64 Linux, each with the extra that asks for it, if one does."""
    for text in requires:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:  # old metadata; the resolver has its own opinion of it
            continue
        marker = requirement.marker
        if marker is None:
            yield requirement, ""
            continue
        extras = re.findall(r"""extra\s*==\s*["']([^"']+)["']""", str(marker))
        for extra in dict.fromkeys(["", *extras]):
            if markers.holds(marker, python, extra):
                yield requirement, extra
                break
