"""The foundation of an image: its base image and its server layer, on which most of its tests depend alone.

Images with the same foundation share the results of those tests (marked ``depends("base")`` in ``tests/images``). They
run in one image, and are remembered by the foundation's digest: in ``.pipeline/reports/foundations/``, and next to the
base in the registry (`build.publish.foundations`). The reports of its other images name the image in which they ran.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from build.engine.built import BuiltImage
from build.images import layers
from build.paths import Paths, write_atomically
from build.verify.reports import Check
from build.verify.target import Target


class FoundationResult(BaseModel):
    """The tests that passed or were skipped for all images of one foundation."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    #: The digest of the foundation.
    foundation: str
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
    #: What all images of the foundation have in common, as that image has it: part → digest (`events.Completed`).
    server_parts: Mapping[str, str] = Field(default_factory=dict)

    def differing_parts(self, others: Mapping[str, str]) -> list[str]:
        """Return the names of the parts that another image does not have in common with the image of this result.

        Args:
            others: The parts of the other image. The result counts for it only if none differs.
        """
        parts = sorted({*others, *self.server_parts})
        return [part for part in parts if others.get(part) != self.server_parts.get(part)]


def digest_of(built: BuiltImage) -> str | None:
    """Return the digest of an image's foundation.

    Args:
        built: The image, which is in the engine.

    Returns:
        SHA-256, hexadecimal, of the layers up to the server's and of the user, the command and the environment; None
        where the image's layers are not those of its Dockerfile, so that it shares no results.
    """
    stacked = layers.stacked(built.image.layers)
    in_engine = [digest for digest, _ in built.local.layers]
    if not stacked or layers.kind_of(stacked[0][0]) != "server" or len(in_engine) <= len(stacked):
        return None
    below = in_engine[: len(in_engine) - len(stacked) + 1]
    return hashlib.sha256("\n".join([*below, built.local.settings]).encode()).hexdigest()


def by_foundation(targets: Sequence[Target]) -> list[tuple[str | None, list[Target]]]:
    """Group images by the digest of their foundation.

    Args:
        targets: The images. One that shares no results is a group of its own.

    Returns:
        The groups. In each, the images with the fewest layers come first: their own packages can break the least.
    """
    groups: dict[str, tuple[str | None, list[Target]]] = {}
    for target in sorted(targets, key=lambda target: len(target.built.local.layers)):
        digest = digest_of(target.built)
        groups.setdefault(digest or f"image {target.name}", (digest, []))[1].append(target)
    return list(groups.values())


def result_of(
    digest: str,
    target: Target,
    checks: Sequence[Check],
    suite: str,
    *,
    server_parts: Mapping[str, str],
    failed: Sequence[str] = (),
) -> FoundationResult:
    """Return the result of a foundation whose tests passed now.

    Args:
        digest: The foundation's.
        target: The image in which they ran.
        checks: The tests, which passed or were skipped.
        suite: The hash of the tests.
        server_parts: What all images of the foundation have in common, as this image has it.
        failed: The digests of images in which they failed.
    """
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return FoundationResult(
        foundation=digest,
        image=target.name,
        image_id=target.image_id,
        suite=suite,
        time=now,
        checks=tuple(checks),
        failed=tuple(dict.fromkeys(failed)),
        server_parts=server_parts,
    )


def to_json(result: FoundationResult) -> str:
    """Return a result as text, which `parse` reads."""
    return result.model_dump_json(indent=1) + "\n"


def parse(content: bytes) -> FoundationResult | None:
    """Read a result, which may come from anywhere; None if it is none."""
    try:
        return FoundationResult.model_validate_json(content)
    except ValidationError:
        return None


def save(paths: Paths, result: FoundationResult) -> None:
    """Remember a result."""
    write_atomically(_file(paths, result.foundation), to_json(result))


def load(paths: Paths, digest: str, suite: str) -> FoundationResult | None:
    """Return the remembered result of a foundation for exactly these tests, or None."""
    try:
        result = parse(_file(paths, digest).read_bytes())
    except FileNotFoundError:
        return None
    return result if result and (result.foundation, result.suite) == (digest, suite) else None


def forget(paths: Paths, digest: str) -> None:
    """Remove the remembered result of a foundation, if any."""
    _file(paths, digest).unlink(missing_ok=True)


def _file(paths: Paths, digest: str) -> Path:
    return paths.reports / "foundations" / f"{digest}.json"
