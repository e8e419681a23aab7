"""CUDA in GPU images, tested without a GPU: each library exists once, is found, and has the pinned version."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import PurePosixPath
from typing import Any

import pytest
from image_container import Container
from image_plan import Image, applies

#: The driver's libraries, which the NVIDIA container runtime mounts.
DRIVER = {"libcuda.so.1", "libnvidia-ml.so.1", "libnvcuvid.so.1", "libnvidia-encode.so.1"}
#: Plugins for network hardware: they are opened only where it exists, and need its libraries.
FABRIC = re.compile(r"libcufile_rdma\.|libnvshmem_|nvshmem_")
#: Triton's profiler contains CUPTI of two CUDA versions and opens them by path. No loader finds them by name, and
#: nothing else opens them, so they are not mistaken for the image's own.
OWN_COPIES = re.compile(r".*/site-packages/triton/backends/nvidia/lib/cupti[^/]*/[^/]*")
#: A provider for libraries that no image promises (TensorRT): the framework works without it.
NOT_PROMISED = {"libonnxruntime_providers_tensorrt.so"}
#: Library → the distribution whose pinned version it must have. CUDA and cuDNN have pins of their own.
DISTRIBUTIONS = {
    "cublas": "nvidia-cublas",
    "cublasLt": "nvidia-cublas",
    "cufft": "nvidia-cufft",
    "curand": "nvidia-curand",
    "cusolver": "nvidia-cusolver",
    "cusparse": "nvidia-cusparse",
    "nccl": "nvidia-nccl",
    "nvrtc": "nvidia-cuda-nvrtc",
}

gpu = applies(lambda image: image.cuda is not None)
gpu_framework = applies(lambda image: image.cuda is not None and image.version is not None)


@pytest.fixture(scope="module")
def cuda(image: Image, container: Container, files: dict[str, Any]) -> dict[str, Any]:
    """What the libraries and the framework report (``probe_cuda.py``), from one call."""
    if image.cuda_absent:
        pytest.skip(image.cuda_absent)
    container.must_run()
    libraries = [path for path in files["cuda_libraries"] if not OWN_COPIES.fullmatch(path)]
    answer: dict[str, Any] = container.python("probe_cuda.py", image.framework, *libraries)
    return answer


def numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def agree(reported: list[int], pinned: list[int]) -> bool:
    """Tell whether two versions agree as far as both go: not every library reports its patch version."""
    length = min(len(reported), len(pinned))
    return reported[:length] == pinned[:length]


@gpu
def test_each_library_once(cuda: dict[str, Any]) -> None:
    """By soname, by which loaders tell libraries apart; links do not count as copies."""
    paths = defaultdict(list)
    for path, soname in cuda["libraries"].items():
        # Some wheels bundle a library under a name with a hash: libcudart-9335f6a2.so.11.0.
        paths[re.sub(r"-[0-9a-f]{8}(?=[.])", "", soname or PurePosixPath(path).name)].append(path)
    twice = [f"{soname}: {' and '.join(copies)}" for soname, copies in paths.items() if len(copies) > 1]
    assert paths, "no CUDA library in a GPU image"
    assert not twice, f"more than one copy of {'; '.join(twice)}"


@gpu
def test_loader_finds_each_library_by_name(environment: dict[str, str], cuda: dict[str, Any]) -> None:
    assert not environment.get("LD_LIBRARY_PATH"), f"LD_LIBRARY_PATH is {environment['LD_LIBRARY_PATH']}"
    where = {soname: path for path, soname in cuda["libraries"].items()}
    wrong = []
    for soname, loaded in cuda["loaded"].items():
        missing = re.match(r"(\S+): cannot open shared object file", loaded.get("error", ""))
        if FABRIC.match(soname) or (missing and missing[1] in DRIVER):
            continue
        if loaded["paths"] != [where[soname]]:
            wrong.append(f"{soname} ({loaded.get('error') or ', '.join(loaded['paths']) or 'another file'})")
    assert not wrong, f"not found without LD_LIBRARY_PATH: {'; '.join(wrong)}"


@gpu
def test_only_the_driver_is_missing(cuda: dict[str, Any]) -> None:
    """Every library that the framework links to, directly or indirectly, is in the image (``ldd``)."""
    lacking = [
        f"{PurePosixPath(path).name} lacks {', '.join(sorted(set(missing) - DRIVER))}"
        for path, missing in cuda["needing"].items()
        if set(missing) - DRIVER and PurePosixPath(path).name not in NOT_PROMISED
    ]
    assert not lacking, "; ".join(lacking)


@gpu
def test_library_versions_match_the_pins(image: Image, cuda: dict[str, Any]) -> None:
    assert image.cuda is not None
    pins = {"cudart": image.cuda, "cudnn": image.cudnn}
    for name, distribution in DISTRIBUTIONS.items():
        versions = [
            version for known, version in image.lock.items() if re.fullmatch(rf"{distribution}(-cu\d+)?", known)
        ]
        pins[name] = versions[0] if versions else None  # Debian's packages and base images pin the toolkit as a whole
    reported = {
        soname.split(".so")[0].removeprefix("lib"): loaded["version"]
        for soname, loaded in cuda["loaded"].items()
        if loaded["version"]
    }
    wrong = []
    for name, version in reported.items():
        pin = pins.get(name)
        # cudart reports 13.0 for 13.0.3, and the pin may be its own version, 12.5.82.
        if pin and not agree(version, numbers(pin)):
            wrong.append(f"{name} reports {'.'.join(map(str, version))}, but {pin} is pinned")
    assert not wrong, "; ".join(wrong)
    promised = {"cudnn"} if image.cudnn else set()
    promised |= {"cudart"} if any(path.split("/")[-1].startswith("libcudart") for path in cuda["libraries"]) else set()
    silent = sorted(name for name in promised if name not in reported)
    assert not silent, f"no version reported by {', '.join(silent)}"


@gpu_framework
def test_framework_was_built_for_this_cuda(image: Image, cuda: dict[str, Any]) -> None:
    """It runs with the same major version of CUDA and of cuDNN as it was built with, and not with an older one.

    https://docs.nvidia.com/deploy/cuda-compatibility/, https://docs.nvidia.com/deeplearning/cudnn/backend/latest/developer/forward-compatibility.html
    """
    built = cuda["framework"]
    if built is None:
        pytest.skip(f"'{image.framework}' is not built for a CUDA version")
    wrong = []
    for name, pin in (("cuda", image.cuda), ("cudnn", image.cudnn)):
        if not built[name] or not pin:
            continue
        wanted, pinned = numbers(built[name])[:2], numbers(pin)[:2]
        if wanted[0] != pinned[0] or wanted > pinned:
            wrong.append(f"it was built for {name} {built[name]}, but {pin} is pinned")
    assert not wrong, "; ".join(wrong)
    assert built["cuda"], f"{image.framework} does not report the CUDA version that it was built for: {built}"


@gpu_framework
def test_framework_can_use_a_gpu(image: Image, cuda: dict[str, Any]) -> None:
    """The provider or plugin is present. (Other tests show that without a GPU it answers on the CPU.)"""
    built = cuda["framework"]
    if built is None:
        pytest.skip(f"'{image.framework}' does not use a GPU itself")
    assert any("cuda" in offer.lower() for offer in built["offers"]), f"it offers {built['offers']}"


def test_variables_of_the_nvidia_container_runtime(image: Image, environment: dict[str, str]) -> None:
    """They make NVIDIA's container runtime mount the driver; a CPU image does not set them."""
    variables = {name: value for name, value in environment.items() if name.startswith("NVIDIA_")}
    if image.cuda is None:
        assert not variables, f"a CPU image asks for a GPU: {variables}"
        return
    assert variables["NVIDIA_VISIBLE_DEVICES"] == "all", variables
    assert set(variables["NVIDIA_DRIVER_CAPABILITIES"].split(",")) == {"compute", "utility"}, variables
    assert variables["NVIDIA_REQUIRE_CUDA"] == f"cuda>={image.cuda.split('.')[0]}.0", variables
