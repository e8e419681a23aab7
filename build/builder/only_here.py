"""Package indexes and mirrors whose address means this machine itself, such as ``http://127.0.0.1:3141/simple``.

Builds run in containers, where such an address means the container. They get it all the same: a builder may run in this
machine's network, and what is in the build's cache needs no index.

Effects: reads uv's configuration files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from build.packages import uv_configuration, uv_environment
from build.system import apt_mirrors
from build.system.http_failures import host_of, is_only_here, shown

#: The variables that name indexes, pages of links and mirrors, the one that counts first.
_VARIABLES = (*uv_environment.VARIABLES, "UV_FIND_LINKS", "PIP_INDEX_URL", apt_mirrors.VARIABLE)
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


def find(addresses: Iterable[str], environ: Mapping[str, str]) -> tuple[OnlyHere, ...]:
    """Return the addresses that mean this machine, with what names them.

    Args:
        addresses: Those that builds get, possibly with logins.
        environ: The environment variables.
    """
    only_here = filter(is_only_here, dict.fromkeys(addresses))
    return tuple(OnlyHere(address=shown(address), source=_source(address, environ)) for address in only_here)


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
    # 127.0.0.1:80 is not a part of 127.0.0.1:8080.
    host = re.compile(rf"(?<![\w.-]){re.escape(host_of(address))}(?![\w.:-])")
    for name in _VARIABLES:
        if host.search(environ.get(name, "")):
            return name
    file = uv_configuration.file_with(host, environ)
    return str(file) if file else "the configuration of uv or pip"
