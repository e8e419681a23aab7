"""What is known of CUDA when planned: which distributions carry it, and whether pins, packages and framework agree.

Pure.  Outside facts: the wheels' names and metadata are NVIDIA's on PyPI (https://pypi.org/user/nvidia/); their
libraries lie in ``site-packages/nvidia/*/lib``.
"""

from __future__ import annotations

import re

from packaging.utils import canonicalize_name

#: CUDA's own distributions: the toolkit's libraries, cuDNN, NCCL, and the bindings that load them.
_DISTRIBUTION = re.compile(r"(nvidia|cuda)-.+")


def is_cuda(name: str) -> bool:
    """Whether a distribution is a part of CUDA: its layers are shared by all images with the same pins.

    Args:
        name: Any spelling: ``nvidia-cudnn-cu13``, ``cuda_toolkit``.
    """
    return _DISTRIBUTION.fullmatch(canonicalize_name(name)) is not None
