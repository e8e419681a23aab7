"""Say why a bootstrap failed, from the output of mmdebstrap and of the apt that it runs.  Pure."""

from __future__ import annotations

import re
from pathlib import Path

from build.errors import NetworkError, PipelineError
from build.system.apt_mirrors import VARIABLE
from build.system.proxies import PROXY_FIX, PROXY_LOGIN_FIX

_NOT_REACHED = re.compile("Could not resolve|Could not connect|Temporary failure|Unable to connect|Connection failed")
#: apt's words where the files of a mirror do not belong to each other, which is so while the mirror copies new ones
#: (apt's apt-pkg/acquire-item.cc).
_BETWEEN_TWO_STATES = re.compile("Mirror sync in progress|File has unexpected size|Hash Sum mismatch")
#: In apt's errors, or alone in the line below them: other programs use the same words.
_REFUSED = re.compile(
    r"^(?:(?:E:|W:|Err:).*\b| *)(401|403|407) +(?:Unauthorized|Forbidden|Proxy Authentication Required)", re.MULTILINE
)
_URL = re.compile(r"\b(?:https?|file|mirror)://[^\s]+")


def changes_now(text: str) -> bool:
    """Tell whether the mirror was between two states of the archive, so that another attempt may succeed.

    Args:
        text: The output.
    """
    return _BETWEEN_TWO_STATES.search(text) is not None


def mirror(text: str) -> str | None:
    """Return the address of the mirror that apt's errors name: its URL up to ``dists`` or ``pool``.

    Args:
        text: The output.
    """
    for line in text.splitlines():
        if line.startswith(("E:", "Err:")) and (url := _URL.search(line)):
            return re.sub(r"/(?:dists|pool)/.*", "", url[0])
    return None


def refusal(text: str) -> tuple[str, str] | None:
    """Return what happened and its fix if an archive, its mirror or a proxy refuses apt; None if none does.

    Args:
        text: The output of apt.
    """
    refused = _REFUSED.search(text)
    return _refusal(refused[1], mirror(text) or "the archive of packages") if refused else None


def not_reached(text: str) -> str | None:
    """Return the address of the archive or mirror that apt did not reach; None if that is not why it failed.

    Args:
        text: The output of apt.
    """
    return mirror(text) if _NOT_REACHED.search(text) else None


def explain(text: str, base_name: str, log: Path) -> PipelineError:
    """Return the error for a bootstrap that failed.

    Args:
        text: The output.
        base_name: The base.
        log: The file with the output.
    """
    lines = [line for line in text.splitlines() if line.startswith(("E:", "Err:", "W:"))][-6:]
    details = "\n".join(lines) or text[-600:]
    if refused := refusal(text):
        return NetworkError(refused[0], where=str(log), fix=refused[1], details=details)
    if changes_now(text):
        return NetworkError(
            "a mirror of Debian's archive is between two states: its files do not belong to each other",
            where=mirror(text) or str(log),
            fix="run it again in some minutes, when the mirror is complete; if it stays so, use another mirror",
            details=details,
        )
    if _NOT_REACHED.search(text):
        return NetworkError(
            "Debian's archive cannot be reached",
            where=mirror(text),
            fix=f"check the network, {PROXY_FIX.removeprefix('check ')}, then run it again; {VARIABLE} names mirrors",
            details=details,
        )
    if "No space left on device" in text:
        return PipelineError(
            "the disk is full", where=str(log.parent), fix="free some space, then run it again", details=details
        )
    return PipelineError(f"mmdebstrap failed for the base {base_name}", where=str(log), details=details)


def _refusal(status: str, address: str) -> tuple[str, str]:
    """Return what happened and its fix where a server or a proxy refuses.

    Args:
        status: The HTTP status.
        address: The archive's, or its mirror's.
    """
    if status == "401":
        advice = f"write user and password into its address: {VARIABLE}='ARCHIVE=http://USER:PASSWORD@HOST/…'"
        return f"{address} asks for a login, or refuses it", advice
    if status == "403":
        return f"{address}, or the proxy in front of it, refuses (403 Forbidden)", f"check the address; {PROXY_FIX}"
    return f"the proxy for {address} asks for a login, or refuses it", PROXY_LOGIN_FIX
