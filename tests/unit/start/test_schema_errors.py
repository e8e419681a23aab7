"""Input that does not fit the script's schema, with stand-ins for Microsoft's two packages."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.start.start_modules import module

DECORATORS = """\
def _deserialize_input_argument(input_data, param_type, param_name):
    return param_type(input_data)
"""
PARSERS = "class BadInput(Exception): pass\n"
SCRIPT = """\
import logging
logger = logging.getLogger("azmlinfsrv.user_script")
class UserScriptException(Exception):
    def __init__(self, error):
        self.user_ex = error
class UserScript:
    def invoke_run(self, request, *, timeout_ms):
        try:
            return request()
        except Exception as error:
            raise UserScriptException(error) from error
"""


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """The decorators and the server's modules, imported after `install`."""
    files = {
        "inference_schema/schema_decorators.py": DECORATORS,
        "azureml_inference_server_http/server/input_parsers.py": PARSERS,
        "azureml_inference_server_http/server/user_script.py": SCRIPT,
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = list(sys.meta_path)
    module("schema_errors").install()
    yield SimpleNamespace(
        decorators=importlib.import_module("inference_schema.schema_decorators"),
        parsers=importlib.import_module("azureml_inference_server_http.server.input_parsers"),
        script=importlib.import_module("azureml_inference_server_http.server.user_script"),
    )
    sys.meta_path[:] = before
    for name in [
        name for name in sys.modules if name.startswith(("inference_schema", "azureml_inference_server_http"))
    ]:
        del sys.modules[name]


def convert_with(packages: SimpleNamespace, error: Exception) -> Any:
    """Run a script whose input's conversion raises an error."""

    def conversion(value: object) -> object:
        raise error

    def request() -> object:
        return packages.decorators._deserialize_input_argument({}, conversion, "data")

    return packages.script.UserScript().invoke_run(request, timeout_ms=1)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("cannot convert\n NaN"), "cannot convert NaN"),
        (Exception("unable to convert"), "unable to convert"),
        (KeyError("a"), "KeyError: 'a'"),
        (ValueError("x" * 10_000), "x" * 500 + " ..."),
    ],
)
def test_a_failed_conversion_is_bad_input(packages: SimpleNamespace, error: Exception, reason: str) -> None:
    with pytest.raises(packages.parsers.BadInput) as raised:
        convert_with(packages, error)
    assert str(raised.value) == f"The value of the 'data' parameter does not fit its schema: {reason}"


@pytest.mark.parametrize("error", [TimeoutError(), MemoryError(), RuntimeError("no accelerator")])
def test_other_failures_in_a_conversion_are_not(packages: SimpleNamespace, error: Exception) -> None:
    with pytest.raises(packages.script.UserScriptException) as raised:
        convert_with(packages, error)
    assert raised.value.user_ex is error


def test_an_error_of_the_script_stays_one(packages: SimpleNamespace) -> None:
    def request() -> object:
        raise ValueError("the model said no")

    with pytest.raises(packages.script.UserScriptException):
        packages.script.UserScript().invoke_run(request, timeout_ms=1)
