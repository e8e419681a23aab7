"""Findings as text and as JSON."""

from __future__ import annotations

import json

import click
import pytest

from build.doctor import output
from build.doctor.finding import missing, ok, warning

FINDINGS = [
    ok("engine", "Docker 28.0"),
    warning("wheel source cpu", "not found: torch; " + "many words " * 20, "name a directory"),
]
MISSING = missing("buildx", "buildx is missing", "install it")


def test_each_finding_is_one_line_in_a_file_with_its_fix_below(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_findings([*FINDINGS, MISSING])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["ok", "engine", "Docker", "28.0"]
    assert lines[1].startswith("warning  wheel source cpu  not found")
    assert lines[2].strip() == "fix: name a directory"
    assert lines[-1].startswith("1 ok, 1 warning, 1 missing: without")


def test_a_terminal_folds_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    output.print_findings(FINDINGS)
    lines = click.unstyle(capsys.readouterr().out).splitlines()
    assert max(map(len, lines[:-1])) <= 80
    assert lines[-1].startswith("1 ok, 1 warning, 0 missing: this machine can")


def test_json_says_whether_the_images_can_be_made() -> None:
    assert json.loads(output.to_json(FINDINGS))["ready"] is True
    document = json.loads(output.to_json([MISSING]))
    assert document == {
        "ready": False,
        "checks": [{"name": "buildx", "state": "missing", "text": "buildx is missing", "fix": "install it"}],
    }
