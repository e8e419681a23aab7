"""The recipes of images: computed from values, the same each time, and unknown where a fact is missing."""

from __future__ import annotations

import builtins
import io
import json
import os
import pathlib
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

import pytest

from build.bases.facts import BaseFacts, UnknownBase
from build.builder import image_recipes, recipe_sources
from build.builder.image_recipes import ImageRecipes
from build.builder.recipe_sources import Sources
from build.checkout.project import open_project
from build.errors import DriftError
from build.images.image import Image
from build.images.recipe import FORMAT, Recipe
from build.paths import tool
from tests.unit.fixture_project import MINIMAL, copy_project

#: The base image of the fixture project whose CUDA version names an image without its digest.
WITHOUT_DIGEST = "ubuntu18.04-cuda11.0.3"


@dataclass(frozen=True)
class Values:
    """The values that recipes are computed from, read before a test begins."""

    images: tuple[Image, ...]
    sources: Sources

    def recipes(self, images: Sequence[Image] | None = None, **changes: object) -> ImageRecipes:
        sources = replace(self.sources, **changes)  # type: ignore[arg-type]
        return image_recipes.compute(sources, self.images if images is None else images)

    def recipe(self, image: Image, **changes: object) -> Recipe:
        return self.recipes([image], **changes).known[image.variant.name]


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> Values:
    project = open_project(copy_project(tmp_path_factory.mktemp("recipes") / "project"))
    images = tuple(
        image for image in project.images(project.variants) if image.variant.base_image_name != WITHOUT_DIGEST
    )
    return Values(images=images, sources=recipe_sources.read(project, images))


def test_recipes_of_all_rows_are_computed_without_any_effect(values: Values) -> None:
    def effect(*arguments: object, **options: object) -> NoReturn:
        raise AssertionError(f"an effect: {arguments}")

    with pytest.MonkeyPatch.context() as patch:
        for name in (
            "open",
            "read_text",
            "read_bytes",
            "write_text",
            "write_bytes",
            "stat",
            "exists",
            "is_file",
            "glob",
        ):
            patch.setattr(pathlib.Path, name, effect)
        for name in ("stat", "lstat", "open", "listdir", "scandir", "system", "getenv"):
            patch.setattr(os, name, effect)
        for name in ("run", "Popen", "check_output", "call"):
            patch.setattr(subprocess, name, effect)
        patch.setattr(socket, "socket", effect)
        patch.setattr(socket, "create_connection", effect)
        patch.setattr(io, "open", effect)
        patch.setattr(builtins, "open", effect)
        computed = values.recipes()
    assert computed.known.keys() == {image.variant.name for image in values.images}
    assert computed.unknown == {}
    assert len({recipe.digest for recipe in computed.known.values()}) == len(values.images)


def test_an_image_without_a_digest_is_one_rows_problem(tmp_path: pathlib.Path) -> None:
    project = open_project(copy_project(tmp_path / "project"))
    computed = image_recipes.of(project, project.images(project.variants))
    on_it = {variant.name for variant in project.variants if variant.base_image_name == WITHOUT_DIGEST}
    assert on_it
    assert computed.unknown.keys() == on_it
    (base,) = set(computed.unknown.values())
    assert "names its image without a digest" in base.why
    assert f"--base {WITHOUT_DIGEST.partition('-')[0]}=" in base.fix


@pytest.mark.parametrize(
    ("path", "content", "why"),
    [
        ("locks/debian12-py311/debian.txt", "python3=3.11 and more\n", "not a Debian package with its version"),
        ("locks/debian12-py311/debian.txt", "libc6=2.36-9\n", "the file was edited"),
        ("locks/debian12-py312/python.txt", "cpython three\n", "the recorded Python of this base is not readable"),
    ],
)
def test_a_damaged_lock_of_a_base_is_the_problem_of_its_images(
    tmp_path: pathlib.Path, path: str, content: str, why: str
) -> None:
    paths = copy_project(tmp_path / "project")
    (paths.root / path).write_text(content, encoding="utf-8")
    project = open_project(paths)
    computed = image_recipes.of(project, project.images(project.variants))
    base_name = path.split("/")[1]
    on_it = {variant.name for variant in project.variants if variant.base_name == base_name}
    assert {name for name, base in computed.unknown.items() if why in base.why} == on_it
    assert computed.known


