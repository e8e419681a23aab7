"""What the plan asks about an image: its recipe, the hash of its tests, and where it is published.  Reads files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from build.checkout.project import Project
from build.images.image import Image
from build.images.labels import image_labels
from build.images.recipe import Recipe, recipe_tag
from build.verify.target import expectations_of, suite_for, suite_hash


@dataclass(frozen=True, kw_only=True)
class Question:
    """An image as the committed files describe it."""

    #: The image name.
    name: str
    #: As the matrix names it: ``azureml/sklearn-…``.
    repository: str
    #: The base that stands in for its own; empty for an image on its own base.
    stand_in: str
    recipe: str
    #: The hash of the tests, and of what they expect of this image.
    suite: str
    #: Whether ``latest`` is to point to it.
    rolling: bool

    @property
    def key(self) -> tuple[str, str]:
        """Distinguishes the images of a release."""
        return self.name, self.stand_in

    @property
    def recipe_tag(self) -> str:
        return recipe_tag(self.recipe)


def questions(
    project: Project,
    images: Iterable[Image],
    recipes: Mapping[str, Recipe],
    *,
    latest: bool,
    latest_for_stand_ins: bool,
) -> list[Question]:
    """Return the questions about images whose recipes are known.

    Args:
        project: The checkout.
        images: The images.
        recipes: Image name → recipe; images without one are left out.
        latest: Whether ``latest`` is moved at all.
        latest_for_stand_ins: Whether it is moved to images on a stand-in base, too.
    """
    tests = suite_hash(project.tool.image_tests, project.paths.scoring)
    found = []
    for image in images:
        variant, recipe = image.variant, recipes.get(image.variant.name)
        if recipe is None:
            continue
        labels = image_labels(image, project.matrix.project)
        found.append(
            Question(
                name=variant.name,
                repository=variant.repository,
                stand_in=variant.stand_in or "",
                recipe=recipe.digest,
                suite=suite_for(expectations_of(image, recipe, labels), tests),
                rolling=latest and (variant.stand_in is None or latest_for_stand_ins),
            )
        )
    return found
