"""The result of a check.  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from build.errors import PipelineError

#: ``missing``: the selected images cannot be made without it. ``warning``: they can, but a person should know.
State = Literal["ok", "warning", "missing"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the result."""

    #: What was checked: ``engine``, ``wheel source pytorch-cpu``.
    name: str
    state: State
    #: What was found, without a full stop.
    text: str
    #: How to get what is missing; None if nothing is, or if it is not known.
    fix: str | None = None


def ok(name: str, text: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(name=name, state="ok", text=text)


def warning(name: str, text: str, fix: str | None = None) -> Finding:
    """Return that something is worth knowing, or needed for other images than the selected ones."""
    return Finding(name=name, state="warning", text=text, fix=fix)


def missing(name: str, text: str, fix: str | None = None) -> Finding:
    """Return that something is missing that the selected images need."""
    return Finding(name=name, state="missing", text=text, fix=fix)


def of_failure(name: str, failure: PipelineError, *, needed: bool = True) -> Finding:
    """Return the failure of what a check asked as its result.

    Args:
        name: What was checked.
        failure: The failure; its fix becomes that of the finding.
        needed: Whether the selected images need it.
    """
    where = f" ({failure.where})" if failure.where and failure.where not in failure.what else ""
    return Finding(name=name, state="missing" if needed else "warning", text=f"{failure.what}{where}", fix=failure.fix)
