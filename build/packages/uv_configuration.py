"""What uv's configuration files say that uv does not print: the names of indexes, and how it uses them.

Effects: reads the files.
"""

from __future__ import annotations

import contextlib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

#: uv's variable → the key of its files that it replaces (https://docs.astral.sh/uv/reference/settings/).
_KEYS = {"UV_INDEX_STRATEGY": "index-strategy", "UV_INSECURE_HOST": "allow-insecure-host"}


def variables(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the settings of how uv uses indexes as its variables, from the environment or else from the files.

    Args:
        environ: The environment variables.
    """
    tables = list(_tables(environ))
    found = {}
    for variable, key in _KEYS.items():
        values = [table[key] for table in tables if key in table]
        if environ.get(variable):
            found[variable] = environ[variable]
        elif values:
            found[variable] = values[0] if isinstance(values[0], str) else " ".join(map(str, values[0]))
    return found


def named_indexes(environ: Mapping[str, str] = os.environ) -> list[tuple[str, str]]:
    """Return the names and addresses of the files' indexes that have a name.

    Args:
        environ: The environment variables.
    """
    indexes = [index for table in _tables(environ) for index in table.get("index", ())]
    return [(str(index["name"]), str(index["url"])) for index in indexes if "name" in index and "url" in index]


def file_with(text: re.Pattern[str], environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the file that contains a text, such as the host of an index; None if none does.

    Args:
        text: The text.
        environ: The environment variables.
    """
    for file in _files(environ):
        with contextlib.suppress(OSError, ValueError):
            if text.search(file.read_text(encoding="utf-8")):
                return file
    return None


def _tables(environ: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    """Yield the tables of the files, the one that counts first; uv itself reports a file that is not valid."""
    for file in _files(environ):
        try:
            content = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(content.get("pip"), dict):
            yield content["pip"]
        yield content


def _files(environ: Mapping[str, str]) -> list[Path]:
    """Return the files: the one that a variable names, else the user's and the machine's."""
    if environ.get("UV_NO_CONFIG"):
        return []
    if environ.get("UV_CONFIG_FILE"):
        return [Path(environ["UV_CONFIG_FILE"])]
    user = environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME") or Path.home(), ".config")
    folders = [*(environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":"), "/etc"]
    of_machine = [file for folder in folders if (file := Path(folder, "uv", "uv.toml")).is_file()]
    return [Path(user, "uv", "uv.toml"), *of_machine[:1]]
