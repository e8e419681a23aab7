"""The script that most of these Dockerfiles copy into the image: it tells where it runs, and what can be imported."""

import importlib
import json
import os


def init():
    pass


def run(data):
    modules = {}
    for name in json.loads(data).get("modules", ()):
        try:
            importlib.import_module(name)
            modules[name] = True
        except ImportError:
            modules[name] = False
    model = os.environ.get("AZUREML_MODEL_DIR")
    return {
        "uid": os.getuid(),
        "folder": os.getcwd(),
        "script": os.path.abspath(__file__),
        "model": sorted(os.listdir(model)) if model else None,
        "modules": modules,
    }
