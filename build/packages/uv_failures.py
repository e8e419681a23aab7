"""Say why uv, or a request of this program, got nothing from an index.  Pure, but for the proxies of the environment.

uv writes no user and no password of an index or a proxy. The texts are those of uv 0.13;
``tests/unit/packages/test_uv_failures.py`` has them from real runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from build.system.http_connections import proxy_of
from build.system.http_failures import host_of, is_only_here, shown
from build.system.proxies import PROXY_FIX, PROXY_LOGIN_FIX

_FILE = re.compile(r"Failed to download `([^`]+)`")
_HASH = re.compile(r"Hash mismatch for `([^`]+)`")
_DAMAGED = re.compile("Failed to extract archive")
_STATUS = re.compile(r"HTTP status (?:client|server) error \((\d{3}) ([^)]*)\) for url \((\S+?)\)")
_LOGIN = re.compile(r"An index URL \((\S+?)\) could not be queried due to a lack of valid authentication")
_FORBIDDEN = re.compile(r"An index \((\S+?)\) returned a 403")
_SENDING = re.compile(r"error sending request for url \((\S+?)\)")
_CONTENT = re.compile(r"Unsupported `Content-Type` \S+ for `([^`]+)`")
_LACKING = re.compile(
    r"there is no version of ([^\s=]+)==(\S+)"
    r"|([^\s=]+)==(\S+) has no (?:usable )?wheels"
    r"|(\S+) was not found in the package registry"
)
#: uv's words where it searches no index.
_NO_INDEX = "was not found in the provided package locations"
_ADVICE_ON_LOGINS = (
    "write user and password into its address (UV_DEFAULT_INDEX=https://USER:PASSWORD@…; special characters as %40), "
    "or into ~/.netrc"
)


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why uv did not get a package."""

    what: str
    fix: str
    #: Whether an index or a proxy failed or refused; otherwise an index has another file than is asked for, or none.
    is_network: bool = True
    #: The index that was not reached: host and port.
    host: str | None = None


def explain(
    text: str,
    indexes: Sequence[str],
    *,
    locked: bool,
    in_build: bool = False,
    proxy: Callable[[str], str] = proxy_of,
) -> Reason | None:
    """Return why uv did not get a package; None if that is not the reason of its failure.

    Args:
        text: uv's standard error.
        indexes: The indexes that it searched, possibly with user and password.
        locked: Whether it was to install what a lock names, so that an index had it.
        in_build: Whether it ran in a build's container.
        proxy: Gives the proxy for an address, an empty text for none.
    """
    text = " ".join(re.sub(r"[×╰─▶├│]+", " ", text).split())
    sources = ", ".join(map(shown, indexes)) or "the package index"
    if in_build and _NO_INDEX in text:
        return Reason(
            what="builds reach no package index: uv is configured to use none, or only directories of this machine",
            fix="name an index that other machines reach: UV_DEFAULT_INDEX=https://…; locking works as it is",
        )
    return (
        _other_file(text, sources)
        or _of_proxy(text, proxy, in_build=in_build)
        or _refused(text, indexes, proxy)
        or (_lacking(text, sources) if locked else None)
        or _not_reached(text, in_build=in_build)
    )


def _other_file(text: str, sources: str) -> Reason | None:
    package = _first(_HASH, text)
    if package:
        return Reason(
            what=f"the file of {package} from {sources} is not the one in the lock: its SHA-256 differs",
            fix="an index must not change published files: correct the mirror, or use another index; if the lock is "
            "wrong, make it again: nox -s lock",
            is_network=False,
        )
    package = _first(_FILE, text)
    if package and _DAMAGED.search(text):
        return Reason(
            what=f"the file of {package} from {sources} is damaged, or not the one in the lock",
            fix="correct the mirror, or use another index",
            is_network=False,
        )
    return None


def _of_proxy(text: str, proxy: Callable[[str], str], *, in_build: bool) -> Reason | None:
    status = _STATUS.search(text)
    if status and status[1] == "407":
        return _proxy_login(status[3])
    url = _first(_SENDING, text)
    if url is None:
        return None
    host = host_of(url)
    if "proxy authorization required" in text:
        return _proxy_login(url)
    if "tunnel error: unsuccessful" in text:
        return Reason(
            what=f"the proxy refuses to connect to {host}",
            fix=f"have the proxy allow {host}, list it in NO_PROXY if it is reached directly, or name another index in "
            "UV_DEFAULT_INDEX",
        )
    if "tunnel error" in text or proxy(url):
        fix = PROXY_FIX
        if in_build and is_only_here(proxy(url)):
            fix = _in_container(host_of(proxy(url)), "the proxy")
        return Reason(what=f"the proxy for {host} cannot be reached" + (" from the build" if in_build else ""), fix=fix)
    return None


