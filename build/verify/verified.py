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


def record(paths: Paths, image_id: str, *, name: str, recipe: str, suite: str, passed: int, skipped: int) -> Record:
    """Remember that an image passed.

    Args:
        paths: The project.
        image_id: The digest by which the engine knows it.
        name: The image name.
        recipe: The image's recipe.
        suite: The hash of the tests that it passed.
        passed: How many tests passed.
        skipped: How many tests were skipped.

    Returns:
        The new record.
    """
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    entry = Record(name=name, recipe=recipe, suite=suite, time=now, passed=passed, skipped=skipped)
    state.write_json(_file(paths), {**_read(paths), image_id: asdict(entry)})
    return entry


def forget(paths: Paths, image_id: str) -> None:
    """Remove an image that failed, so that an earlier success does not publish it."""
    entries = _read(paths)
    if entries.pop(image_id, None) is not None:
        state.write_json(_file(paths), entries)


def _file(paths: Paths) -> Path:
    return paths.state / "verified.json"


def _read(paths: Paths) -> dict[str, Any]:
    content = state.read_json(_file(paths))
    return content if isinstance(content, dict) else {}
