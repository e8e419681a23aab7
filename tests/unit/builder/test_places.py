"""Where images are kept: the overrides for bake, and how failures of a builder without an image store are explained."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from build.builder.places import PushedToRegistry, _layer_names, output
from build.checkout.project import open_project
from build.engine.buildx import Buildx
from build.engine.buildx_builder import Standalone
from build.errors import EngineError
from build.images import file_names
from build.registry.address import parse
from tests.unit.engine.fixture_engine import ENGINE
from tests.unit.fixture_project import PROJECT, copy_project

NOTHING = cast(Any, None)
CREATED = "2026-11-17T15:30:41Z"


def image(stand_in: str | None = None) -> Any:
    variant = SimpleNamespace(repository="azureml/one", stand_in=stand_in)
    return SimpleNamespace(variant=variant, lock=SimpleNamespace(newest=CREATED))


def place(buildx: Path = Path("/nowhere"), registry: str = "registry.example/acme") -> PushedToRegistry:
    builder = Standalone(name="far", driver="remote", buildx=Buildx(command=(str(buildx),), version="0.13"))
    return PushedToRegistry(builder=builder, registry=parse(registry), connection=NOTHING)


def inspecting(folder: Path, status: str, driver: str = "remote") -> Path:
    """A program that answers `buildx inspect`."""
    program = folder / "buildx"
    program.write_text(f"#!/bin/sh\necho 'Driver: {driver}'\necho 'Endpoint: tcp://b:1'\necho 'Status: {status}'\n")
    program.chmod(0o755)
    return program


def options(text: str) -> set[str]:
    return set(text.split(","))


def test_images_are_exported_as_the_engine_exports_them() -> None:
    """The same compression and times: the manifests are equal."""
    exported = place().export(image(), NOTHING)
    assert exported["tags"] == ["registry.example/acme/one"], "a tag would be written before the image is tested"
    (pushed,) = exported["output"]
    in_engine = output(ENGINE, created=CREATED)
    assert "type=image" in in_engine, "the fixture has no containerd store"
    assert options(in_engine) - {"unpack=true"} == options(pushed) - {"push=true", "push-by-digest=true"}
    (base,) = place().export_base("azureml/base:x")["output"]
    assert options(output(ENGINE)) - {"unpack=true"} == options(base) - {"push=false"}


def test_a_registry_with_plain_http_is_named_as_such() -> None:
    (pushed,) = place(registry="http://registry.example").export(image(), NOTHING)["output"]
    assert "registry.insecure=true" in options(pushed)


def test_a_push_that_is_refused_is_a_failure_of_the_registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    log = (
        "#29 ERROR: failed to push registry.example/acme/one: failed to authorize: 401 Unauthorized\n"
        "ERROR: failed to solve: failed to push registry.example/acme/one: failed to authorize: 401 Unauthorized\n"
    )
    refused = place().refused_push(log)
    assert refused is not None
    assert refused.reference == "registry.example/acme/one"
    assert not refused.others_may_pass
    assert "asks for a login" in refused.why.what
    assert "docker login registry.example" in str(refused.why.fix)
    assert "the builder far (driver remote)" in str(refused.why.where)
    assert place().refused_push(GONE) is None


GONE = "ERROR: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF\n"


@pytest.mark.parametrize(("driver", "status"), [("remote", "inactive"), ("docker-container", "stopped")])
@pytest.mark.parametrize("has_another_cause", [False, True])
def test_a_builder_that_is_gone(has_another_cause: bool, driver: str, status: str, tmp_path: Path) -> None:
    gone = place(inspecting(tmp_path, status, driver))
    failure = gone.explain(GONE, has_another_cause=has_another_cause)
    assert isinstance(failure, EngineError)
    assert failure.what == "the builder far (driver remote) stopped answering"
    assert f"tcp://b:1: {status}" in str(failure.details)


def test_a_connection_that_broke(tmp_path: Path) -> None:
    broken = place(inspecting(tmp_path, "running"))
    failure = broken.explain(GONE, has_another_cause=False)
    assert isinstance(failure, EngineError)
    assert "broke, and it answers again" in failure.what
    assert broken.explain(GONE, has_another_cause=True) is None
    assert broken.explain(f"{GONE}ERROR: failed to solve: process did not complete\n", has_another_cause=False) is None


def test_a_full_disk_and_other_failures() -> None:
    failure = place().explain("ERROR: write /x: no space left on device\n", has_another_cause=True)
    assert isinstance(failure, EngineError)
    assert "docker buildx prune --builder far" in str(failure.fix)
    assert place().explain("ERROR: failed to solve: process did not complete\n", has_another_cause=True) is None


def test_the_layers_of_an_image_are_known_by_their_stages(tmp_path: Path) -> None:
    """In the order of the generated Dockerfile: by it, the layers that two images share are found in a manifest."""
    paths = copy_project(tmp_path / "project")
    images = open_project(paths).images(PROJECT.variants)
    assert any(image.cuda_links for image in images)
    for each in images:
        text = (paths.root / file_names.image_dockerfile(each.variant.name)).read_text(encoding="utf-8")
        assert _layer_names(each) == re.findall(r"^COPY --link --from=(\S+) /layer /$", text, re.MULTILINE)
