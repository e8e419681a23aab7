"""Run `docker buildx bake`: the one place where images are built.

One solve over all targets shares every stage that two images have in common.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from build.builder.buildx_log import EXPORT, Failure, Parser, Step, failure
from build.builder.network import VARIABLE, BuildNetwork
from build.engine.buildx import Buildx
from build.paths import Paths
from build.system import processes
from build.system.certificates import ca_bundle

#: No attestation index around each image, and no copy of base and builder (which are only contexts) in the
#: engine's store: buildx would export those as gzip, several seconds of both cores.
_BUILDX = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1", "BUILDX_NO_DEFAULT_LOAD": "1"}

#: buildx makes a build argument of this variable, which would change each step; the outputs have times of their own.
_EPOCH = "SOURCE_DATE_EPOCH"

#: The key of a manifest's digest in the metadata of a build (exporter/containerimage/exptypes in BuildKit's source).
_DIGEST = "containerimage.digest"


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call of bake."""

    targets: Sequence[str]
    #: Target → what the committed bake file leaves open (tags, labels, output).
    overrides: Mapping[str, Any]
    no_cache: bool = False


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of one call of bake."""

    returncode: int
    #: All that buildx printed.
    log: str
    #: Target → seconds from the start of bake to the end of the target's export.
    exported_after: Mapping[str, float]
    #: Seconds of the whole call.
    seconds: float
    #: Target → digest of the manifest that was exported, as buildx reports it; empty if the call failed.
    digests: Mapping[str, str]
    #: Why the call failed; nothing in it if it did not.
    cause: Failure


@dataclass(frozen=True, kw_only=True)
class Baker:
    """buildx with a builder, at the root of a checkout."""

    paths: Paths
    buildx: Buildx
    #: The environment in which buildx uses the builder.
    environment: Mapping[str, str]
    network: BuildNetwork
    #: All output is appended to this file.
    log: Path

    def run(self, request: Request, on_step: Callable[[Step], None]) -> Result:
        """Run bake and follow its output.

        Args:
            request: The targets and their overrides.
            on_step: Called with each step that begins or ends, as it happens.

        Returns:
            The result; no password of the network is in its log.

        Raises:
            KeyboardInterrupt: Ctrl-C; buildx is stopped and waited for.
        """
        command = self._command(request)
        self._metadata.unlink(missing_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("a", encoding="utf-8", buffering=1) as log:  # by lines: people read it while it grows
            log.write(f"$ {' '.join(command)}\n")
            follower = _Follower(
                log=log,
                parser=Parser(only=request.targets[0] if len(request.targets) == 1 else ""),
                on_step=on_step,
                network=self.network,
            )
            environment = {**build_environment(self.environment, self.network), **_BUILDX}
            environment.pop(_EPOCH, None)
            returncode = processes.follow(command, follower.line, cwd=self.paths.root, environment=environment)
        return Result(
            returncode=returncode,
            log="".join(follower.lines),
            exported_after=follower.exported_after,
            seconds=follower.elapsed(),
            digests=self._digests() if returncode == 0 else {},
            cause=follower.cause() if returncode != 0 else Failure(target=None, stage=None, lines=""),
        )

    @property
    def _metadata(self) -> Path:
        return self.paths.state / "bake" / "metadata.json"

    def _digests(self) -> dict[str, str]:
        """Read the digests from the file that buildx writes at the end: target → what its exporter reports."""
        try:
            exported = json.loads(self._metadata.read_text(encoding="utf-8"))
        except FileNotFoundError:  # nothing was exported
            return {}
        return {
            target: about[_DIGEST]
            for target, about in exported.items()
            if isinstance(about, dict) and isinstance(about.get(_DIGEST), str)
        }

    def _command(self, request: Request) -> list[str]:
        """Write the overrides to a bake file and return the command line."""
        overrides = self.paths.state / "bake" / "override.json"
        overrides.parent.mkdir(parents=True, exist_ok=True)
        overrides.write_text(json.dumps({"target": dict(request.overrides)}, indent=2), encoding="utf-8")
        files = (self.paths.bake_file, overrides)
        return [
            *(*self.buildx.command, "bake", "--progress=plain", "--metadata-file", str(self._metadata)),
            *(word for file in files for word in ("--file", str(file))),
            *(["--no-cache"] if request.no_cache else []),
            *request.targets,
        ]


@dataclass(kw_only=True)
class _Follower:
    """Takes the lines of one bake as they come."""

    log: IO[str]
    parser: Parser
    on_step: Callable[[Step], None]
    network: BuildNetwork
    #: Without the passwords of the network.
    lines: list[str] = field(default_factory=list)
    _as_they_came: list[str] = field(default_factory=list)
    exported_after: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    def elapsed(self) -> float:
        return time.monotonic() - self.began

    def cause(self) -> Failure:
        """Say why the bake failed; a password that is a part of a name does not hide the name."""
        found = failure("".join(self._as_they_came))
        return dataclasses.replace(found, lines=self.network.without_passwords(found.lines))

    def line(self, line: str) -> None:
        self._as_they_came.append(line)
        self.lines.append(self.network.without_passwords(line))
        self.log.write(self.lines[-1])
        step = self.parser.feed(line.rstrip("\n"))
        if step is None:
            return
        if step.stage == EXPORT and step.kind == "done" and step.target:
            self.exported_after[step.target] = self.elapsed()
        self.on_step(step)


def build_environment(environment: Mapping[str, str], network: BuildNetwork) -> dict[str, str]:
    """Return the environment of a build: that of buildx, and what becomes build secrets, the CA bundle and the network.

    Args:
        environment: The environment in which buildx uses a builder.
        network: How the build reaches package indexes and archives.
    """
    return {**environment, "CA_BUNDLE": str(ca_bundle() or ""), VARIABLE: network.secret}
