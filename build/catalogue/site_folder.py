"""Write the site into a directory, completely or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from build.errors import UsageError

#: The machine-readable list. A directory with this file is a catalogue, and may be replaced.
INDEX = "catalogue.json"


def write(files: Iterator[tuple[str, str]], output: Path) -> int:
    """Write the site into a directory, completely or not at all; replace an earlier site.

    Args:
        files: Path in the site and content, from `build.catalogue.site.render`.
        output: The directory.

    Returns:
        The number of files.

    Raises:
        UsageError: The directory has other content, or cannot be written.
    """
    if output.exists() and not output.is_dir():
        raise UsageError(f"{output} is not a directory", where=str(output), fix="name another one: --output DIRECTORY")
    if output.is_dir() and any(output.iterdir()) and not (output / INDEX).is_file():
        raise UsageError(
            "the output directory contains files that are not a catalogue",
            where=str(output),
            fix="empty it, or name another one: --output DIRECTORY",
        )
    count = 0
    output = output.absolute()  # '.' has neither a name nor a parent
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
            fix="name another directory: --output DIRECTORY",
        ) from error
    return count
