"""The images of the committed matrix that others rely on by name: Azure Machine Learning's prebuilt images of 2021.

The list, with the packages it promises, is that of their documentation ("Prebuilt Docker images for inference").
"""

from __future__ import annotations

import datetime

import pytest
from packaging.requirements import Requirement

from build.checkout.project import Project, open_project
from build.paths import repository

#: Image name → the framework's own distribution and version, and what the list says is preinstalled.
SEED = {
    "tensorflow-1.15-ubuntu18.04-py37-cpu-inference": ("tensorflow-cpu==1.15.0", "numpy==1.20.1", "pandas==0.25.1"),
    "tensorflow-2.4-ubuntu18.04-py37-cpu-inference": ("tensorflow-cpu==2.4.4", "numpy>=1.16.0", "pandas~=1.1.0"),
    "tensorflow-2.4-ubuntu18.04-py37-cuda11.0.3-gpu-inference": (
        "tensorflow==2.4.4", "numpy>=1.16.0", "pandas~=1.1.0",
    ),
    "pytorch-1.6-ubuntu18.04-py37-cpu-inference": ("torch==1.6.0", "numpy==1.20.1", "pandas==0.25.1"),
    "pytorch-1.7-ubuntu18.04-py37-cpu-inference": ("torch==1.7.1", "numpy>=1.16.0", "pandas~=1.1.0"),
    "sklearn-0.24.1-ubuntu18.04-py37-cpu-inference": ("scikit-learn==0.24.1", "numpy>=1.16.0", "pandas~=1.1.0"),
    "onnxruntime-1.6-ubuntu18.04-py37-cpu-inference": ("onnxruntime==1.6.0", "numpy>=1.16.0", "pandas~=1.1.0"),
    "xgboost-0.9-ubuntu18.04-py37-cpu-inference": (
        "xgboost==0.90", "scikit-learn==0.23.2", "numpy==1.20.1", "pandas==0.25.1",
    ),
    "minimal-ubuntu18.04-py37-cpu-inference": (),
}  # fmt: skip


@pytest.fixture(scope="module")
def project() -> Project:
    return open_project(repository())


def test_the_group_has_the_nine_names(project: Project) -> None:
    assert set(project.groups()["seed"]) == set(SEED)


@pytest.mark.parametrize("name", SEED)
def test_it_promises_and_locks_what_the_list_says(project: Project, name: str) -> None:
    variant = project.variant(name)
    assert variant.repository == f"azureml/{name}"
    assert variant.own_contract == SEED[name]
    locked = project.lock(variant).versions()
    for requirement in map(Requirement, variant.contract):
        assert requirement.specifier.contains(locked[requirement.name]), f"{requirement}: {locked[requirement.name]}"


def test_the_gpu_row_has_the_cuda_of_the_list(project: Project) -> None:
    cuda = project.variant("tensorflow-2.4-ubuntu18.04-py37-cuda11.0.3-gpu-inference").cuda
    assert cuda is not None
    assert (cuda.version, cuda.cudnn) == ("11.0.3", "8.0.5.39")


@pytest.mark.parametrize("name", SEED)
def test_it_is_past_its_end_and_in_no_default_group(project: Project, name: str) -> None:
    end = project.variant(name).lifecycle.end_of_life
    assert end is not None
    assert end < datetime.date(2024, 1, 1)
    assert name not in project.groups()["default"]


def test_they_share_the_servers_layer(project: Project) -> None:
    """And numpy's and pandas' where the list allows it: the locks of one Python agree as far as they can."""
    images = project.images([project.variant(name) for name in SEED])
    layers = {image.variant.name: {layer.name for layer in image.layers} for image in images}
    server = {name for name in set.intersection(*layers.values()) if name.startswith("server-")}
    assert len(server) == 1
    for pandas in ("pandas-0.25.1", "pandas-1.1.5"):
        (name,) = {name for names in layers.values() for name in names if name.startswith(pandas)}
        assert sum(name in names for names in layers.values()) >= 3