def test_images_on_a_base_without_facts_are_unknown_and_the_others_are_not(values: Values) -> None:
    name = values.images[0].variant.build_base_name
    unknown = UnknownBase(name=name, why="nothing is recorded", fix="record it")
    computed = values.recipes(facts={**values.sources.facts, name: unknown})
    on_it = {image.variant.name for image in values.images if image.variant.build_base_name == name}
    assert computed.unknown == dict.fromkeys(on_it, unknown)
    assert computed.known.keys() == {image.variant.name for image in values.images} - on_it


def flattened(document: object, path: str = "") -> dict[str, object]:
    if not isinstance(document, dict):
        return {path: document}
    return {key: value for name, part in document.items() for key, value in flattened(part, f"{path}/{name}").items()}


def changed(before: Recipe, after: Recipe) -> set[str]:
    """The fields that differ, but for the digests of nested documents."""
    old, new = flattened(before.inputs), flattened(after.inputs)
    return {
        path
        for path in old.keys() | new.keys()
        if old.get(path) != new.get(path) and not path.endswith(("base/sha256", "builder/sha256", "compiler/sha256"))
    }


def test_a_recipe_shows_which_input_of_what_it_is_built_from_has_changed(values: Values) -> None:
    image = next(each for each in values.images if each.variant.base_image_name == "debian12-py311")
    facts = {**values.sources.facts, "debian12-py311": BaseFacts(debian=("libc6=2.36-10",), python="another")}
    before, after = values.recipe(image), values.recipe(image, facts=facts)
    assert changed(before, after) == {"/base/inputs/debian", "/builder/inputs/python"}


def test_every_nested_document_is_named_by_its_digest_and_has_a_format(values: Values) -> None:
    for recipe in values.recipes().known.values():
        nested = {name for name, part in recipe.inputs.items() if isinstance(part, dict) and "inputs" in part}
        assert nested - {"compiler"} == {"base", "builder"}
        for name in nested:
            document = recipe.inputs[name]
            assert document["sha256"] == Recipe(inputs=document["inputs"]).digest
            assert document["inputs"]["format"] == recipe.inputs["format"] == FORMAT
        json.dumps(recipe.inputs)


def test_no_engine_and_no_image_store_is_in_a_recipe(values: Values) -> None:
    """Another store or compression gives the same contents: the recipe says what is in an image."""
    for recipe in values.recipes().known.values():
        fields = {part for path in flattened(recipe.inputs) for part in path.split("/")}
        assert not fields & {"engine", "store", "compression", "output", "buildkit", "docker"}


def test_a_changed_comment_in_a_start_file_changes_the_recipe(values: Values) -> None:
    """Start files are copied into images."""
    (image, *_) = values.images
    before = values.recipe(image, start={"runsvdir": "#!/bin/sh\nexec true\n"})
    after = values.recipe(image, start={"runsvdir": "#!/bin/sh\n# a comment\nexec true\n"})
    assert changed(before, after) == {"/base/inputs/start/runsvdir"}


def test_a_changed_comment_in_a_dockerfile_does_not_change_the_recipe(values: Values) -> None:
    (image, *_) = values.images
    generated = {
        path: "# another comment\n" + text if path.endswith("Dockerfile") else text
        for path, text in values.sources.generated.items()
    }
    assert values.recipe(image, generated=generated).digest == values.recipe(image).digest


def test_every_script_of_the_images_is_in_a_recipe(values: Values) -> None:
    """Also one that is added later."""
    scripts = {file.name for file in tool().scripts.iterdir() if file.is_file() and file.suffix != ".toml"}
    assert values.sources.scripts.keys() == scripts


def test_a_generated_file_that_is_missing_is_named_with_the_fix(tmp_path: pathlib.Path) -> None:
    paths = copy_project(tmp_path / "project")
    (paths.dockerfiles / MINIMAL / "Dockerfile").unlink()
    project = open_project(paths)

    with pytest.raises(DriftError, match="a generated file does not exist") as failure:
        image_recipes.of(project, project.images([project.variant(MINIMAL)]))

    assert failure.value.where == f"dockerfiles/{MINIMAL}/Dockerfile"
    assert failure.value.fix == "nox -s generate"
