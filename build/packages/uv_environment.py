"""The environment in which uv runs on this machine: its CA certificates, and pip's index where uv has none of its own.

Effects: runs pip and uv, which read their configuration files.
"""

from __future__ import annotations

import ast
import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import uv

from build.system import http_failures, processes
from build.system.certificates import uv_environment

#: Variables that name uv's indexes. One of them is enough: then pip's settings do not count.
VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL")
#: Sections of pip's configuration by precedence: its environment variables, and those that `pip install` reads.
_SECTIONS = (":env:", "install", "global")


def environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment variables for uv.

    uv does not read pip's settings, but many companies name their index only there. Of these settings ``index-url``
    counts, and ``extra-index-url`` does not: pip takes the best file of all indexes, uv the first index that has the
    package, so that another package of the same name could win.

    Args:
        environ: The environment variables of this process.
    """
    variables = uv_environment(environ)
    if any(environ.get(name) for name in VARIABLES):
        return variables
    index = _index_of_pip(_pip_settings(environ.get("PIP_CONFIG_FILE"), environ.get("PIP_INDEX_URL")))
    if index is None or _uv_has_an_index():
        return variables
    return {**variables, "UV_DEFAULT_INDEX": index}


@functools.cache
def _pip_settings(config_file: str | None, index_url: str | None) -> str:
    """Return what `pip config list` prints; the arguments are the variables that it depends on."""
    return processes.run([sys.executable, "-m", "pip", "config", "list"]).stdout


def _index_of_pip(settings: str) -> str | None:
    """Return the index that pip uses by its settings, if they name one.

    Args:
        settings: The output of `pip config list`: ``global.index-url='https://…'``.
    """
    found = dict(line.partition("=")[::2] for line in settings.splitlines())
    values = [found[f"{section}.index-url"] for section in _SECTIONS if f"{section}.index-url" in found]
    return str(ast.literal_eval(values[0])) if values else None


@functools.cache
def _uv_has_an_index() -> bool:
    """Tell whether uv's configuration files name an index: without these files, uv would search elsewhere."""
    return print_indexes(os.environ).stdout != print_indexes(os.environ, "--no-config").stdout


def print_indexes(environ: Mapping[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    """Let uv print where it searches, as options of pip; there is nothing to resolve.

    Args:
        environ: The environment variables for uv.
        options: Further options of uv.
    """
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder, "requirements.in")
        requirements.touch()
        return processes.run(
            [
                *(uv.find_uv_bin(), "pip", "compile", str(requirements), "--quiet", "--no-header", "--offline"),
                *("--python-version", "3.11", "--emit-index-url", "--emit-find-links", *options),
            ],
            cwd=Path(folder),
            environment=environ,
        )


def without_logins(text: str, environ: Mapping[str, str]) -> str:
    """Return uv's words about its configuration without the logins of indexes.

    Args:
        text: Its standard error.
        environ: The environment variables with which it ran.
    """
    values = {environ.get(name, "") for name in (*VARIABLES, "UV_FIND_LINKS")}
    words = {word for value in values for word in (value, *value.split()) if "@" in word}
    # The longest first: one may contain another.
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, f"****@{word.rpartition('@')[2]}")
    return http_failures.without_logins(text)
