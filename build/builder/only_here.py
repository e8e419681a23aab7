"""Package indexes and mirrors whose address means this machine itself, such as ``http://127.0.0.1:3141/simple``.

Builds run in containers, where such an address means the container. They get it all the same: a builder may run in this
machine's network, and what is in the build's cache needs no index.

Effects: reads uv's configuration files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from build.packages import uv_configuration, uv_environment
from build.system.apt_mirrors import VARIABLE as MIRRORS
from build.system.http_failures import host_of, is_only_here, shown

#: The variables that name indexes and pages of links, the one that counts first.
_VARIABLES = (*uv_environment.VARIABLES, "UV_FIND_LINKS", "PIP_INDEX_URL")
#: `hostname -I` prints them. ``host.docker.internal`` is not known in builds.
_FIX = (
    "use an address of this machine that containers reach (hostname -I), unless the builder runs in this machine's "
    "network"
)


@dataclass(frozen=True, kw_only=True)
class OnlyHere:
    """An address that means this machine."""

    #: Without a login.
    address: str
    #: The variable or the file that names it.
    source: str

    def __str__(self) -> str:
        return f"{self.address} ({self.source})"


def find(indexes: Iterable[str], mirrors: Iterable[str], environ: Mapping[str, str]) -> tuple[OnlyHere, ...]:
    """Return the addresses that mean this machine, with what names them.

    Args:
        indexes: The indexes and pages of links that builds get, possibly with logins.
        mirrors: apt's mirrors that builds get.
        environ: The environment variables.
    """
    found = [(index, _source(index, environ)) for index in dict.fromkeys(indexes) if is_only_here(index)]
    found += [(mirror, MIRRORS) for mirror in dict.fromkeys(mirrors) if is_only_here(mirror)]
    return tuple(OnlyHere(address=shown(address), source=source) for address, source in found)


def warning(found: Sequence[OnlyHere]) -> str:
    """Return the warning before a build.

    Args:
        found: At least one.
    """
    named = ", ".join(map(str, found))
    return (
        f"builds do not reach {named}: they run in containers, where that is the container itself, and get only what "
        f"their cache has; {_FIX}"
    )


def fix_of_failure(host: str, found: Iterable[OnlyHere]) -> str | None:
    """Return the fix for a build that did not reach a host, if that means this machine; None for all others.

    Args:
        host: Host and port.
        found: What `find` found.
    """
    sources = dict.fromkeys(each.source for each in found if host_of(each.address) == host)
    if not sources:
        return None
    return f"a build runs in a container, where {host} is the container itself: in {' and '.join(sources)}, {_FIX}"


def _source(address: str, environ: Mapping[str, str]) -> str:
    host = re.escape(host_of(address))
    path = re.escape(urlsplit(shown(address)).path.rstrip("/"))
    # First the whole address: one server may have several indexes. uv may write it in another way: then the host alone.
    # 127.0.0.1:80 is not a part of 127.0.0.1:8080, nor /a of /ab or /a/b.
    for text in (rf"(?<![\w.-]){host}{path}/?(?![\w.:/%-])", rf"(?<![\w.-]){host}(?![\w.:-])"):
        pattern = re.compile(text)
        for name in _VARIABLES:
            if pattern.search(environ.get(name, "")):
                return name
        if file := uv_configuration.file_with(pattern, environ):
            return str(file)
    return "the configuration of uv or pip"
