"""Explain failures of the engine in the middle of the work: it stopped answering, or its disk is full."""

from __future__ import annotations

import contextlib
import errno
import re
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import requests
import urllib3
from docker.errors import DockerException

from build.engine.find import answers, causes
from build.engine.model import START, Engine, folders, free_bytes
from build.errors import EngineError, PipelineError
from build.system.console import size

#: Messages of Docker's client and of buildx when the engine is gone.  A refused connection alone does not count:
#: a package index or a registry refuses with the same words.
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
#: Exceptions of a lost connection.  A pipe that nobody reads (`nox -s list | head`) does not count.
_LOST = (
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ConnectionError,
    urllib3.exceptions.ProtocolError,
    ConnectionResetError,
    ConnectionRefusedError,
)
_FULL = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)


def classify(text: str) -> Literal["gone", "full"] | None:
    """Tell from a message of Docker's client, buildx or the SDK whether the engine is gone or its disk is full.

    A full disk comes first, since it also makes an engine drop its connections.
    """
    if _FULL.search(text):
        return "full"
    return "gone" if _GONE.search(text) else None


def explain(
    failure: BaseException | str, engine: Engine | None = None, *, has_another_cause: bool = False
) -> EngineError | None:
    """Return the error to raise for an engine that stopped answering or whose disk is full.

    An engine that answers has not stopped, whatever the message: it also breaks off the other connections of a build
    in which a step fails, for example the one that still sends a build context.

    Args:
        failure: The SDK's exception, or what ``docker`` or ``buildx`` wrote to standard error.
        engine: The engine in use; it is asked whether it answers. None: the message alone decides.
        has_another_cause: The message also names a cause that explains a broken connection to an engine that answers.

    Returns:
        None where the failure has another cause.
    """
    if isinstance(failure, EngineError):
        return failure
    if isinstance(failure, str):
        kind = classify(failure)
    else:
        if isinstance(failure, OSError) and failure.errno in (errno.ENOSPC, errno.EDQUOT):
            return EngineError(
                "the disk is full",
                where=str(failure.filename or ""),
                fix="free some space, then run this command again",
            )
        kind = _classify_exception(failure, engine)
    if kind == "full":
        return _full(engine)
    if kind is None:
        return None
    if engine is None or not answers(engine.host, engine.tls):
        return _gone(engine)
    return None if has_another_cause or ends_otherwise(failure) else _broke_off(engine)


@contextlib.contextmanager
def explaining(engine: Engine) -> Iterator[None]:
    """Replace an exception of the body by its explanation, where the engine is the cause.

    Raises:
        EngineError: The engine stopped answering, or its disk is full.
    """
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:
        explanation = explain(error, engine)
        if explanation is None:
            raise
        raise explanation from error


def ends_otherwise(failure: BaseException | str) -> bool:
    """Tell whether the last error in a program's output, the one that ended it, is not that of the connection."""
    errors = re.findall(r"^ERROR: .*$", failure, re.MULTILINE) if isinstance(failure, str) else []
    return bool(errors) and classify(errors[-1]) is None


def _classify_exception(error: BaseException, engine: Engine | None) -> Literal["gone", "full"] | None:
    for cause in causes(error):
        if classify(str(cause)) == "full":
            return "full"
    lost = False
    for cause in causes(error):
        if type(cause) is DockerException and "Error while fetching server API version" in str(cause):
            return "gone"
        if isinstance(cause, requests.RequestException) and cause.request is not None and cause.request.url:
            # A registry refuses with the same exceptions; the address tells them apart.
            gone = isinstance(cause, requests.ConnectionError) and _is_engine(cause.request.url, engine)
            return "gone" if gone else None
        lost = lost or isinstance(cause, _LOST)
    if lost and engine is not None and not answers(engine.host, engine.tls):
        # A broken stream does not name its address.
        return "gone"
    return classify(str(error))


def _is_engine(url: str, engine: Engine | None) -> bool:
    if url.startswith("http+docker:"):
        return True
    return engine is not None and urllib.parse.urlsplit(url).netloc == urllib.parse.urlsplit(engine.host).netloc != ""


def _gone(engine: Engine | None) -> EngineError:
    address = f" at {engine.host}" if engine else ""
    if engine is not None and engine.own:
        log = folders().log
        return EngineError(
            f"the engine{address} stopped answering",
            where=f"{engine.source}; its log is {log}",
            fix=f"{START} starts it again; then run this command again (what was built is kept)",
            details=log_tail(log),
        )
    return EngineError(
        f"the engine{address} stopped answering",
        where=engine.source if engine else None,
        fix="start it again (its log has the reason), then run this command again",
    )


def _broke_off(engine: Engine) -> EngineError:
    """Return the error for a lost connection to an engine that answers again: it was restarted, or under heavy load."""
    return EngineError(
        f"the connection to the engine at {engine.host} broke, and the engine answers again",
        where=f"{engine.source}; its log is {folders().log}" if engine.own else engine.source,
        fix="run this command again (what was built is kept); the engine's log may have the reason",
        details=log_tail(folders().log) if engine.own else None,
    )


def _full(engine: Engine | None) -> EngineError:
    where = None
    if engine:
        free = free_bytes(engine)
        where = engine.data_root + (f" ({size(free)} free)" if free is not None else f" on {engine.host}")
    return EngineError(
        "the disk with the engine's data folder is full",
        where=where,
        fix="free some space, then run this command again: docker buildx prune (build cache), "
        "docker image prune -a (unused images)"
        + (f", with DOCKER_HOST={engine.host}" if engine and engine.own else ""),
    )


def log_tail(log: Path, *, lines: int = 8) -> str | None:
    """Return the last lines of a dockerd log that say what went wrong, or None where the log is missing or empty.

    Args:
        log: dockerd's log.
        lines: The largest number of lines.
    """
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return "\n".join(error_lines(text)[-lines:]) or None


def error_lines(text: str) -> list[str]:
    """Return the errors of a dockerd log, and what is not a log line at all (a panic, ``failed to start daemon``).

    Where the log has none (the engine was killed), return its last three lines.
    """
    everything = text.rstrip().splitlines()
    errors = [
        line for line in everything if not line.startswith("time=") or re.search(r"\blevel=(error|fatal|panic)\b", line)
    ]
    return errors or everything[-3:]
