"""The difference between two published states of an image.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from build.verify.reports import Package

if TYPE_CHECKING:
    from build.catalogue.remote import Stored

_BASE = "org.opencontainers.image.base."
#: The parts of a configuration that people rely on; labels have their own section.
_CONFIGURATION = ("User", "Env", "Cmd", "Entrypoint", "WorkingDir", "ExposedPorts", "Volumes", "StopSignal")


@dataclass(frozen=True, kw_only=True)
class Change:
    """One difference: the value before and after, None where there is no value."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, kw_only=True)
class Changes:
    """The difference between two states."""

    #: None where the packages of one of the two are not recorded.
    python: tuple[Change, ...] | None
    debian: tuple[Change, ...] | None
    configuration: tuple[Change, ...]
    #: The base, where it is another one.
    base: Change | None
    #: Bytes of a first pull, now minus before.
    size: int
    #: Bytes and layers that a machine with the earlier state pulls.
    pulled: int
    pulled_layers: int


def compare(before: Stored, after: Stored) -> Changes:
    """Compare two published states of an image.

    Args:
        before: The older state.
        after: The newer state.
    """
    both = before.report, after.report
    old = {layer.digest for layer in before.layers}
    new = {layer.digest: layer.size for layer in after.layers if layer.digest not in old}
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
    """Compare two sets of packages by name."""
    old, new = ({package.name: package.version for package in each} for each in (before, after))
    return versions(old, new)


def versions(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Change, ...]:
    """Compare two mappings by key."""
    return tuple(
        Change(name=name, before=before.get(name), after=after.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )


def _configuration(config: Mapping[str, Any]) -> dict[str, str]:
    """A configuration as flat texts, with each environment variable by itself."""
    texts: dict[str, str] = {}
    for key in _CONFIGURATION:
        value = config.get(key)
        if key == "Env":
            for entry in value or ():
                name, _, text = str(entry).partition("=")
                texts[f"variable {name}"] = text
        elif value:
            # Dictionaries in a configuration are sets of names; lists are the words of a command.
            texts[key] = " ".join(str(item) for item in value) if isinstance(value, list | dict) else str(value)
    return texts
