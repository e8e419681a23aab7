"""The shell completes the names of the sessions: nox is asked as a shell asks it (the protocol of argcomplete)."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from packaging.version import Version

from tests.conftest import ROOT

#: The first nox that completes the first name after `-s`; an older one fails if no session was named before.
_FIRST = Version("2023.4.22")


@pytest.fixture
def nox() -> str:
    program = shutil.which("nox")
    if program is None:
        pytest.skip("nox is not on the PATH")
    return program


def completed(nox: str, line: str, folder: Path) -> list[str]:
    """Return what a shell offers when Tab is pressed at the end of a line."""
    output = folder / "offered"
    request = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(output),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "COMP_TYPE": "9",
    }
    subprocess.run(nox, cwd=ROOT, env={**os.environ, **request}, capture_output=True, check=False, timeout=60)
    return [word.strip() for word in output.read_text(encoding="utf-8").split("\n")] if output.exists() else []


@pytest.mark.parametrize("line", ["nox -s d", "nox -s lint d", "nox -l -s d"])
def test_the_names_of_sessions_are_completed(nox: str, line: str, tmp_path: Path) -> None:
    shown = subprocess.run([nox, "--version"], capture_output=True, text=True, check=True)
    if line == "nox -s d" and Version((shown.stdout + shown.stderr).strip()) < _FIRST:
        pytest.skip(f"nox before {_FIRST} completes no first name")
    offered = completed(nox, line, tmp_path)
    assert {"diff", "doctor"} <= set(offered)
    assert "update" not in offered
