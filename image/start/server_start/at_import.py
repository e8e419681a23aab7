"""Runs code when a module is imported, if it ever is: importing it earlier would make each start slower."""

from __future__ import annotations

import importlib.util
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Callable


def at_import(name: str, execute: Callable[[ModuleType, Callable[[ModuleType], None]], None]) -> None:
    """Call a function when a module is imported for the first time.

    Args:
        name: The module.
        execute: Called in place of the module's code, with the module and the function that runs that code.
    """
    sys.meta_path.insert(0, _Finder(name, execute))


class _Finder(MetaPathFinder):
    def __init__(self, name: str, execute: Callable[..., None]) -> None:
        self._name = name
        self._execute = execute

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if name != self._name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self._execute)
        return spec


class _Loader(Loader):
    def __init__(self, loader: Any, execute: Callable[..., None]) -> None:
        self._loader = loader
        self._execute = execute

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader  # what reads the module's source or data asks it
        self._execute(module, self._loader.exec_module)
