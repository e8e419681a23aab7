"""The settings in the container's environment variables, validated."""

from __future__ import annotations

import importlib.util
import os
from typing import Mapping, NamedTuple

from server_start.failure import WRONG_SETTING, StartFailure

#: The default folder of the user's code.
APP_ROOT = "/var/azureml-app"
#: Values of AZUREML_LOG_LEVEL, in upper or lower case.
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
#: Processes and threads of a worker.
TASKS_OF_A_WORKER = 3


class Settings(NamedTuple):
    """The script to serve."""

    app_root: str
    #: Relative to the app root.
    entry_script: str

    @property
    def script_folder(self) -> str:
        """The folder of the entry script; paths of extra packages are relative to it."""
        return os.path.dirname(os.path.join(self.app_root, self.entry_script))


def read(environment: Mapping[str, str]) -> Settings:
    """Read the settings of a container.

    Args:
        environment: Its variables.

    Raises:
        StartFailure: The app root or the script does not exist, or a variable has an invalid value.
    """
    app_root = environment.get("AML_APP_ROOT") or APP_ROOT
    named = environment.get("AZUREML_ENTRY_SCRIPT") or "main.py"
    entry_script = named.lstrip("/")  # a leading slash means the app root too
    if named != entry_script and os.path.isfile(named) and not os.path.isfile(os.path.join(app_root, entry_script)):
        entry_script = os.path.relpath(named, app_root)
    if not os.path.isdir(app_root):
        raise StartFailure(
            f"{app_root} is not a directory: mount or copy your code there, or set AML_APP_ROOT to its folder",
            WRONG_SETTING,
        )
    if not os.path.isfile(os.path.join(app_root, entry_script)):
        raise StartFailure(
            f"{app_root}/{entry_script} does not exist: mount or copy your code to {app_root}, "
            "or set AZUREML_ENTRY_SCRIPT to your scoring script",
            WRONG_SETTING,
        )
    for name, unit, least in (
        ("WORKER_COUNT", "processes", 1),
        ("WORKER_TIMEOUT", "seconds", 0),
        ("SCORING_TIMEOUT_MS", "milliseconds", 1),
    ):
        _number(environment, name, unit, least)
    level = environment.get("AZUREML_LOG_LEVEL", "")
    if level and level.upper() not in LOG_LEVELS:
        raise StartFailure(
            f"AZUREML_LOG_LEVEL={level!r} is not a log level: set one of {', '.join(LOG_LEVELS)}, or unset it",
            WRONG_SETTING,
        )
    return Settings(app_root=app_root, entry_script=entry_script)


def _number(environment: Mapping[str, str], name: str, unit: str, least: int) -> None:
    text = environment.get(name)
    if text is not None and not (text.isdecimal() and int(text) >= least):
        raise StartFailure(
            f"{name}={text!r} is not a valid number of {unit}: set a whole number, {least} or more, or unset it",
            WRONG_SETTING,
        )


def check_processes(environment: Mapping[str, str], limit: int | None) -> None:
    """Check that the platform allows as many processes and threads as the server needs.

    Args:
        environment: The container's variables, valid as `read` says.
        limit: Processes and threads that the container may have; None without a limit.

    Raises:
        StartFailure: There are too many workers.
    """
    count = int(environment.get("WORKER_COUNT", "1"))
    needed = 1 + count * TASKS_OF_A_WORKER
    if limit is not None and needed > limit:
        raise StartFailure(
            f"WORKER_COUNT={count} needs {needed} processes and threads ({TASKS_OF_A_WORKER} for each worker, and the "
            f"first process), and the platform allows {limit} (limit of the container, or `ulimit -u`): raise the limit"
            + (", or set a smaller WORKER_COUNT" if count > 1 else ""),
            WRONG_SETTING,
        )


def check_debugger(environment: Mapping[str, str]) -> None:
    """Check that the debugger that the server would connect to can be imported.

    Raises:
        StartFailure: It is not installed.
    """
    if environment.get("AZUREML_DEBUG_PORT") and importlib.util.find_spec("debugpy") is None:
        raise StartFailure(
            "AZUREML_DEBUG_PORT needs the package debugpy, which is not installed: add it, for example with "
            "AZUREML_EXTRA_REQUIREMENTS_TXT, or unset the variable",
            WRONG_SETTING,
        )
