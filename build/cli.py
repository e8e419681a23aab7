"""The command line: ``python -m build COMMAND``; each nox session runs the command of the same name.

Only here a failure becomes text and an exit code.
"""

from __future__ import annotations

import datetime
import errno
import importlib
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

from build.errors import INTERRUPTED_EXIT_CODE, UNEXPECTED_EXIT_CODE, PipelineError
from build.paths import repository
from build.system import console, run_folder

#: Command → the module and the name of its click command; a module is imported when its command runs, so that
#: `list` does not load what `build` needs.
COMMANDS = {
    "bases": "build.commands.bases:bases",
    "bench": "build.commands.bench:bench",
    "build": "build.commands.build:build",
    "catalogue": "build.commands.catalogue:write_catalogue",
    "check": "build.commands.check:check",
    "diff": "build.commands.diff:diff",
    "doctor": "build.commands.doctor:doctor",
    "engine": "build.commands.engine:engine",
    "generate": "build.commands.generate:generate",
    "github": "build.commands.github:github",
    "list": "build.commands.list:list_images",
    "lock": "build.commands.lock:lock_images",
    "new": "build.commands.new:new",
    "plan": "build.commands.plan:plan",
    "pipeline": "build.commands.pipeline:pipeline",
    "promote": "build.commands.promote:promote",
    "publish": "build.commands.publish:publish",
    "update": "build.commands.update:update",
    "why": "build.commands.why:why",
    "verify": "build.commands.verify:verify",
}


class _Sessions(click.Group):
    """The commands of ``COMMANDS``, each imported when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command


@click.group(
    cls=_Sessions,
    help="From matrix.yaml to tested images in a registry.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
def cli() -> None:
    """All commands."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: The command line without the program; that of this process if None.

    Returns:
        The exit code: 0; 1 something failed; 2 wrong usage or matrix; 3 unexpected; 4 engine; 5 registry;
        6 network; 7 busy; 130 Ctrl-C.
    """
    began = time.monotonic()
    try:
        with run_folder.opened({"containers": _remove_containers}):
            result = cli.main(args=arguments, prog_name="nox -s", standalone_mode=False)
    except PipelineError as failure:
        console.error(failure)
        return failure.exit_code
    except click.exceptions.Abort:
        return _interrupted(began)
    except click.ClickException as failure:
        failure.show()
        return failure.exit_code
    except KeyboardInterrupt:
        return _interrupted(began)
    except Exception:  # noqa: BLE001 - a log file that can be reported, instead of a traceback on the screen
        return _unexpected()
    return result if isinstance(result, int) else 0


def _remove_containers(content: object) -> bool:
    from build.verify import containers  # here: most commands find nothing to remove

    return containers.remove_left(content)


def _interrupted(began: float) -> int:
    console.err.print(
        f"[bold]interrupted[/bold] after {console.seconds(time.monotonic() - began)}; finished work is kept"
    )
    return INTERRUPTED_EXIT_CODE


def _unexpected() -> int:
    from build.engine.failures import explain

    failure = sys.exc_info()[1]
    assert failure is not None
    explained = explain(failure)
    if explained is not None:
        console.error(explained)
        return explained.exit_code
    if isinstance(failure, OSError) and failure.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        denied = PipelineError(
            f"a file cannot be read or written: {failure.strerror}",
            where=str(failure.filename) if failure.filename else None,
            fix="give this user access to it, or work in a clone of this user's own",
        )
        console.error(denied)
        return denied.exit_code
    console.error(
        PipelineError(
            f"unexpected: {type(failure).__name__}: {failure}",
            where=_write_log(f"{sys.argv}\n{sys.version}\n\n{traceback.format_exc()}"),
            fix="this is a bug: report it with that log",
        )
    )
    return UNEXPECTED_EXIT_CODE


def _write_log(text: str) -> str:
    """Write the log of an unexpected failure, and say where; outside the clone where that is not possible."""
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    log = repository().logs / f"unexpected-{stamp}.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(text, encoding="utf-8")
    except OSError:
        try:
            log = Path(tempfile.mkdtemp(prefix="inference-images-")) / log.name
            log.write_text(text, encoding="utf-8")
        except OSError:  # no file can be written anywhere
            sys.stderr.write(text)
            return "above: no file could be written"
    return str(log)
