"""CUDA at planning time: whether pins, packages and framework agree. The requirements are those of real wheels."""

from __future__ import annotations

import pytest

from build.matrix.sources import Cuda
from build.packages.cuda import contradictions, disagreements, is_cuda

#: Of the metadata of tensorflow 2.18.0 (PyPI).
TENSORFLOW = (
    "absl-py >=1.0.0",
    'tensorflow-intel ==2.18.0 ; platform_system == "Windows"',
    "nvidia-cuda-runtime-cu12 ==12.5.82 ; extra == 'and-cuda'",
    "nvidia-cudnn-cu12 ==9.3.0.75 ; extra == 'and-cuda'",
    "nvidia-nccl-cu12 ==2.21.5 ; extra == 'and-cuda'",
)
#: Of torch 2.15.0.
TORCH = (
    'cuda-toolkit[cublas,cudart]==13.2.2; platform_system == "Linux"',
    'nvidia-cudnn-cu13==9.26.0.51; platform_system == "Linux"',
    'cuda-bindings<14,>=13.0.3; platform_system == "Linux" and python_version < "3.15"',
)


def cuda(version: str, cudnn: str | None = None) -> Cuda:
    return Cuda.model_validate({"version": version, "cudnn": cudnn, "packages": ["nvidia-cublas==1"]})


@pytest.mark.parametrize(
    ("name", "expected"),
    [("nvidia-cudnn-cu13", True), ("cuda_toolkit", True), ("torch", False), ("cudatoolkit-x", False), ("numpy", False)],
)
def test_distributions_that_belong_to_cuda(name: str, expected: bool) -> None:
    assert is_cuda(name) is expected


def test_a_lock_that_differs_from_the_frameworks_build_is_reported() -> None:
    """The case of TensorFlow 2.18 with the toolkit 12.5.1, whose runtime is 12.5.39."""
    toolkit = {"cuda-toolkit": "12.5.1", "nvidia-cuda-runtime-cu12": "12.5.39", "nvidia-cudnn-cu12": "9.3.0.75"}
    (sentence,) = contradictions("tensorflow 2.18.0", TENSORFLOW, toolkit, "3.11")
    assert sentence == (
        "tensorflow 2.18.0 was built for nvidia-cuda-runtime-cu12==12.5.82 (its extra 'and-cuda'), the lock has 12.5.39"
    )
    assert not contradictions(
        "tensorflow 2.18.0", TENSORFLOW, {**toolkit, "nvidia-cuda-runtime-cu12": "12.5.82"}, "3.11"
    )


def test_a_requirement_of_every_installation_needs_no_extra() -> None:
    (sentence,) = contradictions("torch 2.15.0", TORCH, {"cuda-toolkit": "13.2.0"}, "3.11")
    assert sentence == "torch 2.15.0 was built for cuda-toolkit==13.2.2, the lock has 13.2.0"


@pytest.mark.parametrize(
    ("pins", "versions", "sentence"),
    [
        (cuda("13.0.3"), {"cuda-toolkit": "13.0.3.0", "nvidia-cuda-runtime": "13.0.96"}, None),
        (cuda("13.0.2"), {"cuda-toolkit": "13.0.3.0"}, "the matrix has CUDA 13.0.2, cuda-toolkit is 13.0.3.0"),
        (cuda("12.5.82"), {"nvidia-cuda-runtime-cu12": "12.5.82"}, None),
        (cuda("12.9"), {"nvidia-nccl-cu12": "2.29.2"}, None),
        (
            cuda("12.5.1"),
            {"nvidia-cuda-runtime-cu12": "12.5.82"},
            "the matrix has CUDA 12.5.1, nvidia-cuda-runtime-cu12 is 12.5.82",
        ),
        (
            cuda("13.0.3", "9.12.0.46"),
            {"nvidia-cudnn-jit-cu13": "9.13.0.50"},
            "the matrix has cuDNN 9.12.0.46, nvidia-cudnn-jit-cu13 is 9.13.0.50",
        ),
        (cuda("13.0.3", "9.12.0.46"), {}, "the matrix has cuDNN 9.12.0.46, but no package contains it"),
        (
            cuda("13.0.3"),
            {"nvidia-cudnn-cu13": "9.12.0.46"},
            "the matrix has no cuDNN, nvidia-cudnn-cu13 is 9.12.0.46",
        ),
    ],
)
def test_the_matrix_and_the_packages_have_the_same_versions(
    pins: Cuda, versions: dict[str, str], sentence: str | None
) -> None:
    assert disagreements(pins, versions) == ([sentence] if sentence else [])


def test_a_base_image_brings_its_own_cudnn() -> None:
    assert disagreements(cuda("11.0.3", "8.0.5.39"), {}, elsewhere=True) == []
