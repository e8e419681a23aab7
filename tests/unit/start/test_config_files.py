"""The files that Microsoft's server reads next to the script, and users' own files of the same names."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import pytest

from tests.unit.start.start_modules import failure, module


def check(app: Path, environment: dict[str, str] | None = None, script: str = "main.py") -> None:
    settings = module("settings").Settings(app_root=str(app), entry_script=script)
    module("config_files").check(environment or {}, settings)


def problem(app: Path, environment: dict[str, str] | None = None, script: str = "main.py") -> str:
    """Return the message with which the check of the files fails."""
    settings = module("settings").Settings(app_root=str(app), entry_script=script)
    message, code = failure("config_files.check", environment or {}, settings)
    assert code == 1
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1, 2]", "and is a list: correct it, or rename it"),
        ('"x"', "and is a text"),
        ("null", "and is null"),
        ("7", "and is a number"),
        ('{"a": 1,', "cannot be read: Expecting property name"),
        ("\ufeff{}", "cannot be read: Unexpected UTF-8 BOM"),
        ("[" * 100_000, "cannot be read: "),
        ('{"SCORING_TIMEOUT_MS": "soon"}', 'SCORING_TIMEOUT_MS is "soon", and must be a whole number'),
        ('{"SCORING_TIMEOUT_MS": 1.5}', "SCORING_TIMEOUT_MS is 1.5, and must be a whole number"),
        ('{"SERVICE_NAME": ["x"]}', 'SERVICE_NAME is ["x"], and must be a text'),
        (
            '{"APP_INSIGHTS_LOG_RESPONSE_ENABLED": "maybe"}',
            'APP_INSIGHTS_LOG_RESPONSE_ENABLED is "maybe", and must be true or false',
        ),
    ],
)
def test_a_config_that_the_server_cannot_use(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    message = problem(tmp_path)
    assert message.startswith(f"{tmp_path}/config.json"), message
    assert says in message
    assert "or set AZUREML_CONFIG_FILE to another file if this one is not for the server" in message


def test_a_config_that_the_server_can_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = {
        "SERVICE_NAME": "x",
        "SCORING_TIMEOUT_MS": "100",
        "AZUREML_DEBUG_PORT": None,
        "APP_INSIGHTS_LOG_RESPONSE_ENABLED": 0,
    }
    (tmp_path / "config.json").write_text(json.dumps(values))
    check(tmp_path)
    assert capsys.readouterr().err == ""


def test_keys_that_are_not_the_servers_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = ["architectures", "AML_CORS_ORIGINS", "c", "d", "e"]
    (tmp_path / "config.json").write_text(json.dumps({"SERVICE_NAME": "x", **dict.fromkeys(keys, "x")}))
    check(tmp_path)
    named = "architectures, AML_CORS_ORIGINS, c and 2 more"
    assert capsys.readouterr().err == f"start-server: {tmp_path}/config.json: the server ignores these keys: {named}\n"


def test_the_server_for_python_37_takes_numbers_for_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text('{"SERVICE_VERSION": 2}')
    assert "SERVICE_VERSION is 2, and must be a text" in problem(tmp_path)
    monkeypatch.setattr(sys, "version_info", (3, 7, 17))
    for name in [name for name in sys.modules if name.startswith("server_start")]:
        del sys.modules[name]
    check(tmp_path)


def test_the_first_file_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """AZUREML_CONFIG_FILE, then the app root, then the script's folder; empty and missing files do not count."""
    (tmp_path / "code").mkdir()
    good, bad, named = tmp_path / "config.json", tmp_path / "code" / "config.json", tmp_path / "named.json"
    bad.write_text("[]")
    assert str(bad) in problem(tmp_path, script="code/main.py")
    good.write_text("{}")
    check(tmp_path, script="code/main.py")
    named.write_text("[]")
    message = problem(tmp_path, {"AZUREML_CONFIG_FILE": str(named)})
    assert message.startswith(str(named))
    assert "AZUREML_CONFIG_FILE" not in message
    assert "Is a directory" in problem(tmp_path, {"AZUREML_CONFIG_FILE": str(tmp_path)})
    named.write_text("")
    check(tmp_path, {"AZUREML_CONFIG_FILE": str(named)})
    check(tmp_path, {"AZUREML_CONFIG_FILE": str(tmp_path / "none")})
    assert capsys.readouterr().err == (
        f"start-server: AZUREML_CONFIG_FILE={named} is empty, and is ignored\n"
        f"start-server: AZUREML_CONFIG_FILE={tmp_path}/none does not exist, and is ignored\n"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "cannot be read: Expecting property name"),
        ("[]", "and is a list"),
        ('{"version": 2}', "is not a logging configuration: Unsupported version: 2"),
        (
            '{"version": 1, "handlers": {"a": {"class": "nope.Handler"}}}',
            "Unable to configure handler 'a': Cannot resolve 'nope.Handler': No module named 'nope'",
        ),
        (
            '{"version": 1, "loggers": {"x": {"level": "LOUD"}}}',
            "Unable to configure logger 'x': Unknown level: 'LOUD'",
        ),
        (
            '{"version": 1, "handlers": {"a": {"class": "quits.Handler"}}}',
            "is not a logging configuration: SystemExit(0)",
        ),
    ],
)
def test_a_logging_configuration_that_cannot_be_used(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "quits.py").write_text("raise SystemExit(0)")
    (tmp_path / "logging.json").write_text(text)
    message = problem(tmp_path)
    assert message.startswith(f"{tmp_path}/logging.json"), message
    assert says in message


def test_a_logging_configuration_is_only_tried(tmp_path: Path) -> None:
    """It may have classes of the user. Nothing changes in the process that tries it."""
    (tmp_path / "mine.py").write_text("import logging\n\nclass Handler(logging.Handler):\n    pass\n")
    (tmp_path / "logging.json").write_text(
        '{"version": 1, "handlers": {"a": {"class": "mine.Handler"}}, "loggers": {"tried": {"handlers": ["a"]}}}'
    )
    check(tmp_path)
    assert logging.getLogger("tried").handlers == []


@pytest.mark.parametrize("name", ["swagger.json", "swagger2.json", "swagger3.json", "swagger3.1.json"])
def test_a_swagger_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text('{"swagger": "2.0"}')
    check(tmp_path)
    file.write_text('{"swagger": ')
    assert problem(tmp_path).startswith(f"{file} must be a JSON file that describes the service, and cannot be read: ")
    file.write_bytes(b'{"x": "\xff"}')
    assert "cannot be read: " in problem(tmp_path)
    file.write_text("")
    assert "cannot be read: " in problem(tmp_path)
