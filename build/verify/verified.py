"""The memory of what was verified: image → the tests it passed, in ``.pipeline/verified.json``.

`publish` pushes only what stands here; `verify` does not ask the same questions of the same image twice.
"""

from __future__ import annotations

import datetime
import hashlib
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
    #: The hash of the tests and of what they were told to expect.
    suite: str
    #: When, ISO 8601, UTC.
    time: str
    passed: int
    skipped: int


def suite_hash(paths: Paths) -> str:
    """The hash of the image tests themselves: every file below ``tests/images``, by path and content.

    Args:
        paths: The checkout.

    Returns:
        SHA-256, hexadecimal; the same in two clones.
    """
    tests = paths.root / "tests" / "images"
    digest = hashlib.sha256()
    for file in sorted(path for path in tests.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(tests).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def lookup(paths: Paths, image_id: str) -> Record | None:
    """What is remembered of an image, or None where it never passed (or not since its last failure).

    Args:
        paths: The checkout.
        image_id: The digest by which the engine knows it.
    """
    entry = _read(paths).get(image_id)
    try:
        return Record(**entry) if entry else None
    except TypeError:  # written by another version of this program: ask again
        return None


def is_verified(paths: Paths, image_id: str, suite: str) -> bool:
    """Whether this very image passed this very suite."""
    found = lookup(paths, image_id)
    return found is not None and found.suite == suite


def record(paths: Paths, image_id: str, *, name: str, recipe: str, suite: str, passed: int, skipped: int) -> Record:
    """Remember that an image passed.

    Args:
        paths: The checkout.
        image_id: The digest by which the engine knows it.
        name: The image name.
        recipe: The image's recipe.
        suite: The hash of what it passed.
        passed: How many tests passed.
        skipped: How many said that they do not apply.

    Returns:
        What was written.
    """
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    made = Record(name=name, recipe=recipe, suite=suite, time=now, passed=passed, skipped=skipped)
    state.write_json(_file(paths), {**_read(paths), image_id: asdict(made)})
    return made


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
