"""Find the buildx builder that a user names: the BuildKit of an engine, or one that keeps no images.

Runs ``buildx inspect`` and changes nothing.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from packaging.version import Version

from build.engine.buildx import Buildx, find_buildx
from build.engine.find import DEFAULT_CONTEXT, has_context
from build.engine.model import parse_version
from build.errors import EngineError
from build.platforms import LINUX_AMD64
from build.system import processes

#: The variable with which buildx itself is given a builder (docs.docker.com, "Build variables").
VARIABLE = "BUILDX_BUILDER"
#: The first BuildKit whose outputs take ``source-date-epoch`` (exporter/util/epoch in its source).
MINIMUM_BUILDKIT = Version("0.11")
#: Seconds that ``buildx inspect`` may take: buildx itself waits 20 s for a remote builder.
_TIMEOUT = 60
#: The state of a node (driver/driver.go in the source of buildx) that answers.
_RUNNING = "running"
#: Those of a node that cannot build; buildx starts the nodes of the other drivers when they are needed.
_UNREACHABLE = {"remote": ("inactive", "stopped")}


@dataclass(frozen=True, kw_only=True)
class EngineBuilder:
    """The BuildKit of an engine (driver ``docker``); the images are in the engine's store."""

    #: The Docker context that names the engine; empty: the engine is searched for as usual.
    context: str = ""

    def engine_environment(self, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Return the variables with which ``build.engine.find`` finds the engine.

        Args:
            environ: The variables to start from.
        """
        variables = dict(environ)
        if self.context and self.context != DEFAULT_CONTEXT:
            variables.pop("DOCKER_HOST", None)  # it would come first
        return variables | ({"DOCKER_CONTEXT": self.context} if self.context else {})


@dataclass(frozen=True, kw_only=True)
class Standalone:
    """A builder of any other driver: it has no image store, and pushes what it builds to a registry."""

    name: str
    #: ``docker-container``, ``kubernetes``, ``remote``, …
    driver: str
    buildx: Buildx

    def __str__(self) -> str:
        return f"{self.name} (driver {self.driver})"

    def environment(self, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Return the environment in which buildx uses this builder.

        Args:
            environ: The variables to start from: those for Docker may be what the builder's machine is found with.
        """
        return {**environ, VARIABLE: self.name}

    def check_running(self) -> None:
        """Check after a failure that it still answers: a node that buildx would have to start again does not.

        Raises:
            EngineError: It does not, or it is gone.
        """
        _read(self.buildx, self.name, must_run=True)


Builder = EngineBuilder | Standalone


def engine_of(name: str) -> EngineBuilder:
    """Return the builder of the engine in which images of a builder are tested.

    Args:
        name: The builder's name, or an empty text. Only Docker contexts name engines.

    Raises:
        EngineError: Docker's contexts cannot be read.
    """
    return EngineBuilder(context=name) if name and has_context(name, "the builder's name") else EngineBuilder()


def engine_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables with which ``build.engine.find`` finds the engine of a command without ``--builder``.

    What names an engine comes first: ``DOCKER_HOST``, then ``DOCKER_CONTEXT``. Without them, it is the engine of the
    Docker context whose builder ``BUILDX_BUILDER`` names.

    Args:
        environ: The variables to start from.

    Raises:
        EngineError: Docker's contexts cannot be read.
    """
    return engine_of_environment(environ).engine_environment(environ)


def engine_of_environment(environ: Mapping[str, str] = os.environ) -> EngineBuilder:
    """Return the builder of the engine of a command without ``--builder``, as `engine_environment` finds it.

    Args:
        environ: The variables.

    Raises:
        EngineError: Docker's contexts cannot be read.
    """
    if environ.get("DOCKER_HOST") or environ.get("DOCKER_CONTEXT"):
        return EngineBuilder()
    return engine_of(environ.get(VARIABLE, ""))


def find_builder(name: str) -> Builder:
    """Find a builder by name.

    Args:
        name: A Docker context, ``default``, or what ``docker buildx create`` made. Empty: the usual engine builds.

    Raises:
        EngineError: It does not exist, does not answer, is too old, or is for another platform; or there is no buildx.
    """
    if not name or has_context(name, "the builder's name"):
        return engine_of(name)
    buildx = find_buildx()
    return Standalone(name=name, driver=_read(buildx, name), buildx=buildx)


def _read(buildx: Buildx, name: str, *, must_run: bool = False) -> str:
    """Return the driver of a builder that is not of a Docker context, once it is checked.

    Args:
        buildx: Knows the builder.
        name: The builder's name.
        must_run: As for `checked_driver`.
    """
    try:
        # Without the dashes, a name like --help would be an option.
        done = processes.run([*buildx.command, "inspect", "--", name], timeout=_TIMEOUT)
    except subprocess.TimeoutExpired:
        raise _silent(name, f"no answer in {_TIMEOUT} s") from None
    if done.returncode != 0:
        # Before its error, buildx reports contexts whose engines do not answer.
        words = next((line for line in reversed(done.stderr.splitlines()) if line.startswith("ERROR: ")), done.stderr)
        if f'no builder "{name}" found' in words and f"failed to initialize builder {name} " not in done.stderr:
            raise _missing(buildx, name)
        raise _silent(name, done.stderr.strip())
    driver = checked_driver(name, done.stdout, must_run=must_run)
    if not driver:
        raise _missing(buildx, name)
    return driver


@dataclass(frozen=True, kw_only=True)
class _Node:
    """A machine of a builder, as ``buildx inspect`` describes it."""

    endpoint: str
    #: ``running``, ``inactive``, …; empty if there is an error instead.
    status: str
    #: Why buildx cannot ask the node; empty if it can.
    error: str
    #: Empty where they are not known: the node does not run.
    platforms: frozenset[str]
    #: None where it is not known: the node does not run, or its BuildKit was built from source and has only a commit.
    buildkit: Version | None

    @property
    def may_build(self) -> bool:
        return not self.platforms or LINUX_AMD64.oci in self.platforms

    @property
    def state(self) -> str:
        return self.error or f"{self.endpoint}: {self.status or 'unknown'}"


def checked_driver(name: str, text: str, *, must_run: bool = False) -> str:
    """Return a builder's driver from what ``buildx inspect`` prints, once its nodes are checked.

    Only the nodes that may build these images are checked: those for linux/amd64, and those that do not say for what.

    Args:
        name: The builder's name.
        text: Lines ``Key: value``: the builder, then each of its nodes.
        must_run: Each of these nodes must run. Otherwise one that answers, or that buildx can start, is enough.

    Returns:
        The driver; empty if the text describes no builder.

    Raises:
        EngineError: No node can build: it does not answer, is too old, or is for another platform.
    """
    driver = _value("Driver", text)
    if not driver:
        return ""
    parts = [_node(part) for part in re.split(r"^Name:", text.partition("Driver:")[2], flags=re.MULTILINE)]
    nodes = [part for part in parts if part.endpoint]
    if not nodes:
        raise _silent(name, next((part.error for part in parts if part.error), "it has no nodes"))
    able = [node for node in nodes if node.may_build]
    if not able:
        platforms = sorted(frozenset[str]().union(*(node.platforms for node in nodes)))
        raise EngineError(
            f"the builder {name} builds for {', '.join(platforms)}, but these images are for {LINUX_AMD64.oci}",
            where=", ".join(node.endpoint for node in nodes),
            fix=f"name a builder with a node on {LINUX_AMD64.oci}: docker buildx ls",
        )
    if must_run:
        silent = [node for node in able if node.error or node.status != _RUNNING]
    else:
        silent = [node for node in able if node.error or node.status in _UNREACHABLE.get(driver, ())]
    if silent and (must_run or len(silent) == len(able)):
        raise _silent(name, "\n".join(node.state for node in silent))
    too_old = [node for node in able if node.buildkit is not None and node.buildkit < MINIMUM_BUILDKIT]
    if too_old:
        versions = ", ".join(sorted({str(node.buildkit) for node in too_old}))
        raise EngineError(
            f"the BuildKit of the builder {name} is too old: {versions}; it must be {MINIMUM_BUILDKIT} or newer",
            where=", ".join(node.endpoint for node in too_old),
            fix="upgrade it, or name another builder: docker buildx ls",
        )
    return driver


def _node(text: str) -> _Node:
    version = parse_version(_value("Build[kK]it(?: version)?", text))
    platforms = (platform.strip(" *") for platform in _value("Platforms", text).split(","))
    return _Node(
        endpoint=_value("Endpoint", text),
        status=_value("Status", text),
        error=_value("Error", text),
        platforms=frozenset(filter(None, platforms)),
        buildkit=version if version > Version("0") else None,
    )


def _value(key: str, text: str) -> str:
    """Return the first value of a key; empty if the text does not have the key."""
    found = re.search(rf"^{key}:[ \t]*(\S.*?)[ \t]*$", text, re.MULTILINE | re.IGNORECASE)
    return found[1] if found else ""


def _missing(buildx: Buildx, name: str) -> EngineError:
    listed = processes.run([*buildx.command, "ls"], timeout=_TIMEOUT).stdout.splitlines()[1:]
    # Nodes are indented; the current builder has an asterisk.
    names = [line.split()[0].rstrip("*") for line in listed if line and not line.startswith(" ")]
    return EngineError(
        f"the buildx builder '{name}' does not exist",
        fix="docker buildx ls lists the existing ones"
        + (f": {', '.join(names)}" if names else "")
        + "; docker buildx create makes one",
    )


def _silent(name: str, details: str) -> EngineError:
    return EngineError(
        f"the builder {name} does not answer",
        fix=f"see what `docker buildx inspect --bootstrap {name}` reports and start it again; or build without it",
        details=details,
    )
