"""The recipes of the committed matrix."""

from __future__ import annotations

from build.builder import image_recipes
from build.checkout.project import open_project
from build.paths import repository


def test_every_row_has_a_recipe_of_its_own_on_any_machine() -> None:
    """Those with a prefix Python too: its identity is recorded in locks/. Only an image without a digest has none."""
    project = open_project(repository())
    recipes = image_recipes.of(project, project.images(project.variants))
    assert all("names its image without a digest" in base.why for base in recipes.unknown.values())
    assert len({recipe.digest for recipe in recipes.known.values()}) == len(project.variants) - len(recipes.unknown)
