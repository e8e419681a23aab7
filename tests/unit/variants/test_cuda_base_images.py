"""Bases with CUDA: which there are, and what they are made from."""

from __future__ import annotations

import dataclasses

from build.matrix.sources import Bootstrap, Cuda
from build.variants import cuda_base_images
from tests.unit.fixture_project import PROJECT


def test_an_image_gets_by_apt_what_a_bootstrapped_base_would_have_had() -> None:
    """Else it had no Python."""
    gpu = next(each for each in PROJECT.variants if each.base_image_name != each.base_name)
    bootstrap = Bootstrap(suite="bookworm", packages=["libgomp1", "python3"])
    variant = dataclasses.replace(
        gpu,
        base=gpu.base.model_copy(update={"bootstrap": bootstrap, "image": None, "packages": []}),
        cuda=Cuda.model_validate({"version": "13.0.3", "images": {gpu.base_name: "nvidia/cuda:13.0.3"}}),
    )
    (found,) = cuda_base_images.of([variant]).values()
    assert found.image_origin.reference == "nvidia/cuda:13.0.3"
    assert found.image_origin.apt_packages == ("libgomp1", "python3")


def test_the_matrixs_bases_with_cuda() -> None:
    """From Debian's packages on its base; from an image instead of its base. Wheels need none."""
    found = PROJECT.cuda_base_images
    assert {name: (item.base_name, item.origin.kind == "image") for name, item in found.items()} == {
        "debian12-py311-cuda11.8.0": ("debian12-py311", False),
        "ubuntu18.04-cuda11.0.3": ("ubuntu18.04", True),
    }
    image = found["ubuntu18.04-cuda11.0.3"]
    assert image.image_origin.reference in image.cuda.images.values() and image.image_origin.apt_packages
