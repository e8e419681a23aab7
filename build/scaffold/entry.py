"""The text of new entries in ``matrix.yaml``.  Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import yaml
from packaging.version import Version

from build.scaffold.release import Release

#: Before the keys of a version.
_INDENT = " " * 8


@dataclass(frozen=True, kw_only=True)
class Model:
    """A version of a framework after which another one is made."""

    #: Its version key.
    key: str
    #: The release that it pins.
    release: Version
    #: The distributions that are released together: ``torch``, or ``xgboost-cpu`` and ``xgboost``.
    distributions: tuple[str, ...]
    #: Its lines in the matrix; the first one has its key.
    lines: tuple[str, ...]


def framework(name: str, title: str, release: Release) -> list[str]:
    """Return the lines of a framework with one version, as they are in ``frameworks``.

    Args:
        name: The framework's key.
        title: The name that people read.
        release: What to pin.
    """
    lines = [f"  {name}:", f"    title: {_scalar(title)}", "    versions:", f'      "{release.key}":']
    if release.misfits:
        lines.append(_bases(release))
    lines.append(f"{_INDENT}contract: [{release.pin}]")
    return [*lines, *_lifecycle(release)]


def version(model: Model, release: Release) -> list[str]:
    """Return the lines of a version, made from those of another one.

    Args:
        model: The other version.
        release: What to pin.
    """
    names = "|".join(map(re.escape, model.distributions))
    pin = re.compile(rf"(?<![\w.-])({names})(\[[^\]]*\])?=={re.escape(str(model.release))}(?![\w.])")
    lines = [pin.sub(rf"\1\2=={release.version}", line) for line in model.lines]
    lines[0] = lines[0].replace(model.key, release.key, 1)
    if release.misfits:
        lines = [lines[0], _bases(release), *_without("bases", lines[1:])]
    # The end of the other version is not that of this one.
    return [*_without("lifecycle", lines), *_lifecycle(release)]


def _without(key: str, lines: Sequence[str]) -> list[str]:
    """Return the lines of a version without one of its keys."""
    kept = []
    is_inside = False
    for line in lines:
        is_deeper = line.startswith((f"{_INDENT} ", f"{_INDENT}- ")) or not line.strip()
        is_inside = line.startswith(f"{_INDENT}{key}:") or (is_inside and is_deeper)
        if not is_inside:
            kept.append(line)
    return kept


def _lifecycle(release: Release) -> list[str]:
    return [f"{_INDENT}lifecycle: {{released: {release.day.isoformat()}}}"] if release.day else []


def _scalar(text: str) -> str:
    """A text as YAML, in quotes if it needs them."""
    return str(yaml.safe_dump(text, allow_unicode=True, width=1000).splitlines()[0])


def _bases(release: Release) -> str:
    """The line that names the bases, where the release cannot be installed on all."""
    return f"{_INDENT}bases: [{', '.join(release.bases)}]"
