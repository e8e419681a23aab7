"""The files that GitHub reads after a step: its outputs, and the summary that is shown on the page of the run.

GitHub takes at most 1 MB of each, and drops a summary that is larger (docs.github.com, "Workflow commands for GitHub
Actions"). Longer texts are cut, with a line that says so.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from build.errors import PipelineError, UsageError

#: Bytes of a summary, and of the outputs of a job.
LIMIT = 1_000_000
#: Characters of the description of a pull request and of an issue, which are GitHub's own limit less some room.
BODY_LIMIT = 60_000
_CUT = "… cut here: GitHub takes no more; the log of the job has everything"


def add_summary(text: str) -> None:
    """Add Markdown to the summary of this step; longer texts are cut.

    Raises:
        UsageError: This is not a job of GitHub Actions.
        PipelineError: The file cannot be written.
    """
    file = _file("GITHUB_STEP_SUMMARY")
    _append(file, cut(text, LIMIT - _size(file)))


def set_output(name: str, value: str) -> None:
    """Set an output of this step; longer values are cut.

    Args:
        name: The output's name.
        value: Its value, of any number of lines.

    Raises:
        UsageError: This is not a job of GitHub Actions.
        PipelineError: The file cannot be written.
    """
    file = _file("GITHUB_OUTPUT")
    # GitHub counts outputs as UTF-16: at most two bytes for each byte of UTF-8.
    value = cut(value, LIMIT // 2 - _size(file))
    end = f"end-{uuid.uuid4().hex}"  # no line of the value can be the end
    _append(file, f"{name}<<{end}\n{value}\n{end}\n")


def cut(text: str, limit: int) -> str:
    """Cut a text after a whole line, and say so in a last one.

    Args:
        text: The text.
        limit: Bytes in UTF-8 that it may have.
    """
    if len(text.encode()) <= limit:
        return text
    room = max(0, limit - len(_CUT.encode()) - 3)
    kept = text.encode()[:room].decode(errors="ignore")
    whole, newline, _ = kept.rpartition("\n")
    return f"{whole if newline else kept}\n\n{_CUT}\n"


def _file(variable: str) -> Path:
    path = os.environ.get(variable)
    if not path:
        raise UsageError(
            f"this is not a job of GitHub Actions: {variable} is not set", fix="leave --github out; see docs/ci.md"
        )
    return Path(path)


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0


def _append(file: Path, text: str) -> None:
    try:
        with file.open("a", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as failure:
        raise PipelineError(f"GitHub's file cannot be written: {failure.strerror}", where=str(file)) from failure
