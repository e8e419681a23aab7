"""What the scoring script imports: its own module and the user's others, as in any program.

Microsoft's server imports the script by its path and does not put the module into `sys.modules`. The standard library
looks there: with `from __future__ import annotations`, `@dataclass` fails in such a module with "'NoneType' object has
no attribute '__dict__'". The recipe "Importing a source file directly" of Python's importlib documentation adds it.

After the import the module is taken out again. cloudpickle (joblib, dask) passes functions of a module that is in
`sys.modules` by name, which another process could not import, and all others with the global variables that they use:
scripts rely on that for the model that init() loads.

The server also puts its own folder on Python's path, before the user's: `import config` or `import utils` in a script
found the server's files of that name ("attempted relative import with no known parent package").
"""

from __future__ import annotations

import importlib.util
import os
import sys
from types import ModuleType
from typing import Any

from server_start import own_timeouts

#: The name by which the server imports the script.
NAME = "entry_module"
#: The server's package; it adds its folder `server` to the path.
SERVER = "azureml_inference_server_http"
#: The server's module that imports and calls the script.
USER_SCRIPT = "azureml_inference_server_http.server.user_script"


def install() -> None:
    """Intercept the import of the script. Call this before the server runs; it has no effect after that import."""
    make = importlib.util.module_from_spec

    def module_from_spec(spec: Any) -> ModuleType:
        module = make(spec)
        if spec.name == NAME:
            importlib.util.module_from_spec = make
            if USER_SCRIPT in sys.modules:
                own_timeouts.install(sys.modules[USER_SCRIPT])
            spec.loader = _Registering(spec.loader)
        return module

    importlib.util.module_from_spec = module_from_spec


class _Registering:
    """The loader of a module that is in `sys.modules` while it is executed."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader  # tracebacks and importlib.resources ask it for files
        sys.modules[module.__name__] = module
        _look_last_in_the_server()
        try:
            self._loader.exec_module(module)
        except BaseException as error:
            if error.__traceback__ is not None:
                error.__traceback__ = error.__traceback__.tb_next  # without this frame, which means nothing to the user
            raise
        finally:
            sys.modules.pop(module.__name__, None)


def _look_last_in_the_server() -> None:
    """Move the server's folder to the end of the path: the user's modules come before files of the same names."""
    package = sys.modules.get(SERVER)
    if package is None or package.__file__ is None:
        return
    folder = os.path.join(os.path.dirname(os.path.realpath(package.__file__)), "server")
    if folder in sys.path:
        sys.path.remove(folder)
        sys.path.append(folder)
