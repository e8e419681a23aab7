"""The images that the pipeline tests build: their names and versions come from the committed files."""

from __future__ import annotations

from build.checkout.project import open_project
from build.paths import repository
from build.variants.select import Selection
from build.variants.variant import Variant

PROJECT = open_project(repository())
#: The base of most images in the default group.
BASE_NAME = PROJECT.matrix.axes.base[0]
BASE = PROJECT.matrix.bases[BASE_NAME]


def newest(framework: str, *, base: str = BASE_NAME, device: str = "cpu") -> Variant:
    """Return the image with the highest version of a framework on a base."""
    return [
        variant
        for variant in PROJECT.variants
        if (variant.framework, variant.base_name, variant.device) == (framework, base, device)
    ][-1]


MINIMAL = newest("minimal").name
SKLEARN = newest("sklearn").name
#: Distribution name → version in the lock of the scikit-learn image.
PINS = PROJECT.lock(PROJECT.variant(SKLEARN)).versions()
#: It has all packages of the scikit-learn image, and one more.
LIGHTGBM = newest("lightgbm").name
#: The image of the default group that needs a wheel source.
PYTORCH = next(v for v in PROJECT.select(Selection(group="default")) if v.framework == "pytorch")
