"""Functions and objects of the script in multiprocessing's processes; in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.start.start_modules import START

SCRIPT = """
import multiprocessing
import sys

class Number:
    def __init__(self, value):
        self.value = value

factor = 1

def init():
    global factor
    factor = 10

def multiply(number):
    return Number(number.value * factor)

def run(method):
    with multiprocessing.get_context(method).Pool(2) as pool:
        return [number.value for number in pool.map(multiply, [Number(1), Number(2)])]
"""
#: Imports the script as Microsoft's server does; its main file is not imported again by spawned processes.
SERVER = f"""
import importlib.util, json, os, sys
if __name__ == "__main__":
    sys.path.insert(0, {str(START)!r})
    from server_start import script_module
    script_module.install()
    if sys.argv[2] == "ours":
        from server_start import children
        import types
        sys.modules["azureml_inference_server_http.server.user_script"] = types.SimpleNamespace(
            UserScript=types.SimpleNamespace(invoke_init=None, invoke_run=None)
        )
        children.install()
    spec = importlib.util.spec_from_file_location("entry_module", os.environ["AZUREML_ENTRY_SCRIPT"])
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.init()
    print(json.dumps([script.run(sys.argv[1]), "entry_module" in sys.modules]))
"""


def serve(folder: Path, method: str, which: str, script: str = SCRIPT) -> subprocess.CompletedProcess[str]:
    (folder / "score.py").write_text(script)
    (folder / "server.py").write_text(SERVER)
    return subprocess.run(
        [sys.executable, str(folder / "server.py"), method, which],
        env={**os.environ, "AZUREML_ENTRY_SCRIPT": str(folder / "score.py")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(("method", "result"), [("fork", [10, 20]), ("spawn", [1, 2]), ("forkserver", [1, 2])])
def test_a_pool_calls_a_function_of_the_script(tmp_path: Path, method: str, result: list[int]) -> None:
    """Processes that are not forks import the script, without its init(), as they import any program."""
    done = serve(tmp_path, method, "ours")
    assert done.returncode == 0, done.stderr
    # Unless multiprocessing pickles, the script is not registered: cloudpickle passes its functions with the model.
    assert json.loads(done.stdout) == [result, False]


def test_without_it_the_pool_fails(tmp_path: Path) -> None:
    done = serve(tmp_path, "fork", "bare")
    assert "PicklingError" in done.stderr


def test_the_script_does_not_run_twice_in_the_server(tmp_path: Path) -> None:
    """Python's own pickle fails, as in Microsoft's server alone."""
    code = SCRIPT.replace(
        "def run(method):", "import pickle\nprint('[')\ndef run(method):\n    pickle.dumps(Number(1))"
    )
    done = serve(tmp_path, "fork", "ours", code)
    assert "PicklingError" in done.stderr
    assert done.stdout == "[\n"
