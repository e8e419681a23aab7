"""The images nearest to a cell that cannot be built."""

from __future__ import annotations

from pathlib import Path

import pytest

from build.feasibility.nearness import nearest_images
from build.matrix.reader import load
from build.variants.expand import expand
from build.variants.variant import Variant

MATRIX = """\
project: {namespace: azureml, vendor: someone, exclude-newer: 2026-11-19, uv: "0.13.9"}
server: {title: Server, contract: [pip>=25]}
axes: {base: [b311, b312, b313], device: [cpu, cuda13.0]}
bases:
  b311: {title: Debian 12, os: debian12, python: "3.11", glibc: "2.36", bootstrap: {suite: bookworm}}
  b312: {title: Debian 12, os: debian12, python: "3.12", glibc: "2.36", bootstrap: {suite: bookworm}}
  b313: {title: Debian 13, os: debian13, python: "3.13", glibc: "2.40", bootstrap: {suite: trixie}}
cuda:
  cuda13.0: {version: 13.0.3, cudnn: 9.12.0.46, packages: [nvidia-cudnn-cu13==9.12.0.46]}
frameworks:
  minimal: {title: No framework, versions: {n/a: {}}}
  xgboost:
    title: XGBoost
    versions:
      "2.1": {}
      "3.2": {}
      "3.4": {}
      "3.10": {}
"""


@pytest.fixture
def images(tmp_path: Path) -> dict[str, Variant]:
    file = tmp_path / "matrix.yaml"
    file.write_text(MATRIX, encoding="utf-8")
    return {variant.name: variant for variant in expand(load(file))}


def near(images: dict[str, Variant], cell: str, *candidates: str) -> set[str]:
    """The images near to a cell, of these candidates; of all images if none are given."""
    chosen = [images[name] for name in candidates] or list(images.values())
    return {str(item) for item in nearest_images(images[cell], chosen)}


def test_the_nearest_of_each_axis(images: dict[str, Variant]) -> None:
    assert near(images, "xgboost-3.4-debian12-py311-cpu-inference") == {
        "xgboost-3.2-debian12-py311-cpu-inference (same base)",
        "xgboost-3.4-debian12-py312-cpu-inference (same version)",
        "xgboost-3.4-debian12-py311-cuda13.0-gpu-inference (same version and base)",
    }


def test_versions_are_numbers_and_not_text(images: dict[str, Variant]) -> None:
    assert near(
        images,
        "xgboost-3.10-debian12-py311-cpu-inference",
        "xgboost-2.1-debian12-py311-cpu-inference",
        "xgboost-3.2-debian12-py311-cpu-inference",
        "xgboost-3.4-debian12-py311-cpu-inference",
    ) == {"xgboost-3.4-debian12-py311-cpu-inference (same base)"}


def test_two_changes_where_one_is_not_enough(images: dict[str, Variant]) -> None:
    assert near(
        images,
        "xgboost-3.4-debian12-py311-cuda13.0-gpu-inference",
        "xgboost-3.2-debian13-py313-cuda13.0-gpu-inference",
        "xgboost-3.2-debian13-py313-cpu-inference",
        "minimal-debian12-py311-cpu-inference",
    ) == {"xgboost-3.2-debian13-py313-cuda13.0-gpu-inference (same device)"}


def test_another_framework_is_not_near(images: dict[str, Variant]) -> None:
    assert near(images, "minimal-debian12-py311-cpu-inference", "xgboost-3.2-debian12-py311-cpu-inference") == set()


def test_images_without_version_share_none(images: dict[str, Variant]) -> None:
    assert near(
        images, "minimal-debian12-py311-cuda13.0-gpu-inference", "minimal-debian13-py313-cuda13.0-gpu-inference"
    ) == {"minimal-debian13-py313-cuda13.0-gpu-inference (same device)"}
