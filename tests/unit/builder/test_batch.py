"""Pushes that a registry does not take, in a batch of images: which are repeated, and which stop the build."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from build.builder.batch import Batch, Job
from build.builder.network import BuildNetwork
from build.builder.options import Options
from build.builder.outcomes import Built, Failed, Outcome
from build.builder.overrides import BaseImage
from build.builder.places import PushedToRegistry
from build.checkout.project import open_project
from build.engine.buildx import Buildx
from build.engine.buildx_builder import Standalone
from build.engine.built import BuiltImage
from build.errors import RegistryError
from build.images.image import Image
from build.images.recipe import Recipe
from build.paths import Paths
from build.registry.address import parse
from build.system.retries import RetryPolicy
from tests.unit.fixture_project import MINIMAL, PATHS, SKLEARN

NAMES = (SKLEARN, MINIMAL)  # in the order in which they are exported: the one with the most layers first
RECIPE = Recipe(inputs={})
NOTHING = cast(Any, None)


@dataclass(frozen=True, kw_only=True)
class WithoutEngine(PushedToRegistry):
    """Neither mounts layers in the registry, nor pulls images into the engine."""

    def share(self, image: Image, digest: str, others: Iterable[Image]) -> None:
        pass

    def exported(self, image: Image, recipe: Recipe, digest: str) -> BuiltImage:
        return BuiltImage(image=image, recipe=recipe, local=NOTHING, pushed=digest)


class Bakes:
    """A buildx that fails with prepared words, once for each, then succeeds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        shutil.copytree(PATHS.root, folder / "project")  # bake's files are written into it
        self._project = open_project(Paths(root=folder / "project"))
        self.images = {image.variant.name: image for image in self._project.images(self._project.variants)}

    def run(self, *failures: str) -> list[Outcome]:
        for number, words in enumerate(failures, 1):
            (self._folder / f"failure-{number}").write_text(f"{words}\n")
        images = [self.images[name] for name in NAMES]
        (self._folder / "metadata").write_text(
            json.dumps({image.target: {"containerimage.digest": f"sha256:{image.target}"} for image in images})
        )
        program = self._folder / "buildx"
        program.write_text(f"""#!/bin/sh
cd {self._folder}
echo "$@" >> calls
failure=failure-$(wc -l < calls)
if [ -e $failure ]; then cat $failure; exit 1; fi
cp metadata "$4"
""")
        program.chmod(0o755)
        bases = {image.variant.base_image_name for image in images}
        buildx = Buildx(command=(str(program),), version="0.13")
        job = Job(
            project=self._project,
            buildx=buildx,
            place=WithoutEngine(
                builder=Standalone(name="far", driver="remote", buildx=buildx),
                registry=parse("registry.example/acme"),
                connection=NOTHING,
            ),
            options=Options(),
            progress=lambda event: None,
            log=self._folder / "log",
            network=BuildNetwork(indexes=(), variables={}),
            recipes=dict.fromkeys(NAMES, RECIPE),
            base_images={name: BaseImage(name=name, recipe=RECIPE, reference=f"acme/{name}") for name in bases},
        )
        return Batch(job, images, dict.fromkeys(bases, "sha256:base")).run()

    @property
    def calls(self) -> int:
        return len((self._folder / "calls").read_text().splitlines())

    def refusal(self, name: str, words: str) -> str:
        """What buildx prints at the end of a push of an image that failed."""
        image = self.images[name]
        where = f"registry.example/acme/{image.variant.repository.split('/')[1]}"
        return f"ERROR: target {image.target}: failed to solve: failed to push {where}: {words}"


@pytest.fixture
def bakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bakes:
    monkeypatch.setattr("build.builder.batch._POLICY", RetryPolicy(attempts=3, first_wait=0, first_wait_when_limited=0))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    return Bakes(tmp_path)


def built(outcomes: Sequence[Outcome]) -> list[str]:
    return [outcome.name for outcome in outcomes if isinstance(outcome, Built)]


@pytest.mark.parametrize(
    "words",
    [
        "failed to copy: unexpected status: 429 Too Many Requests",
        "unexpected status from PUT request to https://registry.example/v2/x: 502 Bad Gateway",
        "failed to do request: write: connection reset by peer",
    ],
)
def test_a_push_that_fails_for_now_is_repeated(words: str, bakes: Bakes, capsys: pytest.CaptureFixture[str]) -> None:
    refusal = bakes.refusal(SKLEARN, words)
    assert built(bakes.run(refusal, refusal)) == list(NAMES)
    assert bakes.calls == 4
    assert "(attempt 3 of 3)" in capsys.readouterr().err


def test_a_push_is_not_repeated_for_ever(bakes: Bakes) -> None:
    refusal = bakes.refusal(SKLEARN, "unexpected status: 429 Too Many Requests")
    with pytest.raises(RegistryError, match="limits the number of requests"):
        bakes.run(*[refusal] * 9)
    assert bakes.calls == 3


def test_a_repository_that_the_registry_refuses_stops_no_other_image(bakes: Bakes) -> None:
    outcomes = bakes.run(bakes.refusal(SKLEARN, "name unknown: the repository does not exist"))
    assert built(outcomes) == [MINIMAL]
    (failed,) = (outcome for outcome in outcomes if isinstance(outcome, Failed))
    assert failed.name == SKLEARN
    assert isinstance(failed.why, RegistryError)
    assert "did not take" in failed.why.what


def test_an_image_is_known_by_its_repository_if_buildx_does_not_name_it(bakes: Bakes) -> None:
    refusal = bakes.refusal(SKLEARN, "manifest invalid").partition(": failed to solve: ")[2]
    assert built(bakes.run(f"ERROR: failed to solve: {refusal}")) == [MINIMAL]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("failed to authorize: 401 Unauthorized", "asks for a login"),
        ("unexpected status: 403 Forbidden", "asks for a login"),  # no login is stored
        ("tls: failed to verify certificate: x509: certificate has expired", "certificate"),
        ("failed to do request: dial tcp: lookup registry.example: no such host", "cannot be reached"),
    ],
)
def test_what_concerns_the_whole_registry_stops_the_build(words: str, what: str, bakes: Bakes) -> None:
    with pytest.raises(RegistryError, match=what):
        bakes.run(bakes.refusal(SKLEARN, words))
    assert bakes.calls == 1
