"""The files that Microsoft's server reads from the folder of the user's code: config, logging and Swagger.

Users' own files may have these names too. The server reads them in each worker, and its errors do not name them.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Mapping

from server_start.failure import WRONG_SETTING, StartFailure
from server_start.settings import Settings

VARIABLE = "AZUREML_CONFIG_FILE"
#: The settings that the server reads from config.json, and their types (server/config.py in 0.8.4.2 and 1.5.1).
TYPES: dict[str, type] = {
    "AML_APP_INSIGHTS_ENABLED": bool,
    "AML_APP_INSIGHTS_KEY": str,
    "AML_APP_ROOT": str,
    "AML_CORS_ORIGINS": str,
    "AML_FLASK_ONE_COMPATIBILITY": bool,
    "AML_MODEL_DC_STORAGE_ENABLED": bool,
    "APP_INSIGHTS_LOG_RESPONSE_ENABLED": bool,
    "AZUREML_DEBUG_PORT": int,
    "AZUREML_ENTRY_SCRIPT": str,
    "AZUREML_LOG_LEVEL": str,
    "AZUREML_MODEL_DIR": str,
    "AZUREML_SOURCE_DIRECTORY": str,
    "HOSTNAME": str,
    "SCORING_TIMEOUT_MS": int,
    "SERVICE_NAME": str,
    "SERVICE_PATH_PREFIX": str,
    "SERVICE_VERSION": str,
    "WORKSPACE_NAME": str,
}
#: The last server for Python 3.7 and 3.8, 0.8.4.2. It takes a number for a text.
OLD = sys.version_info < (3, 9)
#: The newer server reads these from variables only, not from the file.
VARIABLES_ONLY = () if OLD else tuple(name for name in TYPES if name.startswith("AML_"))
_WORDS = {bool: "true or false", int: "a whole number", str: "a text"}
#: Descriptions of the service that the server answers instead of its own (server/swagger.py).
SWAGGER = ("swagger.json", "swagger2.json", "swagger3.json", "swagger3.1.json")
#: Keys that a message names at most.
_NAMED = 3


def check(environment: Mapping[str, str], settings: Settings) -> None:
    """Check the files that exist.

    Args:
        environment: The container's variables.
        settings: The script to serve.

    Raises:
        StartFailure: The server could not use one. The message names the file and what is wrong.
    """
    named = environment.get(VARIABLE)
    if named and not _has_content(named):
        what = "is empty" if os.path.exists(named) else "does not exist"
        _warn(f"{VARIABLE}={named} {what}, and is ignored")
    folders = (settings.app_root, settings.script_folder)
    candidates = [named, *(os.path.join(folder, "config.json") for folder in folders)]
    config = next((path for path in candidates if path and _has_content(path)), None)
    if config:
        _check_config(
            config, "" if config == named else f", or set {VARIABLE} to another file if this one is not for the server"
        )
    loggings = [os.path.join(folder, "logging.json") for folder in folders]
    logging = next((path for path in loggings if os.path.isfile(path)), None)
    if logging:
        _check_logging(logging, settings.app_root)
    for name in SWAGGER:
        path = os.path.join(settings.app_root, name)
        if os.path.exists(path):
            _read(path, "a JSON file that describes the service", "")


def _has_content(path: str) -> bool:
    return os.path.exists(path) and os.stat(path).st_size != 0


def _check_config(path: str, hint: str) -> None:
    values = _read_object(path, "a JSON object with settings of the server", hint)
    for name, value in values.items():
        if name in TYPES and value is not None and not _fits(value, TYPES[name]):
            message = f"{path}: {name} is {json.dumps(value)}, and must be {_WORDS[TYPES[name]]}: correct it{hint}"
            raise StartFailure(message, WRONG_SETTING)
    unused = [name for name in values if name not in TYPES or name in VARIABLES_ONLY]
    if unused:
        names = ", ".join(unused[:_NAMED]) + (f" and {len(unused) - _NAMED} more" if len(unused) > _NAMED else "")
        _warn(f"{path}: the server ignores these keys: {names}")


def _fits(value: Any, wanted: type) -> bool:
    """Return whether the server accepts a value. It also accepts numbers, true and false as text."""
    if wanted is str:
        return isinstance(value, str) or (OLD and isinstance(value, (int, float)))
    if isinstance(value, str):
        text = value.strip().lower()
        return text.isdecimal() if wanted is int else text in ("true", "false", "1", "0", "yes", "no", "on", "off")
    if wanted is int:
        return isinstance(value, int)
    return isinstance(value, bool) or value in (0, 1)


def _check_logging(path: str, app_root: str) -> None:
    values = _read_object(path, "a JSON object in the format of Python's logging.config.dictConfig", "")
    problem = _logging_problem(values, app_root)
    if problem:
        raise StartFailure(f"{path} is not a logging configuration: {problem}: correct it, or rename it", WRONG_SETTING)


def _read_object(path: str, wanted: str, hint: str) -> dict[str, Any]:
    values = _read(path, wanted, hint)
    if not isinstance(values, dict):
        found = {list: "a list", str: "a text", bool: "a boolean", type(None): "null"}.get(type(values), "a number")
        raise StartFailure(f"{path} must be {wanted}, and is {found}: correct it, or rename it{hint}", WRONG_SETTING)
    return values


def _read(path: str, wanted: str, hint: str) -> Any:
    try:
        with open(path) as file:  # the server uses the locale's encoding too
            return json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        message = f"{path} must be {wanted}, and cannot be read: {reason}: correct it, or rename it{hint}"
        raise StartFailure(message, WRONG_SETTING) from error


def _logging_problem(values: dict[str, Any], app_root: str) -> str:
    """Try a logging configuration in another process, since it cannot be taken back.

    Returns:
        What is wrong with it; an empty text if it can be used.
    """
    import logging.config

    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            sys.path.append(app_root)
            logging.config.dictConfig(values)
        except BaseException as error:  # noqa: BLE001 - classes of the user may raise anything
            reason = f"{error}: {error.__cause__}" if error.__cause__ else str(error)
            os.write(writer, (reason if isinstance(error, Exception) else repr(error)).encode(errors="replace")[:1000])
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8", errors="replace") as pipe:
        problem = " ".join(pipe.read().split())
    os.waitpid(child, 0)
    return problem


def _warn(message: str) -> None:
    print(f"start-server: {message}", file=sys.stderr, flush=True)
