"""The plan: the images to verify, and what the matrix and the locks promise of each. `build.verify` writes it."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True, kw_only=True)
class Image:
    """One image under test."""

    name: str
    reference: str
    #: The digest by which the engine knows it.
    image_id: str
    recipe: str
    framework: str
    #: The framework's version key (``1.9``), or None.
    version: str | None
    #: ``cpu`` or the name of a CUDA entry of the matrix.
    device: str
    cuda: str | None
    cudnn: str | None
    #: For which GPUs the framework promises code: ``sm_80``, ``compute_90``; empty if nothing is promised.
    reach: tuple[str, ...]
    #: Why an image for CUDA does not contain CUDA (a stand-in base does not provide it), or None.
    cuda_absent: str | None
    #: ``debian12``.
    os: str
    #: ``3.11``.
    python: str
    #: Promised pins, as PEP 508 requirements.
    contract: tuple[str, ...]
    #: Distribution (normalised name) → version.
    lock: dict[str, str]
    #: Distributions from the default index, because their own wheel source could not be reached.
    from_default_index: tuple[str, ...]
    #: Distributions that were built from source, because they have no wheel.
    from_source: tuple[str, ...]
    #: The distributions of the server's layer.
    server_packages: tuple[str, ...]
    #: File of ``image/start`` → SHA-256.
    start: dict[str, str]
    labels: dict[str, str]
    #: Which of its tests run: ``base``, ``image`` (the marker ``depends``) or ``all``.
    scope: str


def applies(condition: Callable[[Image], object]) -> pytest.MarkDecorator:
    """Mark a test that only applies to images for which a condition is true; it is not run for others."""
    return pytest.mark.applies.with_args(condition)


def image_of(test: str, names: Iterable[str]) -> str | None:
    """Return the image that a test is for, by the test's id (``test_environment[sklearn-1.9-…-LANG]``), or None.

    xdist's scheduler knows nothing of a test but its id.
    """
    _, _, parameters = test.partition("[")
    return max((name for name in names if name in parameters), key=len, default=None)


@functools.cache
def read(path: Path) -> tuple[list[Image], dict[str, str]]:
    """Read a plan.

    Returns:
        The images, and the labels of every container that is started (so that leftovers can be found).
    """
    plan: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    lists = ("reach", "contract", "from_default_index", "from_source", "server_packages")
    images = [Image(**{**entry, **{key: tuple(entry[key]) for key in lists}}) for entry in plan["images"]]
    return images, plan["container_labels"]
