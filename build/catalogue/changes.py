"""What changed from one published state of an image to the next.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from build.catalogue.remote import Stored
from build.verify.reports import Package

_BASE = "org.opencontainers.image.base."
#: What of a configuration people rely on; labels have their own place.
_CONFIGURATION = ("User", "Env", "Cmd", "Entrypoint", "WorkingDir", "ExposedPorts", "Volumes", "StopSignal")


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that was and one that is; None for what was not there, or is not there any more."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, kw_only=True)
class Changes:
    """The difference of two states."""

    #: None where the packages of one of the two are not recorded.
    python: tuple[Change, ...] | None
    debian: tuple[Change, ...] | None
    configuration: tuple[Change, ...]
    #: The base, where another one is below it.
    base: Change | None
    #: Bytes to pull, now less before.
    size: int
    #: Bytes that a machine with the state before pulls, and in how many layers.
    pulled: int
    pulled_layers: int


def compare(before: Stored, after: Stored) -> Changes:
    """The difference of two published states of an image.

    Args:
        before: The older.
        after: The newer.
    """
    both = before.report, after.report
    there = {layer.digest for layer in before.layers}
    new = {layer.digest: layer.size for layer in after.layers if layer.digest not in there}
    bases = [state.labels.get(f"{_BASE}digest") for state in (before, after)]
    names = [state.labels.get(f"{_BASE}name") for state in (before, after)]
    return Changes(
        python=None if None in both else packages(*(report.python_packages for report in both if report)),
        debian=None if None in both else packages(*(report.debian_packages for report in both if report)),
        configuration=versions(_configuration(before.config), _configuration(after.config)),
        base=Change(name="base", before=names[0] or bases[0], after=names[1] or bases[1])
        if bases[0] != bases[1]
        else None,
        size=after.size - before.size,
        pulled=sum(new.values()) + (after.config_size if after.digest != before.digest else 0),
        pulled_layers=len(new),
    )


def packages(before: Sequence[Package], after: Sequence[Package]) -> tuple[Change, ...]:
    """The difference of two sets of packages, by name."""
    old, new = ({package.name: package.version for package in each} for each in (before, after))
    return versions(old, new)


def versions(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Change, ...]:
    """The difference of two mappings, by key."""
    return tuple(
        Change(name=name, before=before.get(name), after=after.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )


def _configuration(config: Mapping[str, Any]) -> dict[str, str]:
    """A configuration as flat texts: each variable by itself."""
    found: dict[str, str] = {}
    for key in _CONFIGURATION:
        value = config.get(key)
        if key == "Env":
            for entry in value or ():
                name, _, text = str(entry).partition("=")
                found[f"variable {name}"] = text
        elif value:
            # Dictionaries there are sets of names; lists are the words of a command.
            found[key] = " ".join(str(item) for item in value) if isinstance(value, list | dict) else str(value)
    return found
