"""`nox -s publish -- --tags-only`: a release of images that other machines pushed, without an engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from build.builder import image_recipes
from build.checkout.project import open_project
from build.paths import PROJECT_VARIABLE, Paths
from build.plan.question import Question, questions
from build.registry import address, attachments
from build.registry.client import Client
from build.registry.manifests import MANIFEST, descriptor, to_manifest
from build.verify.reports import MEDIA_TYPE, verified_tag
from tests import other_repository
from tests.conftest import ROOT, Checkout, Ran
from tests.pipeline.registries import Running
from tests.workflows import read_outputs

pytestmark = [pytest.mark.engine]


class Machine:
    """A machine without an engine: a clone, a registry, and the files of a step."""

    def __init__(self, there: Running, folder: Path) -> None:
        self.paths: Paths = other_repository.make(folder / "repository")
        self.outputs, self.summary = folder / "outputs", folder / "summary"
        self.environment = {
            PROJECT_VARIABLE: str(self.paths.root),
            "INFERENCE_IMAGES_DISK": other_repository.DISK,
            "REGISTRY": f"{there.registry.host}/team",
            "DOCKER_HOST": "unix:///nonexistent/docker.sock",
            "GITHUB_OUTPUT": str(self.outputs),
            "GITHUB_STEP_SUMMARY": str(self.summary),
        }
        assert self.run("generate").code == 0

    def run(self, *arguments: str) -> Ran:
        return Checkout(root=ROOT).run(*arguments, env=self.environment)

    def plan(self) -> tuple[bool, list[str]]:
        """What `plan` outputs: whether there is work, and the shards."""
        self.outputs.unlink(missing_ok=True)
        done = self.run("plan", "--github", "--group", "default")
        assert done.code == 0, done.one_screen()
        found = read_outputs(self.outputs)
        return found["work"] == "true", json.loads(found["shards"])

    def shards(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.run("plan", "--json", "--group", "default").out)["shards"]
        return found

    def client(self) -> Client:
        return Client(address.parse(self.environment["REGISTRY"]))

    def questions(self) -> list[Question]:
        project = open_project(self.paths)
        images, _ = project.usable_images(project.variants)
        recipes = image_recipes.of(project, images).known
        return questions(project, images, recipes, latest=True, latest_for_stand_ins=False)

    def push(self, question: Question, *, tested: bool = True) -> str:
        """Push an image without layers under a recipe, as another machine would; returns its digest."""
        content: dict[str, Any] = {"config": {"Labels": {"inference-images.recipe": question.recipe}}}
        config = json.dumps(content | {"rootfs": {"type": "layers", "diff_ids": []}}).encode()
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", config),
            "layers": [],
        }
        manifest = to_manifest(document, MANIFEST)
        with self.client() as client:
            client.put_artifact(question.repository, manifest, [config])
            client.put_tag(question.repository, question.recipe_tag, manifest)
            if tested:
                attachments.attach(
                    client,
                    question.repository,
                    manifest,
                    b"{}",
                    media_type=MEDIA_TYPE,
                    title="report.json",
                    created="2026-11-26T00:00:00Z",
                    tag=verified_tag(question.recipe, question.suite),
                )
        return manifest.digest

    def latest(self) -> list[str | None]:
        with self.client() as client:
            return [client.digest(question.repository, "latest") for question in self.questions()]


def test_tags_move_when_all_images_are_there_and_tested(there: Running, tmp_path: Path) -> None:
    machine = Machine(there, tmp_path)
    one, two = machine.questions()
    (shard,) = [shard for shard in machine.shards() if two.name in shard["images"]]
    digests = [machine.push(one), machine.push(two, tested=False)]
    assert machine.plan() == (True, [shard["id"]])
    refused = machine.run("publish", "--tags-only", "--group", "default")
    assert refused.code == 1
    assert f"1 of 2 images cannot be released: {two.name}" in refused.one_screen()
    assert "it has no report of today's tests" in refused.err
    assert machine.latest() == [None, None]

    machine.push(two)
    assert machine.plan() == (True, []), "the tags are left to do"
    nothing = machine.run("pipeline", "--no-tags", "--shard", shard["id"], "--group", "default")
    assert nothing.code == 0, nothing.one_screen()
    assert machine.latest() == [None, None]

    done = machine.run("publish", "--tags-only", "--github", "--group", "default", "--json")
    assert done.code == 0, done.one_screen()
    assert [(row["status"], row["digest"]) for row in json.loads(done.out)] == [("moved", each) for each in digests]
    assert machine.latest() == digests
    assert all(f"- `{each.name}`" in machine.summary.read_text() for each in (one, two)), "it has no release notes"

    again = machine.run("publish", "--tags-only", "--github", "--group", "default", "--json")
    assert {row["status"] for row in json.loads(again.out)} == {"already published"}
    with machine.client() as client:
        assert len([tag for tag in client.tags("azureml/releases") if tag != "lock"]) == 1
