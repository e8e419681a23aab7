"""A repository that keeps a matrix and locks alone, with the tool of this checkout."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from build.builder import image_recipes
from build.checkout.project import open_project
from build.paths import PROJECT_VARIABLE, Paths
from build.plan.question import questions
from tests import other_repository
from tests.conftest import ROOT, Checkout, Ran, take_port
from tests.pipeline.rows import BASE_NAME
from tests.workflows import read_outputs


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    return other_repository.make(tmp_path_factory.mktemp("other") / "repository")


@pytest.fixture
def other(kept: Paths, tmp_path: Path) -> Paths:
    return other_repository.clone(kept, tmp_path / "clone")


def run(other: Paths, *arguments: str, **variables: str) -> Ran:
    return Checkout(root=ROOT).run(
        *arguments, env={PROJECT_VARIABLE: str(other.root), "INFERENCE_IMAGES_DISK": other_repository.DISK, **variables}
    )


def test_its_files_are_generated_and_nothing_is_left_to_commit(other: Paths) -> None:
    listed = run(other, "list", "--json")
    assert [row["name"] for row in json.loads(listed.out)] == other_repository.image_names()
    for _ in range(2):
        done = run(other, "generate")
        assert done.code == 0, done.one_screen()
    assert run(other, "check").code == 0
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=other.root, capture_output=True, text=True, check=True
    )
    assert status.stdout == ""
    assert (other.image / "scripts").samefile(ROOT / "image/scripts"), "bake finds no build contexts"


def test_its_plan_is_divided_into_shards(other: Paths, tmp_path: Path) -> None:
    assert run(other, "generate").code == 0
    files = {"GITHUB_OUTPUT": str(tmp_path / "outputs"), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    port = {"INFERENCE_IMAGES_REGISTRY_PORT": str(take_port()), "REGISTRY": ""}
    done = run(other, "plan", "--github", "--group", "default", **files, **port)
    assert done.code == 0, done.one_screen()
    outputs = read_outputs(tmp_path / "outputs")
    assert outputs["work"] == "true"
    assert [shard[:4] for shard in json.loads(outputs["shards"])] == ["1/2-", "2/2-"]
    summary = (tmp_path / "summary").read_text()
    assert all(f"| {name} | to build |" in summary for name in other_repository.image_names())
    nothing = run(other, "pipeline", "--no-push", "--shard", "1/3-1f2e", **port)
    assert nothing.code == 2
    assert "not divided as '1/3-1f2e' says, but into 2 shards" in nothing.one_screen()


def test_an_image_that_cannot_be_made_stops_the_release_before_anything_is_built(other: Paths, tmp_path: Path) -> None:
    assert run(other, "generate").code == 0
    name = other_repository.image_names()[0]
    (other.locks / BASE_NAME / f"{name}.txt").unlink()
    files = {"GITHUB_OUTPUT": str(tmp_path / "outputs"), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    done = run(other, "plan", "--github", **files, REGISTRY="", INFERENCE_IMAGES_REGISTRY_PORT=str(take_port()))
    assert done.code == 1
    assert f"1 of 2 images cannot be released: {name}" in done.one_screen()


def test_tags_do_not_move_without_the_images(other: Paths) -> None:
    assert run(other, "generate").code == 0
    variables = {"REGISTRY": "", "INFERENCE_IMAGES_REGISTRY_PORT": str(take_port())}
    done = run(other, "publish", "--tags-only", **variables)
    assert done.code == 1
    assert "2 of 2 images cannot be released" in done.one_screen()
    assert "no tag was moved" in done.err


def test_its_scoring_scripts_are_a_part_of_the_tests(other: Paths) -> None:
    def suites() -> dict[str, str]:
        project = open_project(other)
        images, _ = project.usable_images(project.variants)
        known = image_recipes.of(project, images).known
        return {
            each.name: each.suite for each in questions(project, images, known, latest=True, latest_for_stand_ins=False)
        }

    assert run(other, "generate").code == 0
    before = suites()
    other.scoring.mkdir()
    shutil.copy(ROOT / "tests/images/scoring/minimal.py", other.scoring)
    assert all(suite != before[name] for name, suite in suites().items())


def test_something_else_of_the_name_image_is_kept(other: Paths) -> None:
    other.image.mkdir()
    (other.image / "mine").write_text("mine", encoding="utf-8")
    done = run(other, "generate")
    assert done.code == 1
    assert "the name is needed for a link to the tool's files" in done.one_screen()
    assert (other.image / "mine").read_text() == "mine"
