"""An image to verify: what it is, and what the tests expect of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from build.packages import wheel_sources
from build.variants.variant import Variant
from build.verify.reports import PackageLayer


@dataclass(frozen=True, kw_only=True)
class Target:
    """A built image and what is expected of it."""

    variant: Variant
    #: The local reference: ``azureml/sklearn-1.9-…:latest``.
    reference: str
    #: The digest by which the engine knows it.
    image_id: str
    #: Distribution (normalised name) → version, from the image's lock.
    lock: Mapping[str, str]
    recipe: str
    #: Labels that the image must have.
    labels: Mapping[str, str] = field(default_factory=dict)
    #: Distributions of the lock that are built from source.
    from_source: tuple[str, ...] = ()
    #: Its package layers as the Dockerfile names them. They are for the report; the tests do not use them.
    layers: tuple[PackageLayer, ...] = ()

    @property
    def expectations(self) -> dict[str, Any]:
        """What the tests expect, as JSON data: the image's entry in the plan (``tests/images/image_plan.py``)."""
        variant = self.variant
        return {
            "name": variant.name,
            "reference": self.reference,
            "image_id": self.image_id,
            "recipe": self.recipe,
            "framework": variant.framework,
            "version": variant.version,
            "device": variant.device,
            "cuda": variant.cuda.version if variant.cuda else None,
            "cudnn": variant.cuda.cudnn if variant.cuda else None,
            "os": variant.build_base.os,
            "cuda_absent": variant.cuda_absent,
            "python": variant.base.python,
            "contract": list(variant.contract),
            "lock": dict(self.lock),
            "from_default_index": list(wheel_sources.replaced(variant, self.lock)),
            "from_source": list(self.from_source),
            "labels": dict(self.labels),
        }


def suite_of(target: Target, tests: Path) -> str:
    """Return the hash of everything that is asserted of an image: the tests, and what they expect of it.

    Args:
        target: The image. Its local reference does not count.
        tests: The folder of the image tests.

    Returns:
        SHA-256, hexadecimal.
    """
    expectations = {key: value for key, value in target.expectations.items() if key != "reference"}
    text = json.dumps(expectations, sort_keys=True)
    return hashlib.sha256(f"{suite_hash(tests)}\n{text}".encode()).hexdigest()


def suite_hash(tests: Path) -> str:
    """Return the hash of the image tests themselves: every file in their folder, by path and content.

    Args:
        tests: The folder of the image tests.

    Returns:
        SHA-256, hexadecimal; the same in two clones.
    """
    digest = hashlib.sha256()
    for file in sorted(path for path in tests.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(tests).as_posix()} {content}\n".encode())
    return digest.hexdigest()
