"""Containers that the image tests start: found by their labels, and removed whatever happens."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from build.errors import EngineError
from build.system import processes

#: A label of every container that the tests start: the run that started it.
RUN_LABEL = "inference-images.verify"
#: Another: the clone that started it. It finds what a killed run left.
CLONE_LABEL = "inference-images.clone"

_ATTEMPTS = 12


def remove(label: str, value: str, environment: Mapping[str, str], *, settle: bool = False) -> None:
    """Remove the containers that have a label, and their volumes.

    Args:
        label: The label's key.
        value: Its value.
        environment: The environment variables of the docker command.
        settle: Look again one second after the last was removed: the engine may still be creating a container for a
            command that was killed.

    Raises:
        EngineError: No docker command was found, or no engine answers it.
    """
    for attempt in range(_ATTEMPTS):
        ids = _docker(["ps", "--all", "--quiet", "--filter", f"label={label}={value}"], environment).split()
        if not ids:
            if not settle:
                return
            settle = False
            time.sleep(1)
            continue
        try:
            _docker(["rm", "--force", "--volumes", *ids], environment)
        except EngineError as failure:
            # A test that is ending removes its own containers: wait until they are gone.
            details = failure.details or ""
            ending = "already in progress" in details or "No such container" in details
            if not ending or attempt == _ATTEMPTS - 1:
                raise
            time.sleep(0.3)


def _docker(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    fix = "start an engine: nox -s engine"
    try:
        done = processes.run(["docker", *arguments], environment=environment)
    except FileNotFoundError:
        raise EngineError("no docker command was found on PATH", fix=fix) from None
    if done.returncode:
        where = environment.get("DOCKER_HOST", "the docker command's own engine")
        raise EngineError(f"docker {arguments[0]} failed", where=where, fix=fix, details=done.stderr)
    return done.stdout
