"""The package indexes, proxies and apt mirrors of this machine, as builds get them: a secret.

A build gets one secret, lines ``NAME=value``; ``image/scripts/install-layer`` and ``install-packages`` read it. A
secret is in no layer, no label, no history and no cache key, so that an image is the same on a machine with a mirror.

Effects: ``of_machine`` asks uv and pip for their indexes, and reads netrc.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from build.builder import only_here
from build.builder.only_here import OnlyHere
from build.packages import uv_configuration
from build.packages.index import configured
from build.packages.index_client import with_netrc_login
from build.system import apt_mirrors, proxies
from build.system.http_failures import is_only_here, shown

#: The environment variable of buildx from which the bake file makes the secret.
VARIABLE = "BUILD_NETWORK"
#: What else uv does in builds as it does here.
_PASSED_ON = ("UV_INDEX_STRATEGY", "UV_INSECURE_HOST", "UV_HTTP_TIMEOUT", "UV_HTTP_RETRIES")
#: The logins of apt's mirrors: address, user and password, separated by spaces.
_APT_LOGINS = "INFERENCE_IMAGES_APT_LOGINS"
_LINKS = "UV_FIND_LINKS"
#: Tells builds that this machine uses indexes, and they reach none of them: uv would take its default one.
_NO_INDEX = "INFERENCE_IMAGES_NO_INDEX"
_HIDDEN = "****"
#: The fewest characters of a secret that is hidden wherever it is: a shorter one may be a part of any word.
_SHORTEST = 6


@dataclass(frozen=True, kw_only=True)
class BuildNetwork:
    """How builds reach package indexes and archives."""

    #: The indexes, possibly with user and password, in the order in which uv searches them.
    indexes: Sequence[str]
    #: The lines of the secret: variable → value.
    variables: Mapping[str, str]
    #: Proxies and mirrors that only this machine reaches, without logins: builds, which run in containers, get none.
    left_out: Sequence[str] = ()
    #: Indexes and mirrors that builds get, and probably do not reach.
    only_here: Sequence[OnlyHere] = ()

    @property
    def secret(self) -> str:
        """The text of the secret."""
        return "".join(f"{name}={value}\n" for name, value in self.variables.items())

    def without_passwords(self, text: str) -> str:
        """Return a text in which no login of an index, a proxy or a mirror is readable.

        Args:
            text: Output of a build: a program in it could print its environment.
        """
        for word, replacement in self._hidden.items():
            text = text.replace(word, replacement)
        return text

    @functools.cached_property
    def _hidden(self) -> Mapping[str, str]:
        """What is not readable → what is there instead, the longest first: one may contain another."""
        words = (
            word
            for name, value in self.variables.items()
            if name != _APT_LOGINS
            for word in (value.split(",") if name == _LINKS else value.split())
        )
        hidden: dict[str, str] = {}
        for login in filter(None, map(_login, words)):
            password = login.partition(":")[2]
            hidden |= _hidden(login, "//", "@") | _hidden(password, ":", "@")
        for password in self.variables.get(_APT_LOGINS, "").split()[2::3]:
            hidden |= _hidden(password, "password ", "\n")
        return dict(sorted(hidden.items(), key=lambda item: len(item[0]), reverse=True))


NO_NETWORK = BuildNetwork(indexes=(), variables={})


def of_machine(environ: Mapping[str, str] = os.environ) -> BuildNetwork:
    """Return how builds reach package indexes and archives: as this machine does, or as ``BUILD_NETWORK`` says.

    Args:
        environ: The environment variables of this process.

    Raises:
        PipelineError: uv's configuration is not valid.
        UsageError: The variable with apt's mirrors is not valid.
    """
    if own := environ.get(VARIABLE):
        return of_secret(own)
    index = configured()
    return of(index.indexes, index.links, {**environ, **uv_configuration.variables(environ)})


def of(indexes: Iterable[str], links: Iterable[object], environ: Mapping[str, str]) -> BuildNetwork:
    """Return how builds reach package indexes and archives, as `of_machine` does.

    Args:
        indexes: uv's indexes in the order of the search, the default one last.
        links: uv's wheel directories, and pages of links to wheels.
        environ: The environment variables.
    """
    # A build does not see directories of this machine.
    reached = [with_netrc_login(index) for index in indexes if _is_remote(index)]
    pages = [with_netrc_login(link) for link in links if isinstance(link, str) and _is_remote(link)]
    variables = {name: environ[name] for name in _PASSED_ON if environ.get(name)}
    found = proxies.in_both_cases(environ)
    left_out = [value for name, value in found.items() if not _is_no_proxy(name) and is_only_here(value)]
    used = {name: value for name, value in found.items() if value not in left_out}
    # Without one of its own, a container may have a proxy by docker's configuration (``proxies`` in config.json).
    variables |= {} if all(map(_is_no_proxy, used)) else used
    if reached:
        variables["UV_DEFAULT_INDEX"] = reached[-1]
    else:
        variables[_NO_INDEX] = "1"
    if reached[:-1]:
        variables["UV_INDEX"] = " ".join(reached[:-1])
    if pages:
        variables[_LINKS] = ",".join(page.replace(",", "%2C") for page in pages)
    all_mirrors = apt_mirrors.from_environment(environ)
    left_out += [each.address for each in all_mirrors if each.address.startswith("file:")]
    mirrors = [each for each in all_mirrors if not each.address.startswith("file:")]
    if mirrors:
        variables[apt_mirrors.VARIABLE] = " ".join(f"{each.archive}={each.address}" for each in mirrors)
        variables[_APT_LOGINS] = " ".join(" ".join(login) for login in apt_mirrors.logins(mirrors))
    return BuildNetwork(
        indexes=tuple(reached),
        variables=variables,
        left_out=tuple(map(shown, dict.fromkeys(left_out))),
        only_here=only_here.find([*reached, *pages], [each.address for each in mirrors], environ),
    )


def of_secret(text: str) -> BuildNetwork:
    """Return how builds reach package indexes and archives by a secret that somebody wrote.

    Args:
        text: Lines ``NAME=value``.
    """
    lines = [line.partition("=") for line in text.splitlines()]
    variables = {name: value for name, separator, value in lines if separator and name.isidentifier()}
    indexes = [*variables.get("UV_INDEX", "").split(), variables.get("UV_DEFAULT_INDEX", "")]
    return BuildNetwork(indexes=tuple(filter(None, indexes)), variables=variables)


def _hidden(secret: str, before: str, after: str) -> dict[str, str]:
    """Return what hides a secret, as it is and decoded: a short one only between what is before and after it."""
    texts = {text for text in (secret, unquote(secret)) if text}
    return {
        **{text: _HIDDEN for text in texts if len(text) >= _SHORTEST},
        **{f"{before}{text}{after}": f"{before}{_HIDDEN}{after}" for text in texts if len(text) < _SHORTEST},
    }


def _is_remote(url: str) -> bool:
    return url.startswith(("http://", "https://"))


def _is_no_proxy(name: str) -> bool:
    return name.lower() == "no_proxy"


def _login(url: str) -> str:
    """Return ``user:password`` of an address, which may lack its scheme; an empty text if it has none."""
    rest = url.partition("://")[2] if "://" in url else url
    return rest.partition("/")[0].rpartition("@")[0]
