"""The words in which `score_scripts` and `dockerfiles` state what users bring and what must happen."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
JSON = {"Content-Type": "application/json"}
#: Any answer will do.
ANYTHING = object()


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request to the server, and what it must answer."""

    #: Sent as JSON; bytes are sent as they are.
    body: Any = None
    method: str = "POST"
    path: str = "/score"
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    #: Sent at once, each on a connection of its own.
    times: int = 1
    status: int = 200
    #: The answer, parsed as JSON.
    answer: Any = ANYTHING
    #: The answer as text or bytes.
    raw: str | bytes | None = None
    #: For answers that are too long to be written here.
    check: Callable[[bytes], bool] | None = None
    #: The answer may be cut, or be an error if nothing was sent yet.
    cut: bool = False

    @property
    def data(self) -> bytes | None:
        """The bytes of the body."""
        if self.method == "GET":
            return None
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True, kw_only=True)
class Score:
    """A scoring script of a user, in a container.

    Whatever the requests do, `GET /` must answer `Healthy` after them, no worker may have been replaced, and SIGTERM
    must end the container with exit code 0.
    """

    #: A file in `scripts/`.
    script: str
    requests: Sequence[Request] = ()
    #: The distributions that the image must have. The smallest such image of the default group is used.
    needs: frozenset[str] = frozenset()
    #: The requirements that the user installs in addition; they come from the package index.
    adds: Sequence[str] = ()
    #: Path below the app root → content.
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    #: Path below the app root → a program in `makers/` that writes the file to its standard output, inside the image.
    made: Mapping[str, str] = field(default_factory=dict)
    #: The script's path in the app root.
    entry: str = "score.py"
    environment: Mapping[str, str] = field(default_factory=dict)
    #: Options of `docker create`.
    options: Sequence[str] = ()
    #: The requests come on one connection: a wrong answer would spoil the next.
    kept_connection: bool = False
    #: Texts that the log must have after the requests.
    log: Sequence[str] = ()
    #: Texts that it must not have.
    not_in_log: Sequence[str] = ()
    #: How often a worker must have started.
    boots: int = 1
    #: The container must end by itself at the start, with this code.
    exit_code: int | None = None
    #: Not only with --thorough.
    in_ci: bool = False

    @property
    def name(self) -> str:
        return self.script.removesuffix(".py")


@dataclass(frozen=True, kw_only=True)
class Derived:
    """A Dockerfile of a user, which begins with one of the images.

    `dockerfiles/context` is its build context. If it can be built, a container of it must answer the requests, be
    healthy, and end with exit code 0 on SIGTERM.
    """

    #: A file in `dockerfiles/`.
    dockerfile: str
    requests: Sequence[Request] = ()
    needs: frozenset[str] = frozenset()
    #: It takes packages from an index or from Debian's archive.
    network: bool = False
    #: The build must fail, with this text in its output.
    build_fails: str = ""
    #: The port of the user's own server, instead of 5001.
    port: int = 5001
    options: Sequence[str] = ()
    log: Sequence[str] = ()
    #: The container's exit code after SIGTERM; it is 137 if it did not end in time and was killed.
    stop_code: int = 0
    #: The seconds that it gets for its end.
    grace: int = 20
    in_ci: bool = False

    @property
    def name(self) -> str:
        return self.dockerfile.removesuffix(".dockerfile")
