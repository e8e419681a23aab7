"""The failures of a push, read from the words of the engine or builder that pushes.  Pure, but for the stored login."""

from __future__ import annotations

import re

from build.errors import RegistryError
from build.registry import failures
from build.registry.address import Registry
from build.registry.credentials import credentials
from build.system.retries import RetryPolicy

#: How often a push is repeated; what the registry has by then is not sent again.
POLICY = RetryPolicy(attempts=3, first_wait=2.0, first_wait_when_limited=15.0)

_RATE_LIMIT = ("too many requests", "toomanyrequests", "rate limit")
_SERVER = ("500 internal server error", "bad gateway", "service unavailable", "gateway timeout", "gateway time-out")
_LOST_CONNECTION = ("connection reset by peer", "unexpected eof")
_TEMPORARY = (*_RATE_LIMIT, *_SERVER, *_LOST_CONNECTION)
_TLS = ("x509", "certificate", "http response to https", "tls handshake")
#: Those of a registry that knows who pushes.
_RIGHTS = ("denied", "forbidden")
_LOGIN = ("unauthorized", "no basic auth", "authentication", *_RIGHTS)
_NO_ANSWER = ("connection", "eof", "no such host", "broken pipe", "timeout", "failed to do request")


def shortened(words: str) -> str:
    """The engine's words without the queries of addresses: those of uploads are long, and may be secret."""
    return re.sub(r"\?[^\s\"']+", "?…", words)


def is_rate_limit(words: str) -> bool:
    """Tell whether the registry accepts no more requests for now."""
    return _has(words, _RATE_LIMIT)


def is_temporary(words: str) -> bool:
    """Tell whether the push may succeed a moment later."""
    return _has(words, _TEMPORARY)


def is_of_one_repository(words: str, *, logged_in: bool) -> bool:
    """Tell whether the registry may take pushes to other repositories.

    Args:
        words: As for `explain`.
        logged_in: Whether a login is stored for the registry: without one, it refuses all repositories.
    """
    login = [mark for mark in _LOGIN if mark not in _RIGHTS or not logged_in]
    return not _has(words, (*_TEMPORARY, *_TLS, *login, *_NO_ANSWER))


def explain(name: str, reference: str, registry: Registry, words: str) -> RegistryError:
    """The failure that the words of an engine or a builder mean.

    Args:
        name: The image, as messages name it.
        reference: Where it was pushed to.
        registry: The registry.
        words: Those of the engine or builder, which contain the registry's.
    """
    if is_rate_limit(words):
        logged_in = credentials(registry) is not None
        return failures.rate_limited(registry, f"pushing {name}", logged_in=logged_in, details=words)
    if _has(words, _TLS):
        return failures.tls_failed(registry, words)
    if _has(words, _LOGIN):
        return failures.refused(registry, logged_in=credentials(registry) is not None, details=words)
    if _has(words, _NO_ANSWER) and not _has(words, _SERVER):
        return failures.not_there(registry, words)
    return RegistryError(
        f"the registry {registry.host} did not take {name}",
        where=reference,
        fix="run it again: what was pushed is kept; look at the registry's own log",
        details=words,
    )


def _has(words: str, marks: tuple[str, ...]) -> bool:
    return any(mark in words.lower() for mark in marks)
