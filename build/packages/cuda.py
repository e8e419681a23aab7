"""CUDA at planning time: which distributions belong to CUDA, and whether pins, packages and framework agree.

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
from build.matrix.sources import Cuda

#: CUDA's own distributions: the toolkit's libraries, cuDNN, NCCL, and the bindings that load them.
_DISTRIBUTION = re.compile(r"(nvidia|cuda)-.+")
#: The toolkit's meta-package, which has the toolkit's version.
_TOOLKIT = re.compile(r"cuda-toolkit")
#: The runtime library (cudart); up to CUDA 12, NVIDIA's names end in the major version.
_RUNTIME = re.compile(r"nvidia-cuda-runtime(-cu\d+)?")
_CUDNN = re.compile(r"nvidia-cudnn(-jit)?-cu\d+")


@functools.cache
def is_cuda(name: str) -> bool:
    """Tell whether a distribution belongs to CUDA: images with the same CUDA pins share its layers.

    Args:
        name: The name in any spelling: ``nvidia-cudnn-cu13``, ``cuda_toolkit``.
    """
    return _DISTRIBUTION.fullmatch(canonicalize_name(name)) is not None


def disagreements(cuda: Cuda, versions: Mapping[str, str], *, elsewhere: bool = False) -> list[str]:
    """Return the differences between the matrix's CUDA version and the locked packages, one sentence each.

    Args:
        cuda: The entry of the matrix, with the packages of this image.
        versions: Distribution → version, from the image's lock.
        elsewhere: CUDA comes with Debian packages or a base image; wheels bring only the rest.
    """
    sentences = []
    toolkit = _first(_TOOLKIT, versions) or _first(_RUNTIME, versions)
    if toolkit and Version(toolkit[1]) != Version(cuda.version):
        sentences.append(f"the matrix has CUDA {cuda.version}, {toolkit[0]} is {toolkit[1]}")
    cudnn = _first(_CUDNN, versions)
    if cudnn and cuda.cudnn is None:
        sentences.append(f"the matrix has no cuDNN, {cudnn[0]} is {cudnn[1]}")
    elif cudnn and cuda.cudnn and Version(cudnn[1]) != Version(cuda.cudnn):
        sentences.append(f"the matrix has cuDNN {cuda.cudnn}, {cudnn[0]} is {cudnn[1]}")
    elif cuda.cudnn and not cudnn and not elsewhere:
        sentences.append(f"the matrix has cuDNN {cuda.cudnn}, but no package contains it")
    return sentences


def _first(pattern: re.Pattern[str], versions: Mapping[str, str]) -> tuple[str, str] | None:
    return next(((name, version) for name, version in versions.items() if pattern.fullmatch(name)), None)


def contradictions(framework: str, requires: Iterable[str], versions: Mapping[str, str], python: str) -> list[str]:
    """Return the CUDA requirements in a framework's metadata that the lock does not meet, one sentence each.

    Extras count too: TensorFlow's extra ``and-cuda``, for example, names the CUDA it was built with.  A requirement on
    a distribution that is not locked is ignored: an image need not have all of them.

    Args:
        framework: The distribution and its version, for the sentences: ``tensorflow 2.18.1``.
        requires: The values of ``Requires-Dist`` in its metadata.
        versions: Distribution → version, from the image's lock.
        python: The image's Python: ``3.11``.
    """
    sentences = []
    for requirement, extra in _applicable(requires, python):
        locked = versions.get(canonicalize_name(requirement.name))
        if locked is None or not is_cuda(requirement.name) or requirement.specifier.contains(locked, prereleases=True):
            continue
        by = f" (its extra '{extra}')" if extra else ""
        sentences.append(
            f"{framework} was built for {requirement.name}{requirement.specifier}{by}, the lock has {locked}"
        )
    return list(dict.fromkeys(sentences))


def _applicable(requires: Iterable[str], python: str) -> Iterator[tuple[Requirement, str]]:
    """Yield the requirements that apply on Linux for x86_64, each with the extra that it belongs to, if any."""
    for text in requires:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:  # old metadata, which the resolver handles on its own
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
