"""Curated environments: the text of the assets, for any image of a matrix."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import yaml

from build.commands import generated_files as generate
from build.images import assets
from build.images.image import Image
from build.matrix.sources import Cuda
from build.matrix.upkeep import Lifecycle
from tests.unit.fixture_project import MINIMAL, PROJECT, SKLEARN

FILES = generate.files(PROJECT)


def image(name: str) -> Image:
    (made,) = PROJECT.images([PROJECT.variant(name)])
    return made


def test_every_image_has_an_asset_that_names_its_lock_and_command() -> None:
    for variant in PROJECT.variants:
        text = FILES[f"environments/AzureML-{variant.name}/environment.yaml"]
        lock = f"locks/{variant.base_name}/{variant.name}.txt"
        assert text.splitlines()[0] == f"# Generated from matrix.yaml and {lock} by `nox -s generate`; do not edit."


def test_an_asset_describes_its_image() -> None:
    asset = yaml.safe_load(FILES[assets.path(SKLEARN)])
    assert asset["name"] == f"AzureML-{SKLEARN}"
    assert asset["inference_config"]["scoring_route"] == {"path": "/score", "port": 5001}
    assert "scikit-learn 1.9 inference on Debian 12, Python 3.11, CPU" in asset["description"]
    assert "numpy>=2.0" in asset["description"]
    tags = asset["tags"]
    assert (tags["framework"], tags["version"], tags["python"], tags["device"]) == ("sklearn", "1.9.1", "3.11", "cpu")
    assert not {"cuda", "cudnn"} & tags.keys()


def test_newer_packages_are_another_version_of_the_asset() -> None:
    made = image(SKLEARN)
    later = replace(made, lock=replace(made.lock, exclude_newer="2027-01-31"))
    versions = [assets.asset(one, PROJECT.matrix.project)["version"] for one in (made, later)]
    assert versions == [PROJECT.exclude_newer.replace("-", ""), "20270131"]


def test_an_image_without_a_framework_has_no_version_tag() -> None:
    tags = assets.tags(image(MINIMAL))
    assert tags["framework"] == "minimal"
    assert "version" not in tags


def test_tags_have_cuda_cudnn_and_lifecycle_as_text() -> None:
    made = image(SKLEARN)
    variant = replace(
        made.variant,
        device="cuda12.5",
        cuda=Cuda.model_construct(version="12.5.82", cudnn="9.3.0.75"),
        lifecycle=Lifecycle.model_validate(
            {
                "deprecated": "2026-01-01",
                "full-support": {"until": "2026-06-01", "source": "upstream's page"},
                "lts": {"until": "2027-01-01", "source": "upstream's page"},
            }
        ),
    )
    asset = yaml.safe_load(assets.text(replace(made, variant=variant), PROJECT.matrix.project))
    assert asset["tags"] == {
        "framework": "sklearn",
        "version": "1.9.1",
        "python": "3.11",
        "os": "debian12",
        "device": "gpu",
        "cuda": "12.5.82",
        "cudnn": "9.3.0.75",
        "deprecated": "2026-01-01",
        "full-support-until": "2026-06-01",
        "lts-until": "2027-01-01",
        "end-of-life": "2027-01-01",
    }


def test_without_a_registry_the_comment_explains_that_azure_cannot_reach_the_address() -> None:
    text = assets.text(image(SKLEARN), PROJECT.matrix.project.model_copy(update={"registry": None}))
    assert f"image: 127.0.0.1:5000/azureml/{SKLEARN}:latest\n" in text
    assert f"--image REGISTRY/azureml/{SKLEARN}:latest" in text


def test_the_registry_of_the_matrix_is_named_and_its_namespace_wins() -> None:
    for registry, reference in (
        ("registry.example.com", f"registry.example.com/azureml/{SKLEARN}:latest"),
        ("registry.example.com:8443/acme/ml", f"registry.example.com:8443/acme/ml/{SKLEARN}:latest"),
    ):
        text = assets.text(image(SKLEARN), PROJECT.matrix.project.model_copy(update={"registry": registry}))
        assert yaml.safe_load(text)["image"] == reference
        assert "REGISTRY" not in text


def test_azure_accepts_the_name_for_a_users_workspace() -> None:
    # The pattern of Azure's REST reference; and `AzureML` is refused.
    for variant in PROJECT.variants:
        name = assets.own_name(variant.name)
        assert re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,254}", name)
        assert not name.lower().startswith("azureml")
        assert f"--name {name}" in FILES[assets.path(variant.name)]


def test_the_text_is_the_same_where_pyyaml_has_no_libyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    strange = "a: 'b' \"c\" # d, [e] {f} & * ! | > % @ ` é … 🐍 - ? \\ \t" + " long" * 400
    titles = ["", " x ", "no", "1.10", "0x1", "2026-11-19", "- a", "null", "~", "a\nb", "=", "<<", ":", strange]
    made = image(SKLEARN)
    images = [replace(made, variant=replace(made.variant, framework_title=title, framework=title)) for title in titles]
    assert assets._DUMPER is not yaml.SafeDumper
    fast = [assets.text(one, PROJECT.matrix.project) for one in images]
    monkeypatch.setattr(assets, "_DUMPER", yaml.SafeDumper)
    assert [assets.text(one, PROJECT.matrix.project) for one in images] == fast
