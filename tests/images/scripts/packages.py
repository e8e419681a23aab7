"""The scoring script of the extension tests: it returns which packages it sees."""

import importlib
import json
import os
from pathlib import Path

try:
    from importlib import metadata
except ImportError:  # Python 3.7; the server installs the backport
    import importlib_metadata as metadata


def init():
    """Nothing to load."""


def run(data):
    folder = os.environ.get("AZUREML_MODEL_DIR")
    return {
        "uid": os.getuid(),
        "model": sorted(path.name for path in Path(folder).iterdir()) if folder else [],
        "packages": {name: look(name) for name in json.loads(data)["packages"]},
    }


def look(name):
    """Return the version of the module and of the installed distribution, and the module's file."""
    module = importlib.import_module(name)
    return {
        "imported": getattr(module, "__version__", None),
        "installed": metadata.version(name),
        "file": module.__file__,
    }
