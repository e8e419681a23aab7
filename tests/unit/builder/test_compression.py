"""How the layers are compressed that a registry gets."""

from __future__ import annotations

import dataclasses

import pytest

from build.builder import compression, places
from build.matrix.model import Matrix
from build.matrix.values import Compression
from build.registry.address import parse
from build.registry.manifests import MANIFEST, compression_of, to_manifest
from tests.unit.engine.fixture_engine import ENGINE
from tests.unit.fixture_project import PROJECT

OCI = "application/vnd.oci.image.layer.v1.tar"


def matrix(**entries: Compression) -> Matrix:
    chosen = {name.replace("__", "/").replace("_", "."): value for name, value in entries.items()}
    return PROJECT.matrix.model_copy(
        update={"project": PROJECT.matrix.project.model_copy(update={"compression": chosen})}
    )


@pytest.mark.parametrize(
    ("registry", "expected"),
    [
        ("registry.example", "gzip"),
        ("registry.example/other", "gzip"),
        ("registry.example/team", "zstd"),
        ("registry.example/team/below", "zstd"),
        ("registry.example/teams", "gzip"),
        ("other.example", None),
        ("registry.example:5000", None),
    ],
)
def test_the_longest_entry_counts(registry: str, expected: str | None) -> None:
    entries = matrix(registry_example="gzip", registry_example__team="zstd")
    assert compression.named(entries, parse(registry)) == expected
    assert compression.chosen(entries, parse(registry)) == (expected or "zstd")


def test_a_registry_without_a_namespace_has_that_of_the_matrix() -> None:
    assert PROJECT.matrix.project.namespace == "azureml"
    entries = matrix(registry_example__azureml="gzip")
    assert compression.named(entries, parse("registry.example")) == "gzip"


@pytest.mark.parametrize("choice", ["gzip", "zstd"])
def test_only_the_containerd_store_compresses_at_build_time(choice: Compression) -> None:
    classic = dataclasses.replace(ENGINE, containerd_store=False)
    assert f"compression={choice}," in places.output(ENGINE, compression=choice)
    assert "compression" not in places.output(classic, compression=choice)


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ([f"{OCI}+zstd"], "zstd"),
        (["application/vnd.docker.image.rootfs.diff.tar.gzip"], "gzip"),
        (
            ["application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.oci.image.layer.v1.tar+zstd"],
            "gzip and zstd",
        ),
        ([OCI], ""),
    ],
)
def test_a_manifest_says_how_its_layers_are_compressed(types: list[str], expected: str) -> None:
    manifest = to_manifest({"layers": [{"mediaType": each} for each in types]}, MANIFEST)
    assert compression_of(manifest) == expected
    assert compression_of(to_manifest({"manifests": []}, MANIFEST)) == ""
