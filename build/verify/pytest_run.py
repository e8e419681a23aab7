"""Run the image tests: pytest in a process of its own, whose events arrive while it runs.

Parts of the tests run side by side (pytest-xdist); ``tests/images/conftest.py`` divides them. The events come as JSON
lines in a file. pytest's own output goes to the log, and its JUnit XML is written for others to read.
"""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from build.errors import UsageError, VerifyError
from build.paths import Paths, ToolPaths
from build.system import processes, state
from build.verify import containers, events
from build.verify.events import Event
from build.verify.results import errors
from build.verify.target import Scope, Target

#: pytest's exit codes: https://docs.pytest.org/en/stable/reference/exit-codes.html
_PASSED, _FAILED, _NOTHING_SELECTED = 0, 1, 5
#: Seconds that pytest gets to stop.
_PATIENCE = 10
#: Seconds between two looks at the events.
_INTERVAL = 0.1
#: How many of the log's last lines an error shows.
_LOG_LINES = 20


@dataclass(frozen=True, kw_only=True)
class Files:
    """The files that a run writes."""

    paths: Paths
    #: Their name.
    name: str = "verify"

    @property
    def log(self) -> Path:
        """pytest's output."""
        return self.paths.logs / f"{self.name}.log"

    @property
    def junit(self) -> Path:
        return self.paths.reports / f"{self.name}.xml"

    @property
    def events(self) -> Path:
        """The results, as JSON lines."""
        return self.paths.reports / f"{self.name}.jsonl"

    @property
    def plan(self) -> Path:
        """The expectations that the tests read."""
        return self.paths.state / "verify" / "plan.json"

    def prepare(self) -> None:
        """Make the folders, and remove what an earlier run wrote."""
        for file in (self.log, self.junit, self.events):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.unlink(missing_ok=True)


def run(
    targets: Sequence[Target],
    *,
    scopes: Mapping[str, Scope],
    tool: ToolPaths,
    files: Files,
    environment: Mapping[str, str],
    workers: int,
    keywords: str | None,
    on_event: Callable[[Event], None],
) -> list[Event]:
    """Run the tests, and remove their containers, however the tests end.

    Args:
        targets: The images.
        scopes: Image name → which of its tests run.
        tool: Where the tests are.
        files: The files to write.
        environment: The environment variables of pytest and of the docker command.
        workers: How many parts of the tests run side by side.
        keywords: Only tests that match (pytest's ``-k``).
        on_event: Called with each event as it arrives.

    Returns:
        All events.

    Raises:
        UsageError: ``keywords`` matches no test.
        VerifyError: The tests could not run.
        EngineError: No engine answers.
    """
    files.prepare()
    this_run, clone = uuid.uuid4().hex[:12], str(files.paths.root)
    labels = {containers.RUN_LABEL: this_run, containers.CLONE_LABEL: clone}
    containers.remove(containers.CLONE_LABEL, clone, environment)  # left by a run that was killed
    images = [{**target.expectations, "scope": scopes[target.name]} for target in targets]
    state.write_json(files.plan, {"container_labels": labels, "images": images})
    seen: list[Event] = []

    def handle(event: Event) -> None:
        seen.append(event)
        on_event(event)

    with containers.removed(this_run, environment):
        code = _follow(command(tool, files, workers=workers, keywords=keywords), files, environment, handle)
    if code == _NOTHING_SELECTED and keywords:
        raise UsageError(
            f"no test matches '{keywords}'", fix="give words of the tests' names (`pytest --help` explains -k)"
        )
    failed = any(isinstance(event, events.Completed) and event.outcome == "failed" for event in seen)
    tested = any(isinstance(event, events.Completed) for event in seen)
    if code not in (_PASSED, _FAILED) or errors(seen) or not tested or (code == _FAILED) != failed:
        raise _could_not_run(files, errors(seen))
    return seen


def command(tool: ToolPaths, files: Files, *, workers: int, keywords: str | None) -> list[str]:
    """Return pytest's command line; arguments as for ``run``."""
    return [
        *(sys.executable, "-m", "pytest", str(tool.image_tests), "--plan", str(files.plan)),
        *("--scoring", str(files.paths.scoring)),
        *("--results", str(files.events), f"--junitxml={files.junit}"),
        # If a worker dies, the run ends: xdist 3.8.0 sometimes waits forever for a worker that it restarted.
        *("--numprocesses", str(workers), "--dist", "loadscope", "--no-loadscope-reorder"),
        "--max-worker-restart=0",
        *("-q", "-rN", "--no-header", "--tb=short", "--color=no", "-p", "no:cacheprovider"),
        *(("-k", keywords) if keywords else ()),
    ]


def _follow(
    command: Sequence[str], files: Files, environment: Mapping[str, str], handle: Callable[[Event], None]
) -> int:
    """Run pytest and pass on its events.

    Returns:
        pytest's exit code.

    Raises:
        VerifyError: A line is not an event.
    """
    files.events.touch()
    with ExitStack() as stack:
        log = stack.enter_context(files.log.open("wb"))
        lines = stack.enter_context(files.events.open(encoding="utf-8"))
        process = stack.enter_context(
            processes.started(
                command,
                cwd=files.paths.root,
                environment=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                patience=_PATIENCE,
            )
        )
        ended = False
        rest = ""
        while not ended:
            ended = process.poll() is not None  # before the last look: nothing is written after the end
            rest = _pass_on(lines, rest, files, handle)
            time.sleep(0 if ended else _INTERVAL)
        return process.returncode


def _pass_on(lines: IO[str], rest: str, files: Files, handle: Callable[[Event], None]) -> str:
    """Pass on the new events; return the beginning of a line that is not complete yet."""
    *complete, rest = (rest + lines.read()).split("\n")
    for line in complete:
        try:
            event = events.parse(line)
        except ValidationError as error:
            raise _could_not_run(files, [f"not an event: {line[:200]}", str(error)]) from None
        handle(event)
    return rest


def _could_not_run(files: Files, reasons: Sequence[str]) -> VerifyError:
    log = files.log.read_text(encoding="utf-8", errors="replace").splitlines()
    return VerifyError(
        "the image tests could not run",
        where=str(files.log),
        fix="see the end of the log",
        details="\n".join([*reasons, *log[-_LOG_LINES:]]),
    )