def _proxy_login(url: str) -> Reason:
    return Reason(what=f"the proxy for {host_of(url)} asks for a login, or refuses it", fix=PROXY_LOGIN_FIX)


def _refused(text: str, indexes: Sequence[str], proxy: Callable[[str], str]) -> Reason | None:
    status = _STATUS.search(text)
    code, words, url = status.groups() if status else ("", "", "")
    url = _first(_LOGIN, text) or _first(_FORBIDDEN, text) or url
    if not url:
        return None
    where = shown(url)
    if _LOGIN.search(text) or code == "401":
        has_login = any(host_of(index) == host_of(url) and "@" in urlsplit(index).netloc for index in indexes)
        return _wants_login(where, has_login=has_login)
    if _FORBIDDEN.search(text) or code == "403":
        return _forbidden(where, behind_proxy=bool(proxy(url)))
    if code == "404" and (package := _first(_FILE, text)):
        return Reason(
            what=f"{host_of(url)} lists {package}, but does not have its file {urlsplit(url).path.rpartition('/')[2]}",
            fix="add the file to the mirror, or use another index",
            is_network=False,
        )
    return Reason(what=f"{host_of(url)} answers {code} {words}", fix=f"look at {where}, then run it again")


def of_status(status: int, url: str) -> Reason | None:
    """Return why an index refuses a request for a page; None for a status that says nothing about logins and proxies.

    Args:
        status: The HTTP status.
        url: The index, possibly with user and password.
    """
    match status:
        case 401:
            return _wants_login(shown(url), has_login="@" in urlsplit(url).netloc)
        case 403:
            return _forbidden(shown(url), behind_proxy=bool(proxy_of(url)))
        case 407:
            return _proxy_login(url)
    return None


def _wants_login(where: str, *, has_login: bool) -> Reason:
    if has_login:
        return Reason(what=f"the package index {where} refuses the login", fix=f"correct it: {_ADVICE_ON_LOGINS}")
    return Reason(what=f"the package index {where} asks for a login", fix=_ADVICE_ON_LOGINS)


def _forbidden(where: str, *, behind_proxy: bool) -> Reason:
    also = ", or the proxy in front of it," if behind_proxy else ""
    return Reason(
        what=f"the package index {where}{also} refuses (403 Forbidden)",
        fix="check its address, and what the login may read" + (f"; {PROXY_FIX}" if also else ""),
    )


def _lacking(text: str, sources: str) -> Reason | None:
    found = _LACKING.search(text)
    if found is None:
        return None
    name = found[1] or found[3] or found[5]
    version = found[2] or found[4] or _first(re.compile(rf"you require {re.escape(name)}==([^\s,]+)"), text)
    package = f"{name} {version}" if version else name
    what = f"{sources} has no wheel of {package} for this image" if found[3] else f"{sources} does not have {package}"
    return Reason(what=what, fix="add it to the mirror, or use an index that has it", is_network=False)


def _not_reached(text: str, *, in_build: bool) -> Reason | None:
    if url := _first(_CONTENT, text):
        return Reason(what=f"{shown(url)} is not a page of a package index", fix="check the address of the index")
    url = _first(_SENDING, text)
    if url is None:
        return None
    host = host_of(url)
    if not in_build:
        return Reason(
            what=f"the package index {host} cannot be reached",
            fix="check the network, the proxy's variables and SSL_CERT_FILE, then run it again",
        )
    if is_only_here(url):
        return Reason(
            what=f"the package index {host} cannot be reached from the build",
            fix=_in_container(host, "the index"),
            host=host,
        )
    return Reason(
        what=f"the package index {host} cannot be reached from the build",
        fix="builds use the same index and proxy as this command (UV_DEFAULT_INDEX, HTTPS_PROXY): check that the "
        "engine's machine reaches them",
    )


def _in_container(host: str, server: str) -> str:
    return (
        f"a build runs in a container, where {host} is the container itself: use a name or an address of {server} that "
        "other machines reach"
    )


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    return found[1] if found else None
