"""An image to verify: what it is, and what the tests expect of it."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from build.engine.built import BuiltImage
from build.images import layers
from build.images.image import Image
from build.images.recipe import Recipe, start_files
from build.packages import wheel_sources
from build.verify.reports import PackageLayer

#: Which tests of an image run: all, or those that depend on its foundation alone, or the others.
Scope = Literal["all", "base", "image"]


@dataclass(frozen=True, kw_only=True)
class Target:
    """An image in the engine, and the labels that it must have. Other expectations follow from its lock and cell."""

    built: BuiltImage
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.built.name

    @property
    def image_id(self) -> str:
        """The digest by which the engine knows it."""
        return self.built.local.id

    @property
    def layers(self) -> tuple[PackageLayer, ...]:
        """Its package layers as the Dockerfile names them. They are for the report; the tests do not use them."""
        return tuple(
            PackageLayer(name=name, packages=tuple(f"{each.name}=={each.version}" for each in packages))
            for name, packages in layers.stacked(self.built.image.layers)
        )

    @property
    def expectations(self) -> dict[str, Any]:
        """What the tests expect, as JSON data: the image's entry in the plan (``tests/images/image_plan.py``)."""
        return {
            "reference": self.built.local.reference,
            "image_id": self.image_id,
            **expectations_of(self.built.image, self.built.recipe, self.labels),
        }


def expectations_of(image: Image, recipe: Recipe, labels: Mapping[str, str]) -> dict[str, Any]:
    """Return what the tests expect of an image of a recipe, wherever it is, as JSON data.

    Args:
        image: The image.
        recipe: Its recipe.
        labels: The labels that it must have.
    """
    variant, lock = image.variant, image.lock
    return {
        "name": variant.name,
        "recipe": recipe.digest,
        "framework": variant.framework,
        "version": variant.version,
        "device": variant.device,
        "cuda": variant.cuda.version if variant.cuda else None,
        "cudnn": variant.cuda.cudnn if variant.cuda else None,
        "reach": list(variant.reach),
        "os": variant.build_base.os,
        "cuda_absent": variant.cuda_absent,
        "python": variant.base.python,
        "contract": list(variant.contract),
        "lock": lock.versions(),
        "from_default_index": list(wheel_sources.replaced(variant, lock.versions())),
        "from_source": [package.name for package in lock.packages if package.source_only],
        "server_packages": [
            package.name
            for layer in image.layers
            if layers.kind_of(layer.name) == "server"
            for package in layer.packages
        ],
        "start": start_files(recipe),
        "labels": dict(labels),
    }


def suite_of(target: Target, *tests: Path) -> str:
    """Return the hash of everything that is asserted of an image: the tests, and what they expect of it.

    Args:
        target: The image. Neither its reference nor its digest in the engine counts, but its recipe does.
        tests: See ``suite_hash``.

    Returns:
        SHA-256, hexadecimal.
    """
    expectations = expectations_of(target.built.image, target.built.recipe, target.labels)
    return suite_for(expectations, suite_hash(*tests))


def suite_for(expectations: Mapping[str, Any], tests: str) -> str:
    """The same for an image that need not be in an engine.

    Args:
        expectations: See ``expectations_of``.
        tests: See ``suite_hash``.

    Returns:
        SHA-256, hexadecimal.
    """
    text = json.dumps(expectations, sort_keys=True)
    return hashlib.sha256(f"{tests}\n{text}".encode()).hexdigest()


#: The modules of this package that decide what is run, in which containers, and what is expected.
_RUNNERS = ("containers", "foundation", "pytest_run", "suite", "target", "whole_suite")
#: The distributions that run the tests. The last one exists for this project's platform only.
_DISTRIBUTIONS = ("pytest", "pytest-testinfra", "pytest-xdist", "nvidia-cuda-cuobjdump")


@functools.cache
def _runner() -> bytes:
    """Return a text that changes with what runs the tests."""
    here = Path(__file__).parent
    modules = [f"{name} {hashlib.sha256((here / f'{name}.py').read_bytes()).hexdigest()}" for name in _RUNNERS]
    return "\n".join((*modules, *map(_distribution, _DISTRIBUTIONS), "")).encode()


def _distribution(name: str) -> str:
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return f"{name} is not installed"


def _counts(path: Path) -> bool:
    """Tell whether a file belongs to the tests: not bytecode, nor what editors and desktops leave."""
    hidden = any(part.startswith(".") or part == "__pycache__" for part in path.parts)
    return not hidden and not path.name.endswith(("~", ".orig", ".rej", ".swp", ".bak"))


def suite_hash(*tests: Path) -> str:
    """Return the hash of the image tests and of what runs them.

    That is every file in their folders, by path and content, the modules here that decide what is run in which
    container, and the versions of pytest and its plugins.

    Args:
        tests: The folder of the image tests, and that of the project's own scoring scripts, which need not exist.

    Returns:
        SHA-256, hexadecimal; the same in two clones.
    """
    digest = hashlib.sha256(_runner())
    for folder in tests:
        for file in sorted(path for path in folder.rglob("*") if path.is_file() and _counts(path.relative_to(folder))):
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"{file.relative_to(folder).as_posix()} {content}\n".encode())
    return digest.hexdigest()
