"""The record of verified images: image → the tests that it passed, in ``.pipeline/verified.json``.

`publish` pushes only images that are in it; `verify` does not run the same tests on the same image twice.
"""

from __future__ import annotations

import datetime
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from build.paths import Paths
from build.system import state
from build.verify.results import VerifyResult


@dataclass(frozen=True, kw_only=True)
class Record:
    """One image that passed."""

    name: str
    recipe: str
    #: The hash of the tests and of what they expect (`target.suite_of`).
    suite: str
    #: When, ISO 8601, UTC.
    time: str
    passed: int
    skipped: int
    #: The digest of the image in which the tests of its foundation ran; empty where they ran in this one.
    foundation_from: str


def lookup(paths: Paths, image_id: str) -> Record | None:
    """Return the record of an image, or None if it has not passed since its last failure.

    Args:
        paths: The project.
        image_id: The digest by which the engine knows it.
    """
    entry = _read(paths).get(image_id)
    try:
        return Record(**entry) if entry else None
    except TypeError:  # written by another version of this program: test again
        return None


def is_verified(paths: Paths, image_id: str, suite: str) -> bool:
    """Tell whether exactly this image passed exactly this suite."""
    entry = lookup(paths, image_id)
    return entry is not None and entry.suite == suite


def record(paths: Paths, result: VerifyResult, *, recipe: str, suite: str) -> Record:
    """Remember that an image passed.

    Args:
        paths: The project.
        result: The image's result.
        recipe: The image's recipe.
        suite: The hash of the tests that it passed.

    Returns:
        The new record.
    """
    entry = Record(
        name=result.name,
        recipe=recipe,
        suite=suite,
        time=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        passed=result.passed,
        skipped=len(result.skips),
        foundation_from=result.foundation_from,
    )
    state.write_json(_file(paths), {**_read(paths), result.image_id: asdict(entry)})
    return entry


def forget(paths: Paths, image_id: str) -> None:
    """Remove an image that failed, so that an earlier success does not publish it."""
    entries = _read(paths)
    if entries.pop(image_id, None) is not None:
        state.write_json(_file(paths), entries)


def forget_foundation(paths: Paths, image_id: str) -> None:
    """Remove the images whose tests of the foundation ran in an image in which these have failed now."""
    entries = _read(paths)
    left = {key: entry for key, entry in entries.items() if entry.get("foundation_from") != image_id}
    if left != entries:
        state.write_json(_file(paths), left)


def _file(paths: Paths) -> Path:
    return paths.state / "verified.json"


def _read(paths: Paths) -> dict[str, Any]:
    content = state.read_json(_file(paths))
    return content if isinstance(content, dict) else {}
