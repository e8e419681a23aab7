"""The curated environments, read by Microsoft's library as `az ml environment create` reads them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from build.checkout import project
from build.commands import generated_files as generate
from build.images import assets
from build.paths import repository
from tests.conftest import ROOT, Checkout
from tests.pipeline.rows import PROJECT, SKLEARN

pytestmark = pytest.mark.network

Check = Callable[..., str]


def load(check: Check, *arguments: str | Path) -> list[dict[str, Any]]:
    """Return what the library reads from environment files."""
    understood: list[dict[str, Any]] = json.loads(check("check_environments.py", *map(str, arguments)))
    return understood


def test_every_image_has_an_environment_that_azure_accepts(check: Check) -> None:
    opened = project.open_project(repository())
    files = {variant.name: ROOT / assets.path(variant.name) for variant in opened.variants}
    example = (ROOT / "docs/examples/azureml/deployment.yaml").read_text(encoding="utf-8")
    routes = yaml.safe_load(example)["environment"]["inference_config"]  # test_docs.py requests these from a container
    for variant, understood in zip(opened.variants, load(check, *files.values()), strict=True):
        assert understood["name"] == f"AzureML-{variant.name}"
        assert understood["image"].endswith(f"/azureml/{variant.name}:latest")
        assert understood["os"] == "linux"
        assert {_snake(name): route for name, route in understood["routes"].items()} == routes
        assert {key: understood["tags"][key] for key in ("framework", "python", "os")} == {
            "framework": variant.framework,
            "python": variant.base.python,
            "os": variant.base.os,
        }
        assert all(isinstance(value, str) for value in understood["tags"].values()), understood["tags"]


def _snake(name: str) -> str:
    return re.sub(r"([A-Z])", r"_\1", name).lower()


def test_the_options_in_the_comment_change_name_and_image(check: Check) -> None:
    file = ROOT / assets.path(SKLEARN)
    comment = " ".join(re.findall(r"^#(.*)$", file.read_text(encoding="utf-8"), re.MULTILINE))
    options = dict(re.findall(r"--(name|image) (\S+)", comment))
    options["image"] = options["image"].replace("REGISTRY", "registry.example.com")
    (understood,) = load(check, file, *(f"{key}={value}" for key, value in options.items()))
    assert understood["name"] == SKLEARN.replace(".", "-")
    assert understood["image"] == f"registry.example.com/azureml/{SKLEARN}:latest"
    assert understood["tags"]["version"] == PROJECT.lock(PROJECT.variant(SKLEARN)).versions()["scikit-learn"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("liveness_route", "livenes_route", "Unknown field"),
        ("port: 5001", "port: http", "Not a valid integer"),
        ("image: ", "# image: ", "Docker image or Dockerfile is required"),
    ],
)
def test_an_invalid_environment_is_detected(check: Check, tmp_path: Path, old: str, new: str, says: str) -> None:
    text = (ROOT / assets.path(SKLEARN)).read_text(encoding="utf-8")
    assert f"\n{old}" in text or f" {old}" in text
    (tmp_path / "environment.yaml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(AssertionError, match=says):
        load(check, tmp_path / "environment.yaml")


def test_a_registry_in_the_matrix_is_named_in_the_environments(check: Check, checkout: Checkout) -> None:
    checkout.edit("matrix.yaml", "  vendor: ", "  registry: registry.example.com/acme\n  vendor: ")
    assert checkout.run("generate").code == 0
    opened = project.open_project(checkout.paths)
    assert generate.drift(opened) == []
    (understood,) = load(check, checkout.root / assets.path(SKLEARN))
    assert understood["image"] == f"registry.example.com/acme/{SKLEARN}:latest"
