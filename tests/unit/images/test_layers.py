"""Layers: which packages share one."""

from __future__ import annotations

import re

import pytest

from build.images.layers import OWN_LAYER_BYTES, group, is_package_layer, kind_of, links_name
from build.locks.lock import Lock, LockedPackage
from tests.unit.fixture_project import PROJECT


def package(name: str, size: int | None = 1000, version: str = "1.0") -> LockedPackage:
    return LockedPackage(name=name, version=version, sha256="c" * 64, filename=f"{name}.whl", size=size)


def lock(*packages: LockedPackage) -> Lock:
    return Lock(title="x", python="3.11", platform="p", exclude_newer="2026-11-19", requirements=(), packages=packages)


SERVER = lock(package("flask"), package("server"))


def names(*packages: LockedPackage, own: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    layers = group(lock(*packages), SERVER, own=own)
    return [tuple(item.name for item in layer.packages) for layer in layers]


def test_the_server_comes_first_and_the_small_rest_last() -> None:
    big = package("numpy", OWN_LAYER_BYTES)
    assert names(package("flask"), package("joblib"), big, package("server"), package("six")) == [
        ("flask", "server"),
        ("numpy",),
        ("joblib", "six"),
    ]


def test_a_file_of_unknown_size_has_a_layer_to_itself() -> None:
    assert names(package("torch", None)) == [("torch",)]


def test_a_distribution_that_a_version_promises_has_a_layer_to_itself_after_the_shared_ones() -> None:
    assert names(
        package("lightgbm", 1000), package("numpy", OWN_LAYER_BYTES), package("six"), own=("lightgbm==1.0",)
    ) == [("numpy",), ("lightgbm",), ("six",)]


def test_the_layer_order_of_the_matrix_comes_before_the_names() -> None:
    numpy, grpcio, scipy = (package(name, OWN_LAYER_BYTES) for name in ("numpy", "grpcio", "scipy"))
    layers = group(lock(grpcio, numpy, scipy), SERVER, order=("numpy", "scipy"))
    assert [layer.packages[0].name for layer in layers] == ["numpy", "scipy", "grpcio"]


def test_equal_content_has_an_equal_name_and_other_content_another() -> None:
    one = group(lock(package("six"), package("joblib")), SERVER)[0]
    same = group(lock(package("six"), package("joblib")), SERVER)[0]
    other = group(lock(package("six"), package("joblib", version="2.0")), SERVER)[0]
    assert one.name == same.name != other.name


def test_a_layer_knows_its_wheel_source() -> None:
    (layer,) = group(lock(package("torch", None)), SERVER, wheel_sources={"torch": "pytorch-cpu"})
    assert layer.wheel_sources == ("pytorch-cpu",)


def test_cuda_comes_after_the_server_and_its_small_distributions_are_apart_from_the_rest() -> None:
    """Images of two frameworks with the same CUDA share all its layers, on top of the same ones."""
    cuda = (package("nvidia-cublas", OWN_LAYER_BYTES), package("cuda-toolkit"), package("nvidia-cuda-runtime"))
    first = [("flask", "server"), ("nvidia-cublas",), ("cuda-toolkit", "nvidia-cuda-runtime")]
    server = (package("flask"), package("server"))
    assert names(*server, *cuda, package("six")) == [*first, ("six",)]
    numpy = package("numpy", OWN_LAYER_BYTES)
    assert names(*server, numpy, *cuda, own=("nvidia-cublas==1.0",)) == [*first, ("numpy",)]


def test_the_links_to_cuda_are_named_by_what_they_link_to() -> None:
    def links(*packages: LockedPackage) -> str | None:
        return links_name(group(lock(*packages), SERVER))

    runtime = package("nvidia-cuda-runtime")
    assert links(package("six")) is None
    assert links(runtime, package("six")) == links(runtime)
    assert links(runtime) != links(package("nvidia-cuda-runtime", version="2.0"))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("server-1f2e3d4c", "server"),
        ("cuda-1f2e3d4c", "cuda"),
        ("cuda-links-1f2e3d4c", "cuda-links"),
        ("rest-1f2e3d4c", "rest"),
        ("numpy-2.4.6", "package"),
        ("rest-framework-1.0", "package"),
        ("scipy-1.16.3-patched-1f2e3d4c", "package"),
    ],
)
def test_the_kind_of_a_layer(name: str, kind: str) -> None:
    assert kind_of(name) == kind


def test_layers_of_packages_are_recognised_by_the_command_of_the_template() -> None:
    template = (PROJECT.tool.dockerfile_templates / "image.Dockerfile.j2").read_text(encoding="utf-8")
    copies = [line for line in template.splitlines() if line.startswith("COPY ") and "/layer" in line]
    # BuildKit writes the command into the history without its options.
    history = [re.sub(r" --\w+(=\{\{.*?\}\})?", "", line) + " # buildkit" for line in copies]
    assert history
    assert all(map(is_package_layer, history))
    assert not is_package_layer("COPY start / # buildkit")
