"""The text of a lock's file, of whichever kind, and the digest that reveals an edit.  Reads files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from build.errors import LockError


def read(file: Path, fix: str) -> str | None:
    """Read a lock's file; None if it does not exist.

    Args:
        file: The file.
        fix: How to make it again.

    Raises:
        LockError: It is not UTF-8, or cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as failure:
        raise LockError("the lock is not UTF-8", where=str(file), fix=fix, details=str(failure)) from failure
    except OSError as failure:
        raise LockError(f"the lock cannot be read: {failure.strerror}", where=str(file), fix=fix) from failure


def content(lines: Iterable[str]) -> str:
    """Return a digest of the pins of a lock, which reveals edits by hand and incomplete merges."""
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()[:16]
