"""Containers and images that the image tests make: found by their labels, and removed whatever happens."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from build.errors import EngineError
from build.system import processes, run_folder

#: A label of every container that the tests start: the run that started it.
RUN_LABEL = "inference-images.verify"
#: Another: the clone that started it. It finds what a killed run left.
CLONE_LABEL = "inference-images.clone"

_ATTEMPTS = 12
#: Seconds that a command waits for an engine that has to do with an earlier run only.
_PATIENCE = 5.0
#: The variables that tell the docker command which engine to use.
_VARIABLES = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY")


@contextlib.contextmanager
def removed(run: str, environment: Mapping[str, str]) -> Iterator[None]:
    """Remove the containers and images of a run after the body, however it ends; the next command does if it is killed.

    Args:
        run: The value of their label.
        environment: The environment variables of the docker command.

    Raises:
        EngineError: No docker command was found, or no engine answers it.
    """
    engine = {name: environment[name] for name in _VARIABLES if name in environment}
    with run_folder.noted("containers", {"run": run, "engine": engine}):
        interrupted = True
        try:
            yield
            interrupted = False
        finally:
            remove(RUN_LABEL, run, environment, settle=interrupted)


def remove_left(content: Any) -> bool:
    """Remove the containers and images of a run that was killed.

    Args:
        content: Of its note, from `removed`.

    Returns:
        False where the engine does not answer, or not soon: it may do so later.
    """
    others = {name: value for name, value in os.environ.items() if name not in _VARIABLES}
    try:
        remove(RUN_LABEL, content["run"], {**others, **content["engine"]}, timeout=_PATIENCE)
    except (EngineError, subprocess.TimeoutExpired):
        return False
    return True


def remove(
    label: str,
    value: str,
    environment: Mapping[str, str],
    *,
    settle: bool = False,
    timeout: float | None = None,
) -> None:
    """Remove the containers that have a label, their volumes, and the images that have it.

    Args:
        label: The label's key.
        value: Its value.
        environment: The environment variables of the docker command.
        settle: Look again one second after the last was removed: the engine may still be creating a container for a
            command that was killed.
        timeout: Seconds for each command; None waits for the engine.

    Raises:
        EngineError: No docker command was found, or no engine answers it.
        subprocess.TimeoutExpired: A command took longer.
    """
    for attempt in range(_ATTEMPTS):
        ids = _docker(["ps", "--all", "--quiet", "--filter", f"label={label}={value}"], environment, timeout).split()
        if not ids:
            if not settle:
                _remove_images(label, value, environment, timeout)
                return
            settle = False
            time.sleep(1)
            continue
        try:
            _docker(["rm", "--force", "--volumes", *ids], environment, timeout)
        except EngineError as failure:
            # A test that is ending removes its own containers: wait until they are gone.
            details = failure.details or ""
            ending = "already in progress" in details or "No such container" in details
            if not ending or attempt == _ATTEMPTS - 1:
                raise
            time.sleep(0.3)


def _remove_images(label: str, value: str, environment: Mapping[str, str], timeout: float | None) -> None:
    ids = _docker(["image", "ls", "--quiet", "--filter", f"label={label}={value}"], environment, timeout).split()
    if ids:
        _docker(["image", "rm", "--force", *dict.fromkeys(ids)], environment, timeout)


def _docker(arguments: Sequence[str], environment: Mapping[str, str], timeout: float | None) -> str:
    fix = "start an engine: nox -s engine"
    try:
        done = processes.run(["docker", *arguments], environment=environment, timeout=timeout)
    except FileNotFoundError:
        raise EngineError("no docker command was found on PATH", fix=fix) from None
    if done.returncode:
        where = environment.get("DOCKER_HOST", "the docker command's own engine")
        raise EngineError(f"docker {arguments[0]} failed", where=where, fix=fix, details=done.stderr)
    return done.stdout
