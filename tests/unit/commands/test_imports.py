"""Small commands load only the libraries that they need: the others take longer to load than the commands to run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
#: Libraries of the engine, of registries and indexes, and of locks.
LARGE = {"docker", "requests", "urllib3", "uv", "pip", "pypi_simple", "elftools", "debian", "pytest", "psutil"}


@pytest.mark.parametrize(
    ("arguments", "not_needed"),
    [
        (["list"], LARGE | {"jinja2", "rich"}),
        (["list", "--json"], LARGE | {"jinja2", "rich"}),
        (["check"], LARGE | {"rich"}),
        (["list", "--help"], LARGE | {"jinja2", "rich"}),
        *(([command, "--help"], {"bs4", "pypi_simple"}) for command in ("build", "plan", "pipeline", "publish")),
    ],
)
def test_small_commands_load_few_libraries(arguments: list[str], not_needed: set[str]) -> None:
    code = (
        "import sys\n"
        "from build.cli import main\n"
        f"code = main({arguments!r})\n"
        "print(code, *{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, env={**os.environ}, check=True
    )
    returned, *loaded = done.stderr.split("\n")[-2].split()
    assert returned == "0", done.stderr
    assert not_needed & set(loaded) == set()


def test_every_command_is_found() -> None:
    import click

    from build.cli import COMMANDS, cli

    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None and command.name == name
        assert command.get_short_help_str()
