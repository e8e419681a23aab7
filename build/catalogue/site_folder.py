"""Puts the site into a folder, whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from build.errors import UsageError

#: The machine-readable list; a folder that has it is a catalogue's, and may be replaced.
INDEX = "catalogue.json"


def write(files: Iterator[tuple[str, str]], output: Path) -> int:
    """Put the site into a folder, whole or not at all; an earlier one there is replaced.

    Args:
        files: From `render`.
        output: The folder.

    Returns:
        How many files it has.

    Raises:
        UsageError: The folder has something else in it, or cannot be written.
    """
    if output.exists() and not output.is_dir():
        raise UsageError(f"{output} is no folder", where=str(output), fix="name another one: --output FOLDER")
    if output.is_dir() and any(output.iterdir()) and not (output / INDEX).is_file():
        raise UsageError(
            "the folder is not empty, and what is in it is no catalogue",
            where=str(output),
            fix="empty it, or name another one: --output FOLDER",
        )
    count = 0
    output = output.absolute()  # '.' has no name, and no folder above it
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as folder:
            new, old = Path(folder, "new"), Path(folder, "old")
            for path, text in files:
                file = new / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
                count += 1
            if output.is_dir():
                shutil.move(output, old)
            shutil.move(new, output)
    except OSError as error:
        raise UsageError(
            f"the site cannot be written: {error.strerror}",
            where=str(error.filename or output),
            fix="name another folder: --output FOLDER",
        ) from error
    return count
