"""Bases with CUDA: which there are, and which Debian packages they get. The index is a part of Debian 12's."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from build.bases import bases
from build.checkout import project
from build.errors import LockError
from build.matrix.model import Base, Bootstrap, Cuda
from build.paths import Paths, repository
from build.variants import cuda_bases
from build.variants.cuda_bases import CudaBase

#: dists/bookworm/non-free/binary-amd64/Packages of deb.debian.org on 2026-11-25, shortened.
INDEX = cuda_bases.parse_index((Path(__file__).parents[1] / "data/debian12-non-free.txt").read_text("utf-8"))


def base(version: str, *packages: str) -> CudaBase:
    return CudaBase(
        name="debian12-py311-cuda",
        base_name="debian12-py311",
        base=Base.model_validate(
            {"title": "x", "os": "debian12", "python": "3.11", "glibc": "2.36", "bootstrap": {"suite": "bookworm"}}
        ),
        device="cuda",
        cuda=Cuda.model_validate({"version": version, "debian": list(packages)}),
    )


def test_pins_are_of_the_packages_and_of_what_they_need_from_the_same_source() -> None:
    assert cuda_bases.pins(base("11.8.0", "libcusolver11"), INDEX, "matrix.yaml:1") == (
        "libcublas11=11.11.3.6~11.8.0-5~deb12u1",
        "libcublaslt11=11.11.3.6~11.8.0-5~deb12u1",
        "libcusolver11=11.4.1.48~11.8.0-5~deb12u1",
    )


def test_another_cuda_than_debian_has_lists_those_that_it_has() -> None:
    with pytest.raises(LockError) as failure:
        cuda_bases.pins(base("12.4.1", "libcudart11.0"), INDEX, "matrix.yaml:84 (cuda.x.debian)")
    assert "Debian bookworm (non-free) has no CUDA 12.4.1: libcudart11.0 is 11.8.89~11.8.0-5" in failure.value.what
    assert "CUDA versions that it has: 11.8.0" in (failure.value.fix or "")
    assert failure.value.where == "matrix.yaml:84 (cuda.x.debian)"


def test_a_package_that_debian_does_not_have_lists_the_nearest() -> None:
    with pytest.raises(LockError) as failure:
        cuda_bases.pins(base("11.8.0", "libcudart12"), INDEX, "matrix.yaml:1")
    assert failure.value.what == "Debian bookworm (non-free) has no package 'libcudart12'"
    assert "libcudart11.0" in (failure.value.fix or "")


def test_an_image_gets_by_apt_what_a_bootstrapped_base_would_have_had() -> None:
    """Else it had no Python."""
    gpu = next(each for each in project.open_project(repository()).variants if each.base_image != each.base_name)
    bootstrap = Bootstrap(suite="bookworm", packages=["libgomp1", "python3"])
    variant = dataclasses.replace(
        gpu,
        base=gpu.base.model_copy(update={"bootstrap": bootstrap, "image": None, "packages": []}),
        cuda=Cuda.model_validate({"version": "13.0.3", "images": {gpu.base_name: "nvidia/cuda:13.0.3"}}),
    )
    (found,) = cuda_bases.of([variant]).values()
    assert (found.base.image, found.base.bootstrap) == ("nvidia/cuda:13.0.3", None)
    assert found.base.packages == ["libgomp1", "python3"]


def test_what_makes_the_pins_stale_is_said() -> None:
    asked = ("libcudart11.0", "libcublas11")
    recorded = cuda_bases.pins(base("11.8.0", *asked), INDEX, "matrix.yaml:1")

    def stale(version: str, *packages: str, pins: tuple[str, ...] | None = recorded) -> list[str]:
        return list(cuda_bases.staleness(base(version, *packages), pins, asked))

    assert stale("11.8.0", *asked) == []
    assert stale("11.8.0", "libcudart11.0", pins=None) == ["the Debian packages of its CUDA are not recorded"]
    assert stale("11.8.0", *asked, "libcufft10") == ["the matrix now asks for +libcufft10"]
    assert stale("11.8.0", "libcudart11.0") == ["the matrix now asks for -libcublas11"], "it stays in the images"
    assert stale("12.4.1", *asked) == [
        "it has libcudart11.0 of CUDA 11.8.0, the matrix pins 12.4.1",
        "it has libcublas11 of CUDA 11.8.0, the matrix pins 12.4.1",
    ]


def test_what_was_asked_for_is_written_down_with_the_pins(tmp_path: Path) -> None:
    paths = Paths(root=tmp_path)
    bases.record(paths, "one", ["a=1", "b=2"], asked=["a"])
    assert (bases.recorded(paths, "one"), bases.asked(paths, "one")) == (("a=1", "b=2"), ("a",))
    bases.record(paths, "two", ["a=1"])
    assert (bases.asked(paths, "two"), bases.asked(paths, "three")) == ((), ())


def test_the_matrixs_bases_with_cuda() -> None:
    """From Debian's packages on its base; from an image instead of its base. Wheels need none."""
    found = project.open_project(repository()).cuda_bases
    assert {name: (item.base_name, item.image is not None) for name, item in found.items()} == {
        "debian12-py311-cuda11.8.0": ("debian12-py311", False),
        "ubuntu18.04-cuda11.0.3": ("ubuntu18.04", True),
    }
    image = found["ubuntu18.04-cuda11.0.3"]
    assert image.base.image == image.image and image.base.packages
