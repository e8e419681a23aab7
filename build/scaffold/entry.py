"""The text of new entries in ``matrix.yaml``.  Pure."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Any

import yaml
from packaging.version import Version

from build.matrix import insert
from build.matrix.edit import NotEditableError
from build.matrix.positions import KeyPath
from build.scaffold.release import Release

#: Before the keys of a version.
_INDENT = " " * 8


@dataclass(frozen=True, kw_only=True)
class Model:
    """A version of a framework after which another one is made."""

    #: Its version key.
    key: str
    #: The releases that it pins: one, or one for each range of Pythons.
    releases: tuple[Version, ...]
    #: The distributions that are released together: ``torch``, or ``xgboost-cpu`` and ``xgboost``.
    distributions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class NewVersion:
    """A version of a framework that is made after a model."""

    version: Version
    #: The day of its release (UTC); None if the index does not tell.
    day: datetime.date | None
    #: The bases to name; empty: those of the model.
    bases: tuple[str, ...] = ()
    #: The devices to name; empty: those of the model.
    devices: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The version as image names write it: ``1.9`` for 1.9.1."""
        return f"{self.version.major}.{self.version.minor}"


def framework(name: str, title: str, release: Release) -> list[str]:
    """Return the lines of a framework with one version, as they are in ``frameworks``.

    Args:
        name: The framework's key.
        title: The name that people read.
        release: What to pin.
    """
    lines = [f"  {name}:", f"    title: {_scalar(title)}", "    versions:", f'      "{release.key}":']
    if release.misfits:
        lines.append(f"{_INDENT}bases: {_list(release.bases)}")
    lines.append(f"{_INDENT}contract: [{release.pin}]")
    if release.day:
        lines.append(f"{_INDENT}lifecycle: {{released: {release.day.isoformat()}}}")
    return lines


def with_version(file: str, text: str, name: str, model: Model, new: NewVersion) -> str:
    """Return the matrix with another version of a framework behind its model, with the model's comments.

    A comment that names the model's version is left out: it would say of the new one what may not be true.

    Args:
        file: The file's name, for messages.
        text: Its content.
        name: The framework.
        model: The version that the new one is made after.
        new: What to pin.

    Raises:
        NotEditableError: The model comes from an alias, or has an anchor, or is written in an unusual way.
    """
    versions: KeyPath = ("frameworks", name, "versions")
    here: KeyPath = (*versions, new.key)
    names, releases = (
        "|".join(map(re.escape, map(str, every))) for every in (model.distributions, sorted(set(model.releases)))
    )
    pin = re.compile(rf"(?<![\w.-])({names})(\[[^\]]*\])?==({releases})(?![\w.])")
    older = _mention(model)
    result = insert.copied(
        file,
        text,
        (*versions, model.key),
        new.key,
        edit=lambda old: _pinned(pin, old, new.version),
        keep=lambda comment: older.search(comment) is None,
    )
    # The end of the other version is not that of this one.
    lifecycle = f"{{released: {new.day.isoformat()}}}" if new.day else None
    result = insert.removed(file, result, (*here, "lifecycle"))
    for key, names_of in (("devices", new.devices), ("bases", new.bases)):
        if names_of:
            result = insert.put(file, result, (*here, key), _list(names_of), first=True)
    if lifecycle:
        result = insert.put(file, result, (*here, "lifecycle"), lifecycle)
    expected = _data(text)
    after = _data(result)
    try:
        expected["frameworks"][name]["versions"][new.key] = after["frameworks"][name]["versions"][new.key]
    except (KeyError, TypeError):
        after = None
    _check(file, expected, after)
    return result


def with_end(file: str, text: str, name: str, key: str, until: datetime.date, source: str) -> str:
    """Return the matrix with an end date for a version that has none.

    Args:
        file: The file's name, for messages.
        text: Its content.
        name: The framework.
        key: The version.
        until: The day (UTC) from which the version has ended.
        source: Who says so.

    Raises:
        NotEditableError: The version or its lifecycle comes from an alias.
    """
    here: KeyPath = ("frameworks", name, "versions", key)
    quoted = source.replace("\\", "\\\\").replace('"', '\\"')
    end = f'{{until: {until.isoformat()}, source: "{quoted}"}}'
    if insert.has(text, (*here, "<<")) and not insert.has(text, (*here, "lifecycle")):
        raise NotEditableError(
            f'its lifecycle may come from the merge key of frameworks.{name}.versions."{key}"',
            where=file,
            fix="add the end date by hand",
        )
    if insert.has(text, (*here, "lifecycle")):
        result = insert.put(file, text, (*here, "lifecycle", "full-support"), end)
    else:
        result = insert.put(file, text, (*here, "lifecycle"), f"{{full-support: {end}}}")
    expected = _data(text)
    version = expected["frameworks"][name]["versions"][key]
    version["lifecycle"] = {
        **version.get("lifecycle", {}),
        "full-support": {"until": until.isoformat(), "source": source},
    }
    _check(file, expected, _data(result))
    return result


def _pinned(pin: re.Pattern[str], text: str, version: Version) -> str:
    """Return the text of an entry with other pins."""
    return pin.sub(rf"\1\2=={version}", text)


def _mention(model: Model) -> re.Pattern[str]:
    """Match a version of a model in a text: ``1.2`` and ``1.2.0``, but not the key ``2``, which is any number."""
    names = [*map(str, model.releases), *([model.key] if "." in model.key else [])]
    return re.compile(rf"(?<![\d.])({'|'.join(map(re.escape, names))})(?!\d)")


def _data(text: str) -> Any:
    """Return what a file says: text, lists and mappings; None if it is not YAML."""
    try:
        return yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError:
        return None


def _check(file: str, expected: object, after: object) -> None:
    if after is None or after != expected:
        raise NotEditableError(
            f"{file} cannot be edited automatically", where=file, fix="add the version by hand (CONTRIBUTING.md)"
        )


def _scalar(text: str) -> str:
    """A text as YAML, in quotes if it needs them."""
    return str(yaml.safe_dump(text, allow_unicode=True, width=1000).splitlines()[0])


def _list(names: tuple[str, ...]) -> str:
    return f"[{', '.join(names)}]"
