"""CUDA in GPU images, shown without a GPU: each library once, found, and of the version that the matrix pins."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import PurePosixPath
from typing import Any

import pytest
from image_container import Container
from image_plan import Image, applies

#: What only the driver brings, which the NVIDIA container runtime mounts.
DRIVER = {"libcuda.so.1", "libnvidia-ml.so.1", "libnvcuvid.so.1", "libnvidia-encode.so.1"}
#: Plugins that their library opens only where their network is there, and that need its own libraries.
FABRIC = re.compile(r"libcufile_rdma\.|libnvshmem_|nvshmem_")
#: Triton's profiler brings the CUPTIs of two CUDAs and opens them by their paths: no loader finds them by name, and
#: nothing else opens them, so they cannot be taken for the image's own.
OWN_COPIES = re.compile(r".*/site-packages/triton/backends/nvidia/lib/cupti[^/]*/[^/]*")
#: A provider for libraries that nobody promises (TensorRT): the framework offers it, and does without.
NOT_PROMISED = {"libonnxruntime_providers_tensorrt.so"}
#: By which version of which distribution a library is measured; None: by the pins of CUDA and cuDNN.
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
    """What the libraries and the framework say (``probe_cuda.py``), in one question."""
    if image.cuda_absent:
        pytest.skip(image.cuda_absent)
    container.must_run()
    libraries = [path for path in files["cuda_libraries"] if not OWN_COPIES.fullmatch(path)]
    answer: dict[str, Any] = container.python("probe_cuda.py", image.framework, *libraries)
    return answer


def numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def agree(told: list[int], pinned: list[int]) -> bool:
    """Whether what a library tells is the beginning of what is pinned: not every library tells the patch."""
    length = min(len(told), len(pinned))
    return told[:length] == pinned[:length]


@gpu
def test_each_library_once(cuda: dict[str, Any]) -> None:
    """By soname, which is what a loader tells libraries apart by; links are no copies."""
    paths = defaultdict(list)
    for path, soname in cuda["libraries"].items():
        # Some wheels bundle a library under a name with a hash: libcudart-9335f6a2.so.11.0.
        paths[re.sub(r"-[0-9a-f]{8}(?=[.])", "", soname or PurePosixPath(path).name)].append(path)
    twice = [f"{soname}: {' and '.join(found)}" for soname, found in paths.items() if len(found) > 1]
    assert paths, "no CUDA library in a GPU image"
    assert not twice, f"more than one copy of {'; '.join(twice)}"


@gpu
def test_the_loader_finds_each_library_by_its_name(environment: dict[str, str], cuda: dict[str, Any]) -> None:
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
def test_nothing_is_missing_but_the_driver(cuda: dict[str, Any]) -> None:
    """What the framework links to, and what that links to (``ldd``)."""
    lacking = [
        f"{PurePosixPath(path).name} lacks {', '.join(sorted(set(missing) - DRIVER))}"
        for path, missing in cuda["needing"].items()
        if set(missing) - DRIVER and PurePosixPath(path).name not in NOT_PROMISED
    ]
    assert not lacking, "; ".join(lacking)


@gpu
def test_versions_that_the_libraries_tell(image: Image, cuda: dict[str, Any]) -> None:
    assert image.cuda is not None
    pins = {"cudart": image.cuda, "cudnn": image.cudnn}
    for name, distribution in DISTRIBUTIONS.items():
        found = [version for known, version in image.lock.items() if re.fullmatch(rf"{distribution}(-cu\d+)?", known)]
        pins[name] = found[0] if found else None  # Debian's packages and base images pin the toolkit as a whole
    told = {
        soname.split(".so")[0].removeprefix("lib"): loaded["version"]
        for soname, loaded in cuda["loaded"].items()
        if loaded["version"]
    }
    wrong = []
    for name, version in told.items():
        pin = pins.get(name)
        # cudart tells 13.0 of 13.0.3, and the pin may be its own version, 12.5.82.
        if pin and not agree(version, numbers(pin)):
            wrong.append(f"{name} says {'.'.join(map(str, version))}, pinned is {pin}")
    assert not wrong, "; ".join(wrong)
    promised = {"cudnn"} if image.cudnn else set()
    promised |= {"cudart"} if any(path.split("/")[-1].startswith("libcudart") for path in cuda["libraries"]) else set()
    silent = sorted(name for name in promised if name not in told)
    assert not silent, f"no version told by {', '.join(silent)}"


@gpu_framework
def test_the_framework_was_built_for_these(image: Image, cuda: dict[str, Any]) -> None:
    """CUDA of one major version is compatible, where what runs is not older than what was built with; so is cuDNN.

    https://docs.nvidia.com/deploy/cuda-compatibility/, https://docs.nvidia.com/deeplearning/cudnn/backend/latest/developer/forward-compatibility.html
    """
    built = cuda["framework"]
    if built is None:
        pytest.skip(f"'{image.framework}' is no framework that is built for a CUDA")
    wrong = []
    for name, pin in (("cuda", image.cuda), ("cudnn", image.cudnn)):
        if not built[name] or not pin:
            continue
        wanted, pinned = numbers(built[name])[:2], numbers(pin)[:2]
        if wanted[0] != pinned[0] or wanted > pinned:
            wrong.append(f"it was built for {name} {built[name]}, pinned is {pin}")
    assert not wrong, "; ".join(wrong)
    assert built["cuda"], f"{image.framework} tells no CUDA that it was built for: {built}"


@gpu_framework
def test_the_framework_can_use_a_gpu(image: Image, cuda: dict[str, Any]) -> None:
    """The provider or plugin is there, though no GPU is; the other tests show that it then answers on the CPU."""
    built = cuda["framework"]
    if built is None:
        pytest.skip(f"'{image.framework}' is no framework that uses a GPU itself")
    assert any("cuda" in offer.lower() for offer in built["offers"]), f"it offers {built['offers']}"


def test_the_container_runtime_is_told(image: Image, environment: dict[str, str]) -> None:
    """NVIDIA's container runtime mounts the driver by these, and nothing of it in a CPU image."""
    told = {name: value for name, value in environment.items() if name.startswith("NVIDIA_")}
    if image.cuda is None:
        assert not told, f"a CPU image asks for a GPU: {told}"
        return
    assert told["NVIDIA_VISIBLE_DEVICES"] == "all", told
    assert set(told["NVIDIA_DRIVER_CAPABILITIES"].split(",")) == {"compute", "utility"}, told
    assert told["NVIDIA_REQUIRE_CUDA"] == f"cuda>={image.cuda.split('.')[0]}.0", told
