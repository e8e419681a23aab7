"""Compare the inputs of two recipes, field by field.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Keys of the documents whose lists are packages: ``name=version``.
_PACKAGES = ("debian",)
#: Keys that follow from others.
_DERIVED = ("sha256",)


@dataclass(frozen=True, kw_only=True)
class Change:
    """A field that differs."""

    #: ``("base", "debian", "libc6")``.
    field: tuple[str, ...]
    #: The published value; None if there was none.
    old: str | None
    #: The value now; None if the field is gone.
    new: str | None


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    """Return the fields that differ between the inputs of two recipes, in their order.

    Args:
        old: The inputs of the published image.
        new: The inputs of what would be built.
    """
    return tuple(_changes((), _plain(old), _plain(new)))


def compare_packages(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[Change, ...]:
    """The same for Python packages: name → version."""
    return tuple(_changes(("packages",), old, new))


def _plain(inputs: Any) -> Any:
    """Take the documents inside a document without their digests, and lists as mappings."""
    if isinstance(inputs, Mapping):
        if set(inputs) == {"sha256", "inputs"}:
            return _plain(inputs["inputs"])
        return {key: _list_of(key, value) for key, value in inputs.items() if key not in _DERIVED}
    return str(inputs)


def _list_of(key: str, value: Any) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str):
        pairs = (str(item).partition("=") if key in _PACKAGES else (str(item), "", "yes") for item in value)
        return {name: version for name, _, version in pairs}
    return _plain(value)


def _changes(field: tuple[str, ...], old: Any, new: Any) -> list[Change]:
    if isinstance(old, Mapping) or isinstance(new, Mapping):
        before = old if isinstance(old, Mapping) else {}
        after = new if isinstance(new, Mapping) else {}
        return [
            change
            for key in dict.fromkeys((*before, *after))
            for change in _changes((*field, key), before.get(key), after.get(key))
        ]
    return [] if old == new else [Change(field=field, old=_text(old), new=_text(new))]


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
