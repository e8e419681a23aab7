"""Fetch the wheels that images take from extra sources."""

from __future__ import annotations

from collections.abc import Sequence

from build.checkout.project import Project
from build.packages import wheel_sources
from build.packages.wheel_sources import SourceNotReachedError
from build.system import console
from build.variants.variant import Variant


def fetch_all(project: Project, variants: Sequence[Variant]) -> dict[str, SourceNotReachedError]:
    """Fetch the wheels of all variants, into ``.pipeline/wheels``.

    Returns:
        Image name → the failure, for the images that cannot be built because a source cannot be reached.
    """
    failures: dict[str, SourceNotReachedError] = {}
    for variant in variants:
        for source, requirements in wheel_sources.needed(variant, project.lock(variant).versions()).items():
            console.info(f"fetching {', '.join(requirements)} from the wheel source {source}")
            try:
                wheel_sources.fetch(project.paths, variant, source, requirements)
            except SourceNotReachedError as failure:
                failures[variant.name] = failure
    return failures
