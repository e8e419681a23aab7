"""Findings as text and as JSON.  ``to_json`` and ``summary`` are pure; ``print_findings`` prints."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
import textwrap
from collections.abc import Sequence

import click

from build.doctor.finding import Finding
from build.system import console

_COLOURS = {"ok": "green", "warning": "yellow", "missing": "red"}


def is_ready(findings: Sequence[Finding]) -> bool:
    """Tell whether nothing that the selected images need is missing."""
    return all(finding.state != "missing" for finding in findings)


def print_findings(findings: Sequence[Finding]) -> None:
    """Print a line for each finding, its fix below it, and the summary."""
    names = max(len(finding.name) for finding in findings)
    states = max(len(state) for state in _COLOURS)
    indent = states + names + 4
    # A file or a log has one line for each, of any length.
    width = max(40, shutil.get_terminal_size().columns - indent) if sys.stdout.isatty() else None
    for finding in findings:
        mark = click.style(finding.state.ljust(states), fg=_COLOURS[finding.state])
        lines = [*_folded(finding.text, width), *_folded(f"fix: {finding.fix}" if finding.fix else "", width)]
        click.echo(f"{mark}  {finding.name.ljust(names)}  " + f"\n{' ' * indent}".join(lines))
    click.echo(f"\n{summary(findings)}")


def _folded(text: str, width: int | None) -> list[str]:
    if width is None:
        return [text] if text else []
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def summary(findings: Sequence[Finding]) -> str:
    """Return the summary in one line."""
    counts = {state: sum(finding.state == state for finding in findings) for state in _COLOURS}
    text = f"{counts['ok']} ok, {console.count(counts['warning'], 'warning')}, {counts['missing']} missing"
    if is_ready(findings):
        return f"{text}: this machine can build, test and publish the selected images"
    return f"{text}: without what is missing, the selected images cannot be built, tested and published"


def to_json(findings: Sequence[Finding]) -> str:
    """Return the findings as JSON: ``{"ready": true, "checks": [{"name", "state", "text", "fix"}]}``."""
    document = {"ready": is_ready(findings), "checks": [dataclasses.asdict(finding) for finding in findings]}
    return json.dumps(document, indent=2)
