"""The foundation of an image: its base image and its server layer, on which most of its tests depend alone.

Images with the same foundation share the results of those tests (marked ``depends("base")`` in ``tests/images``). They
run in one image, and are remembered by the foundation's digest: ``.pipeline/reports/foundations/``. Other images of it
list them with the name of the image in which they ran.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from build.images import layers
from build.paths import Paths, write_atomically
from build.verify.reports import Check
from build.verify.target import Target


class FoundationResult(BaseModel):
    """The tests that passed or were skipped for all images of one foundation."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    #: The name and the digest of the image in which they ran.
    image: str
    image_id: str
    #: The hash of the tests (`target.suite_hash`).
    suite: str
    #: When, ISO 8601, UTC.
    time: str
    checks: tuple[Check, ...]
    #: The digests of images with this foundation in which the tests failed: for them, the result does not count.
    failed: tuple[str, ...] = ()


def digest_of(target: Target) -> str | None:
    """Return the digest of an image's foundation.

    Args:
        target: The image.

    Returns:
        SHA-256, hexadecimal, of the layers up to the server's and of the user, the command and the environment; None
        where the image's layers are not those of its Dockerfile, so that it shares no results.
    """
    stacked = layers.stacked(target.built.image.layers)
    in_engine = [digest for digest, _ in target.built.local.layers]
    if not stacked or layers.kind_of(stacked[0][0]) != "server" or len(in_engine) <= len(stacked):
        return None
    below = in_engine[: len(in_engine) - len(stacked) + 1]
    return hashlib.sha256("\n".join([*below, target.built.local.settings]).encode()).hexdigest()


def by_foundation(targets: Sequence[Target]) -> list[tuple[str | None, list[Target]]]:
    """Group images by the digest of their foundation.

    Args:
        targets: The images. One that shares no results is a group of its own.

    Returns:
        The groups. In each, the images with the fewest layers come first: their own packages can break the least.
    """
    groups: dict[str, tuple[str | None, list[Target]]] = {}
    for target in sorted(targets, key=lambda target: len(target.built.local.layers)):
        digest = digest_of(target)
        groups.setdefault(digest or f"image {target.name}", (digest, []))[1].append(target)
    return list(groups.values())


def result_of(target: Target, checks: Sequence[Check], suite: str, failed: Sequence[str] = ()) -> FoundationResult:
    """Return the result of a foundation whose tests passed now.

    Args:
        target: The image in which they ran.
        checks: They.
        suite: The hash of the tests.
        failed: The digests of images in which they failed.
    """
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return FoundationResult(
        image=target.name,
        image_id=target.image_id,
        suite=suite,
        time=now,
        checks=tuple(checks),
        failed=tuple(dict.fromkeys(failed)),
    )


def save(paths: Paths, digest: str, result: FoundationResult) -> None:
    """Remember a result."""
    write_atomically(_file(paths, digest), result.model_dump_json(indent=1) + "\n")


def load(paths: Paths, digest: str, suite: str) -> FoundationResult | None:
    """Return the remembered result of a foundation for exactly these tests, or None."""
    try:
        result = FoundationResult.model_validate_json(_file(paths, digest).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    return result if result.suite == suite else None


def forget(paths: Paths, digest: str) -> None:
    """Remove the remembered result of a foundation, if any."""
    _file(paths, digest).unlink(missing_ok=True)


def _file(paths: Paths, digest: str) -> Path:
    return paths.reports / "foundations" / f"{digest}.json"
