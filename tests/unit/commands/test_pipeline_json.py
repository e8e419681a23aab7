"""What `pipeline --json` prints: the results of the last step that ran. The steps themselves are stand-ins."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from build.builder.outcomes import Built, Failed, Outcome
from build.cli import main
from build.commands import pipeline
from build.commands.run import Chosen, Run
from build.engine.built import BuiltImage
from build.engine.images import LocalImage
from build.errors import BuildError
from build.images.image import Image
from build.images.recipe import Recipe
from build.paths import PROJECT_VARIABLE
from build.publish.publication import Published
from build.verify import results, summary
from tests.unit.fixture_project import MINIMAL, copy_project

NOTHING = cast(Any, None)
DIGEST = "sha256:" + "1" * 64


class Steps:
    """Stands in for the engine and the registry."""

    def __init__(self, *, builds: bool = True, passes: bool = True) -> None:
        self.builds, self.passes = builds, passes

    @contextlib.contextmanager
    def connected(self, chosen: Chosen, builder: str) -> Iterator[Run]:
        yield Run(project=chosen.project, images=chosen.images, left_out=(), connection=NOTHING, builder=NOTHING)

    def build(self, run: Run, *rest: object) -> list[Outcome]:
        if not self.builds:
            return [Failed(name=image.variant.name, why=BuildError("no")) for image in run.images]
        return [Built(built=built(image), seconds=1.0) for image in run.images]

    def verify(self, run: Run, images: Sequence[BuiltImage], *, show: Callable[..., None], **rest: object) -> None:
        failures = () if self.passes else (results.Outcome(test="test_port", reason="no answer"),)
        found = [
            results.VerifyResult(name=image.name, image_id=DIGEST, passed=3, failures=failures) for image in images
        ]
        show(found)
        summary.raise_for(found, run.project.paths)

    def publish(self, run: Run, images: Sequence[BuiltImage], options: object) -> list[Published]:
        return [
            Published(
                name=image.name,
                repository=f"r.example/{image.name}",
                release="20261126.v1",
                tags=("latest",),
                pull_tag="latest",
                digest=DIGEST,
                size=1,
                bytes_sent=1,
                status="published",
                seconds=1.0,
            )
            for image in images
        ]


def built(image: Image) -> BuiltImage:
    local = LocalImage(reference="none", id=DIGEST, recipe=None, size=1, layers=(("one", 1),), labels=())
    return BuiltImage(image=image, recipe=Recipe(inputs={"of": image.variant.name}), local=local)


def run(steps: Steps, monkeypatch: pytest.MonkeyPatch, folder: Path, *options: str) -> int:
    plan = SimpleNamespace(states=(), bases=None, base_differences={}, differences=(), older=None)
    for name, value in {
        "checked": lambda chosen: chosen,
        "plan_of": lambda *rest, **options: plan,
        "fail_if_unknown": lambda plan: None,
        "connected": steps.connected,
        "place_of": lambda run: None,
        "check_registry": lambda run: None,
        "pull_published": lambda *rest: None,
        "take_over_foundations": lambda *rest: None,
        "build_images": steps.build,
        "verify_images": steps.verify,
        "publish_images": steps.publish,
    }.items():
        monkeypatch.setattr(pipeline, name, value)
    monkeypatch.setattr("build.plan.output.totals", lambda plan: "1 image")
    monkeypatch.setattr("build.bases.published.settle", lambda *rest, **options: None)
    monkeypatch.setenv(PROJECT_VARIABLE, str(copy_project(folder / "project").root))
    return main(["pipeline", "--json", *options, MINIMAL])


@pytest.mark.parametrize(
    ("steps", "options", "code", "wanted"),
    [
        (Steps(), (), 0, {"name": MINIMAL, "status": "published"}),
        (Steps(), ("--no-push",), 0, {"name": MINIMAL, "result": "verified", "passed": 3}),
        (Steps(passes=False), (), 1, {"name": MINIMAL, "result": "FAILED"}),
        (Steps(passes=False), ("--no-push",), 1, {"name": MINIMAL, "result": "FAILED"}),
        (Steps(builds=False), (), 1, {"name": MINIMAL, "status": "failed"}),
        (Steps(builds=False), ("--no-push",), 1, {"name": MINIMAL, "status": "failed"}),
        (Steps(builds=False), ("--no-tags",), 1, {"name": MINIMAL, "status": "failed"}),
    ],
    ids=[
        "publish",
        "no push",
        "tests fail",
        "tests fail, no push",
        "no image",
        "no image, no push",
        "no image, no tags",
    ],
)
def test_it_is_one_document_of_the_last_step_that_ran(
    steps: Steps,
    options: tuple[str, ...],
    code: int,
    wanted: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(steps, monkeypatch, tmp_path, *options) == code
    (image,) = json.loads(capsys.readouterr().out)
    assert image.items() >= wanted.items()


def test_wrong_usage_prints_nothing_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pipeline", "--json", "--no-push", "--no-tags"]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and "--no-tags and --no-push contradict each other" in printed.err
