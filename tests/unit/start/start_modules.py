"""Import the start-up code of the images, which is on no path, in unit tests."""

from __future__ import annotations

import importlib
import types
from pathlib import Path

import pytest

START = Path(__file__).parents[3] / "image" / "start"


def module(name: str) -> types.ModuleType:
    """Return a module of the package."""
    return importlib.import_module(f"server_start.{name}")


def failure(function: str, *arguments: object) -> tuple[str, int]:
    """Return the message and exit code with which a function of the package fails."""
    of, _, name = function.partition(".")
    with pytest.raises(module("failure").StartFailure) as raised:
        getattr(module(of), name)(*arguments)
    return str(raised.value), raised.value.code
