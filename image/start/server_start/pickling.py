"""multiprocessing sends the script's functions and objects to its processes by the name of their module.

Microsoft's server does not register that module, so `Pool.map` with a function of the script fails: it cannot be
pickled. Here the module is registered, but only while multiprocessing pickles: cloudpickle (joblib) passes functions of
registered modules by name too, and thus without the model that init() has loaded (see `script_module`).

A fork has the script. A process that multiprocessing spawns imports it through `entry_module.py`, without init(), as it
imports the main file of any program.
"""

from __future__ import annotations

import importlib.machinery
import sys
import threading
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Iterator

#: The module whose class pickles for multiprocessing. It is changed when the script imports it.
REDUCTION = "multiprocessing.reduction"

_script: ModuleType | None = None
_lock = threading.Lock()
#: How many threads need the module's name now.
_users = 0


def install(script: ModuleType) -> None:
    """Prepare multiprocessing for a script. Call this before the script is executed.

    Args:
        script: Its module.
    """
    global _script
    _script = script
    sys.meta_path.insert(0, _Finder())
    if REDUCTION in sys.modules:
        _change(sys.modules[REDUCTION])


def register_in_fork() -> None:
    """Register the script for good, in a fork of the user's code: it unpickles functions with Python's own means."""
    global _lock, _users
    _lock, _users = threading.Lock(), 1  # another thread may have held the lock
    if _script is not None:
        sys.modules[_script.__name__] = _script


class _Finder(MetaPathFinder):
    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if _script is not None and name == _script.__name__:
            # `entry_module.py` would run the script a second time here.
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        if name != REDUCTION:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                _change(module)

            loader.exec_module = exec_module
        return spec


def _change(reduction: Any) -> None:
    pickler = reduction.ForkingPickler
    dump, loads = pickler.dump, pickler.loads

    def dump_by_name(self: Any, value: Any) -> Any:
        with _registered():
            return dump(self, value)

    def loads_by_name(*arguments: Any, **named: Any) -> Any:
        with _registered():
            return loads(*arguments, **named)

    pickler.dump = dump_by_name
    pickler.loads = staticmethod(loads_by_name)


@contextmanager
def _registered() -> Iterator[None]:
    global _users
    if _script is None:
        yield
        return
    with _lock:
        _users += 1
        sys.modules[_script.__name__] = _script
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                sys.modules.pop(_script.__name__, None)
