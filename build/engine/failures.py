"""What to say when the engine breaks in the middle of the work: it is gone, or its disk is full."""

from __future__ import annotations

import errno
import re
import urllib.parse
from pathlib import Path
from typing import Literal

import requests
import urllib3
from docker.errors import DockerException

from build.engine.find import START, Engine, answers, chain, folders, free_bytes
from build.errors import EngineError
from build.system.console import size

#: Texts of Docker's client and of buildx when the engine is gone.  A refused connection alone is not among
#: them: a package index or a registry refuses with the same words.
_GONE = re.compile(
    r"Cannot connect to the Docker daemon"
    r"|error during connect:"
    r"|dial unix \S+: connect: "
    r"|(?:rpc error: code = Unavailable desc =|failed to solve: Unavailable:)"
    r" (?:error reading from server|connection error|\S* ?transport)"
    r"|^ERROR: (?:failed to \w+: )?(?:unexpected )?EOF\s*$"
    r"|http\+docker://",
    re.MULTILINE,
)
#: Exceptions of a connection that was lost; a pipe that nobody reads (`nox -s list | head`) is none.
_LOST = (
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ConnectionError,
    urllib3.exceptions.ProtocolError,
    ConnectionResetError,
    ConnectionRefusedError,
)
_FULL = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)


def classify(text: str) -> Literal["gone", "full"] | None:
    """What a text of Docker's client, buildx or the SDK tells about the engine: it is gone, its disk is full.

    A full disk wins, as it also makes an engine drop its connections.
    """
    if _FULL.search(text):
        return "full"
    return "gone" if _GONE.search(text) else None


def explain(failure: BaseException | str, engine: Engine | None = None) -> EngineError | None:
    """One message for an engine that stopped answering or whose disk is full.

    Args:
        failure: What the SDK raised, or what ``docker`` or ``buildx`` wrote to standard error.
        engine: The engine in use.

    Returns:
        The error to raise, or None where the failure is none of the engine's.
    """
    if isinstance(failure, EngineError):
        return failure
    if isinstance(failure, str):
        kind = classify(failure)
    else:
        if isinstance(failure, OSError) and failure.errno in (errno.ENOSPC, errno.EDQUOT):
            return EngineError("the disk is full", where=str(failure.filename or ""), fix="make room and run it again")
        kind = _classify_exception(failure, engine)
    if kind == "full":
        return _full(engine)
    return _gone(engine) if kind == "gone" else None


def _classify_exception(error: BaseException, engine: Engine | None) -> Literal["gone", "full"] | None:
    for cause in chain(error):
        if classify(str(cause)) == "full":
            return "full"
    lost = False
    for cause in chain(error):
        if type(cause) is DockerException and "Error while fetching server API version" in str(cause):
            return "gone"
        if isinstance(cause, requests.RequestException) and cause.request is not None and cause.request.url:
            # A registry refuses with the same exceptions: the address tells them apart.
            gone = isinstance(cause, requests.ConnectionError) and _is_engine(cause.request.url, engine)
            return "gone" if gone else None
        lost = lost or isinstance(cause, _LOST)
    if lost and engine is not None and not answers(engine.host, engine.tls):
        # A stream that broke off does not say where it came from.
        return "gone"
    return classify(str(error))


def _is_engine(url: str, engine: Engine | None) -> bool:
    if url.startswith("http+docker:"):
        return True
    return engine is not None and urllib.parse.urlsplit(url).netloc == urllib.parse.urlsplit(engine.host).netloc != ""


def _gone(engine: Engine | None) -> EngineError:
    place = f" at {engine.host}" if engine else ""
    if engine is not None and engine.own:
        log = folders().log
        return EngineError(
            f"the engine{place} stopped answering",
            where=f"{engine.source}; its log is {log}",
            fix=f"{START} starts it again; then run this command again (what was built is kept)",
            details=log_tail(log),
        )
    return EngineError(
        f"the engine{place} stopped answering",
        where=engine.source if engine else None,
        fix="start it again, look into its log for why it ended, and run this command again",
    )


def _full(engine: Engine | None) -> EngineError:
    room = free_bytes(engine) if engine else None
    where = None
    if engine:
        where = engine.data_root + (f" ({size(room)} free)" if room is not None else f" on {engine.host}")
    return EngineError(
        "the disk with the engine's data folder is full",
        where=where,
        fix="free room, then run it again: docker buildx prune (build cache), docker image prune -a (unused "
        "images)" + (f", with DOCKER_HOST={engine.host}" if engine and engine.own else ""),
    )


def log_tail(log: Path, *, lines: int = 8) -> str | None:
    """The last lines of a dockerd log that say what went wrong, None where there is none.

    Args:
        log: dockerd's log.
        lines: At most so many.
    """
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return "\n".join(lines_that_matter(text)[-lines:]) or None


def lines_that_matter(text: str) -> list[str]:
    """Of a dockerd log: its errors and what is not a log line at all (a panic, ``failed to start daemon``).

    Where there are none (an engine that was killed): the last three lines.
    """
    found = text.rstrip().splitlines()
    matter = [
        line for line in found if not line.startswith("time=") or re.search(r"\blevel=(error|fatal|panic)\b", line)
    ]
    return matter or found[-3:]
