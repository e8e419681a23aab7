"""CUDA versions that cannot be built: `nox -s lock` reports them. tests/images tests what is in a GPU image."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.conftest import Checkout

pytestmark = pytest.mark.network

#: A base for which TensorFlow 2.18 has wheels, and whose archive has CUDA 11.8.0.
BASE = {
    "title": "Debian 12",
    "os": "debian12",
    "python": "3.11",
    "glibc": "2.36",
    "bootstrap": {"suite": "bookworm"},
}
#: A mistake that a maintainer can make: 12.5.1 is what TensorFlow's build information names.
TENSORFLOW = {
    "title": "TensorFlow",
    "versions": {"2.18": {"devices": ["cuda12.5.1"], "contract": ["tensorflow==2.18.0"]}},
}
TOOLKIT = {
    "version": "12.5.1",
    "cudnn": "9.3.0.75",
    "packages": ["cuda-toolkit[cudart]==12.5.1", "nvidia-cudnn-cu12==9.3.0.75"],
}


def with_one_row(checkout: Checkout, framework: dict[str, Any], cuda: dict[str, Any]) -> None:
    """Leave one framework, one base and one CUDA version in the matrix: resolving it takes seconds."""
    file = checkout.root / "matrix.yaml"
    matrix = yaml.safe_load(file.read_text(encoding="utf-8"))
    (device,) = next(iter(framework["versions"].values()))["devices"]
    matrix |= {
        "axes": {"base": ["debian12-py311"], "device": ["cpu"]},
        "bases": {"debian12-py311": BASE},
        "cuda": {device: cuda},
        "frameworks": {"tensorflow": framework},
        "groups": {},
    }
    for key in ("include", "exclude", "patches", "wheel-sources"):
        matrix.pop(key, None)
    file.write_text(yaml.safe_dump(matrix, sort_keys=False), encoding="utf-8")


def test_a_toolkit_that_the_framework_was_not_built_with(checkout: Checkout) -> None:
    with_one_row(checkout, TENSORFLOW, TOOLKIT)
    before = sorted(file.name for file in checkout.paths.locks.rglob("*.txt"))
    done = checkout.run("lock")
    assert done.code == 1
    output = " ".join(done.one_screen().replace("|", " ").split())
    assert (
        "tensorflow 2.18.0 was built for nvidia-cuda-runtime-cu12==12.5.82 (its extra 'and-cuda'), the lock has 12.5.39"
    ) in output
    assert '(cuda."cuda12.5.1")' in output and "matrix.yaml:" in output
    assert sorted(file.name for file in checkout.paths.locks.rglob("*.txt")) == before


def test_a_version_that_the_packages_are_not(checkout: Checkout) -> None:
    with_one_row(checkout, TENSORFLOW, TOOLKIT | {"packages": ["nvidia-cuda-runtime-cu12==12.5.82"]})
    done = checkout.run("lock")
    assert done.code == 1
    output = " ".join(done.one_screen().replace("|", " ").split())
    assert "the matrix has CUDA 12.5.1, nvidia-cuda-runtime-cu12 is 12.5.82" in output
    assert "the matrix has cuDNN 9.3.0.75, but no package contains it" in output


def test_a_cuda_that_debian_does_not_have_lists_those_that_it_has(checkout: Checkout) -> None:
    with_one_row(checkout, TENSORFLOW, {"version": "12.5.1", "debian": ["libcudart11.0"]})
    done = checkout.run("lock")
    assert done.code == 1
    output = " ".join(done.one_screen().split())
    assert "Debian bookworm (non-free) has no CUDA 12.5.1" in output
    assert "CUDA versions that it has: 11.8.0" in output


@pytest.mark.engine
def test_an_image_without_a_digest_is_not_built(checkout: Checkout) -> None:
    name = "tensorflow-2.4-ubuntu18.04-py37-cuda11.0.3-gpu-inference"
    done = checkout.run("build", name)
    assert done.code == 1
    output = " ".join(done.one_screen().split())
    assert "the CUDA version cuda11.0.3 names its image without a digest" in output
    assert "docker buildx imagetools inspect nvidia/cuda:11.0.3-cudnn8-runtime-ubuntu18.04" in output
