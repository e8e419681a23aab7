"""A stand-in for GitHub's command line: it notes the requests, and answers with what the test gives."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from build.github.job import Job

JOB = Job(server="https://github.example", repository="acme/images", ref_name="main", workflow="update", run_id="42")

_PROGRAM = """#!{python}
import json, pathlib, sys
folder = pathlib.Path({folder!r})
arguments = sys.argv[1:]
body = json.load(sys.stdin) if "--input" in arguments else None
method, path = arguments[arguments.index("--method") + 1 :][:2]
with (folder / "requests").open("a") as file:
    file.write(json.dumps([method, path, body]) + chr(10))
answer = json.loads((folder / "answers").read_text()).get(method + " " + path.partition("?")[0])
if answer is None:
    print("gh: Resource not accessible by integration (HTTP 403)", file=sys.stderr)
    sys.exit(1)
print(json.dumps(answer))
"""


@dataclass(frozen=True, kw_only=True)
class Gh:
    folder: Path

    def answer(self, answers: dict[str, Any]) -> None:
        (self.folder / "answers").write_text(json.dumps(answers), encoding="utf-8")

    def program(self, text: str) -> None:
        """Replace it by a shell script."""
        (self.folder / "gh").write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")

    @property
    def requests(self) -> list[list[Any]]:
        file = self.folder / "requests"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def gh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gh:
    folder = tmp_path / "gh"
    folder.mkdir()
    program = folder / "gh"
    program.write_text(_PROGRAM.format(python=sys.executable, folder=str(folder)), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return Gh(folder=folder)
