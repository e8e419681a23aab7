"""Running `docker buildx bake`: the one place where images are built.

One solve over all targets shares every stage that two images have in common.  Where one fails, the others go
on: the failed ones are left out and the rest is asked for again, which costs nothing for what is done.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from build.paths import Paths

#: No attestation index around each image, and no copy of base and builder (which are only contexts) in the
#: engine's store: buildx would export those as gzip, several seconds of both cores.
_BUILDX = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1", "BUILDX_NO_DEFAULT_LOAD": "1"}


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that a person may want to see: a stage or a target began, ended, or failed."""

    #: ``began``, ``done``, ``cached`` or ``failed``.
    kind: str
    #: The stage (``numpy-2.4.6``) or ``image`` for a target's export.
    stage: str
    target: str
    #: Seconds it took, for ``done``.
    seconds: float | None = None


@dataclass(kw_only=True)
class Parser:
    """Reads buildx's plain progress, line by line.

    buildx 0.13, which Debian 13 has, knows no machine-readable progress (``rawjson`` came later).
    """

    #: The target of lines that name none: buildx leaves it out where there is only one.
    only: str = ""
    _names: dict[str, tuple[str, str]] = field(default_factory=dict)

    def feed(self, line: str) -> Event | None:
        """The event that a line tells, if any."""
        match = re.match(r"^#(\d+) (.*)$", line)
        if not match:
            return None
        vertex, text = match[1], match[2]
        if vertex not in self._names:
            named = _vertex(text)
            if named is None:
                return None
            self._names[vertex] = (named[0] or self.only, named[1])
            return Event(kind="began", stage=named[1], target=named[0] or self.only)
        target, stage = self._names[vertex]
        if done := re.match(r"^DONE (\d+(?:\.\d+)?)s$", text):
            return Event(kind="done", stage=stage, target=target, seconds=float(done[1]))
        if text == "CACHED":
            return Event(kind="cached", stage=stage, target=target)
        if text.startswith("ERROR") or text == "CANCELED":
            return Event(kind="failed", stage=stage, target=target)
        return None


def _vertex(text: str) -> tuple[str, str] | None:
    """Target and stage of a vertex that is worth showing: a RUN of a stage, or an export."""
    if run := re.match(r"^\[(\S+) (\S+) +\d+/\d+\] RUN ", text):
        return run[1], run[2]
    if run := re.match(r"^\[(\S+) +\d+/\d+\] RUN ", text):
        return "", run[1]
    if export := re.match(r"^\[(\S+)\] exporting to (?:docker )?image", text):
        return export[1], "image"
    if text.startswith("exporting to "):
        return "", "image"
    return None


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a bake failed, from its log."""

    #: The target buildx names, or None where it names none (the engine, the bake file).
    target: str | None
    #: The stage whose command failed, if one did: every image with that stage fails like it.
    stage: str | None
    #: The lines that matter.
    lines: str


def failure(log: str) -> Failure:
    """Find in a bake's output what failed.

    Args:
        log: All that buildx printed.
    """
    target = re.search(r"^(?:ERROR: )?target (\S+?): ", log, re.MULTILINE)
    block = re.search(r"^-{6}\n > \[(?:(\S+) )?(\S+) +\d+/\d+\][^\n]*\n(.*?)^-{6}$", log, re.MULTILINE | re.DOTALL)
    final = [line for line in log.splitlines() if line.startswith("ERROR: ")]
    lines = []
    if block:
        # buildx repeats the step's words there, and at times only the last of them: the log has them as they came.
        repeated = [re.sub(r"^\d+\.\d+ ", "", line) for line in block[3].splitlines() if line.strip()]
        lines += max(_said(log), repeated, key=len)[-12:]
    lines += final[-1:] or [line for line in log.splitlines() if line.strip()][-4:]
    return Failure(
        target=target[1] if target else (block[1] if block else None),
        stage=block[2] if block else None,
        lines="\n".join(lines),
    )


def _said(log: str) -> list[str]:
    """What the step that failed first wrote, line by line."""
    failed = re.search(r"^#(\d+) ERROR: process ", log, re.MULTILINE)
    if failed is None:
        return []
    return [line for line in re.findall(rf"^#{failed[1]} \d+\.\d+ (.*)$", log, re.MULTILINE) if line.strip()]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one bake gave."""

    returncode: int
    log: str
    #: Target → seconds from the bake's start to its export's end.
    seconds: Mapping[str, float]
    #: Seconds in all.
    elapsed: float


def run(
    targets: Sequence[str],
    *,
    paths: Paths,
    buildx: Sequence[str],
    environment: Mapping[str, str],
    overrides: Mapping[str, Any],
    log: Path,
    on_event: Callable[[Event], None],
    no_cache: bool = False,
) -> Outcome:
    """Run one bake and follow it.

    Args:
        targets: Bake targets.
        paths: The checkout; bake runs at its root.
        buildx: How buildx is called.
        environment: With ``DOCKER_HOST`` and ``CA_BUNDLE``.
        overrides: Target → what the committed bake file does not say (tags, labels, output).
        log: Where all of its output is appended.
        on_event: Told of each event as it happens.
        no_cache: Build every stage anew.

    Raises:
        KeyboardInterrupt: Ctrl-C; buildx is stopped and waited for.
    """
    override_file = paths.state / "bake" / "override.json"
    override_file.parent.mkdir(parents=True, exist_ok=True)
    override_file.write_text(json.dumps({"target": dict(overrides)}, indent=2), encoding="utf-8")
    command = [
        *(*buildx, "bake", "--progress=plain", "--file", str(paths.bake_file), "--file", str(override_file)),
        *(["--no-cache"] if no_cache else []),
        *targets,
    ]
    parser = Parser(only=targets[0] if len(targets) == 1 else "")
    seconds: dict[str, float] = {}
    lines: list[str] = []
    began = time.monotonic()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8", buffering=1) as output:  # a line at a time: it is read while it grows
        output.write(f"$ {' '.join(command)}\n")
        process = subprocess.Popen(
            command,
            cwd=paths.root,
            env={**os.environ, **environment, **_BUILDX},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C reaches buildx through us, once
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                output.write(line)
                lines.append(line)
                event = parser.feed(line.rstrip("\n"))
                if event is not None:
                    if event.stage == "image" and event.kind == "done" and event.target:
                        seconds[event.target] = time.monotonic() - began
                    on_event(event)
            returncode = process.wait()
        except BaseException:
            _stop(process)
            raise
    return Outcome(returncode=returncode, log="".join(lines), seconds=seconds, elapsed=time.monotonic() - began)


def _stop(process: subprocess.Popen[str]) -> None:
    """Ask buildx to cancel its build, and make sure that it is gone."""
    for number, patience in ((signal.SIGINT, 15.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=patience)
            return
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
