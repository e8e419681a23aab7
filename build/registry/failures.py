"""The failures of a registry, with the registry's own words.  Pure."""

from __future__ import annotations

import contextlib
from urllib.parse import urljoin

from build.errors import RegistryError
from build.registry.address import REGISTRY_VARIABLE, Registry
from build.system.http_failures import (
    CertificateError,
    CertificateProblem,
    HttpError,
    NoAnswerError,
    PlainHttpError,
    TimedOutError,
    TlsError,
    shown,
)
from build.system.http_response import Response, status_text
from build.system.retries import is_rate_limit

# OpenSSL's words and the engine's for a server that answers TLS with plain HTTP.
_PLAIN_HTTP = (
    "wrong version number",
    "wrong_version_number",
    "record layer failure",
    "http response to https",
    "does not look like a tls handshake",
)
# The engine's words (Go's crypto/x509) for the other problems of a certificate.
_EXPIRED = "has expired or is not yet valid"
_WRONG_HOST = ("is valid for", "is not valid for any names", "doesn't contain any ip sans")
_UNKNOWN_CA = "signed by unknown authority"


class ImmutableTagError(RegistryError):
    """The tag exists, and the registry does not let it be moved."""


class DamagedContentError(RegistryError):
    """A content is not what its digest says."""


def not_there(registry: Registry, details: str) -> RegistryError:
    """The failure that nothing answers at the registry's address.

    Args:
        registry: The registry.
        details: The library's or the engine's own words.
    """
    fix = f"check the name and the network; {REGISTRY_VARIABLE}=host[:port][/namespace] names another registry"
    if registry.embedded:
        fix = "publish again (it starts the embedded registry), or set REGISTRY=host[:port][/namespace]"
    return RegistryError(
        f"the registry {registry.host} cannot be reached or stopped answering",
        where=registry.host,
        fix=fix,
        details=details,
    )


def refused(registry: Registry, *, logged_in: bool, details: str | None) -> RegistryError:
    """The failure that the registry wants a login, or refuses the stored one.

    Args:
        registry: The registry.
        logged_in: Whether a login is stored for it.
        details: The registry's words.
    """
    if logged_in:
        what = f"the registry {registry.host} refused the stored login, or it may not write to '{registry}'"
    else:
        what = f"the registry {registry.host} asks for a login and none is stored"
    return RegistryError(what, where=str(registry), fix=f"docker login {registry.host}", details=details)


def tls_failed(registry: Registry, details: str, problem: CertificateProblem | None = None) -> RegistryError:
    """The failure that TLS with the registry does not succeed.

    Args:
        registry: The registry.
        details: The library's or the engine's own words.
        problem: What is wrong with the certificate; None: as the words say.
    """
    words = details.lower()
    if problem is None and any(mark in words for mark in _PLAIN_HTTP):
        return RegistryError(
            f"the registry {registry.host} speaks plain HTTP, not TLS",
            where=registry.host,
            fix=f"{REGISTRY_VARIABLE}=http://{registry}, and the host in the engine's insecure-registries",
            details=details,
        )
    what, fix = _certificate(registry, problem or _problem_of(words))
    return RegistryError(
        f"the TLS certificate of the registry {registry.host} {what}", where=registry.host, fix=fix, details=details
    )


def _problem_of(words: str) -> CertificateProblem:
    """What is wrong with a certificate, by the engine's words in lower case."""
    if _EXPIRED in words:
        return "not yet valid" if "is before" in words else "expired"
    if any(mark in words for mark in _WRONG_HOST):
        return "wrong host"
    return "unknown CA" if _UNKNOWN_CA in words else "not valid"


def _certificate(registry: Registry, problem: CertificateProblem) -> tuple[str, str]:
    """What is wrong with a registry's certificate, in words, and its fix."""
    if problem == "expired":
        return "has expired", "renew it on the registry; check this machine's clock"
    if problem == "not yet valid":
        return "is not valid yet", "check this machine's clock, then the certificate"
    if problem == "wrong host":
        return "is for another name", "use the name that the certificate is for"
    if problem == "not valid":
        return "is not accepted", "replace it on the registry; the words below say why"
    reason, certificate = (
        ("it is self-signed", "it")
        if problem == "self-signed"
        else ("it is signed by an unknown CA", "its CA certificate")
    )
    return f"is not trusted: {reason}", (
        f"name a file with {certificate} in SSL_CERT_FILE, and give {certificate} to the engine as "
        f"/etc/docker/certs.d/{registry.host}/ca.crt"
    )


def not_a_registry(registry: Registry, doing: str, details: str) -> RegistryError:
    """The failure that something else answers at the registry's address.

    Args:
        registry: The registry.
        doing: The request, for the message.
        details: What is wrong with the answer.
    """
    return RegistryError(
        f"what answers at {registry.host} is not a registry ({doing})",
        where=registry.host,
        fix=f"{REGISTRY_VARIABLE}=host[:port][/namespace] names another",
        details=details,
    )


def damaged(registry: Registry, doing: str, details: str) -> DamagedContentError:
    """The failure that a content is not what its digest says.

    Args:
        registry: The registry.
        doing: The request, for the message.
        details: What it is.
    """
    return DamagedContentError(
        f"the registry {registry.host} has a damaged content ({doing})",
        where=registry.host,
        fix="look at the registry's own log, and at caches and proxies in front of it",
        details=details,
    )


def rate_limited(registry: Registry, doing: str, *, logged_in: bool, details: str | None) -> RegistryError:
    """The failure that the registry accepts no more requests for now.

    Args:
        registry: The registry.
        doing: The request, for the message.
        logged_in: Whether a login is stored for it.
        details: The registry's words.
    """
    fix = "run it again later; what was pushed is kept"
    if not logged_in:
        fix += f"; docker login {registry.host} often raises the limit"
    what = f"the registry {registry.host} limits the number of requests ({doing})"
    return RegistryError(what, where=registry.host, fix=fix, details=details)


def from_http(registry: Registry, failure: HttpError, doing: str) -> RegistryError:
    """The failure of a request without an answer.

    Args:
        registry: The registry.
        failure: The HTTP client's.
        doing: The request, for the message.
    """
    details = failure.details or failure.what
    if isinstance(failure, PlainHttpError | CertificateError):
        problem = failure.problem if isinstance(failure, CertificateError) else None
        described = tls_failed(registry, details, problem)
        if problem in ("unknown CA", "self-signed"):  # the client's own advice says which file is in use
            described.details = f"{details}\n{failure.fix}"
        return described
    if isinstance(failure, TimedOutError):
        return RegistryError(
            f"the registry {registry.host} did not answer in time ({doing})",
            where=registry.host,
            fix="try again; what was pushed is kept",
            details=details,
        )
    if isinstance(failure, NoAnswerError):
        return not_there(registry, details)
    if isinstance(failure, TlsError):
        return RegistryError(
            f"the registry {registry.host} and this machine do not agree on TLS", where=registry.host, details=details
        )
    return RegistryError(f"{failure.what} ({doing})", where=failure.where, fix=failure.fix, details=details)


def from_response(registry: Registry, response: Response, doing: str, *, logged_in: bool) -> RegistryError:
    """The failure that an answer with an error status is.

    Args:
        registry: The registry.
        response: The answer.
        doing: The request, for the message.
        logged_in: Whether a login is stored for the registry.
    """
    words = words_of(response)
    details = "\n".join(line for line in (words, response.gave_up) if line) or None
    if is_rate_limit(response.status, response.headers, response.content):
        return rate_limited(registry, doing, logged_in=logged_in, details=details)
    if is_immutable(response.status, words):
        return ImmutableTagError(
            f"the registry {registry.host} does not let a tag be moved ({doing})",
            where=str(registry),
            fix="publish again",
            details=details,
        )
    if response.status == 401:
        return refused(registry, logged_in=logged_in, details=details)
    if response.status == 403:
        return RegistryError(
            f"the registry {registry.host} denied the request ({doing})",
            where=str(registry),
            fix="use a login that may do this" if logged_in else f"docker login {registry.host}",
            details=details,
        )
    if response.status == 404 and "NAME_UNKNOWN" in words:
        return RegistryError(
            f"the registry {registry.host} has no such repository ({doing})",
            where=str(registry),
            fix="create the repository in the registry, then run it again",
            details=details,
        )
    if 300 <= response.status < 400:
        target = urljoin(response.url, response.headers.get("Location") or "")
        return RegistryError(
            f"the registry {registry.host} redirects to {shown(target)} ({doing})",
            where=registry.host,
            fix=f"use that registry's own address: {REGISTRY_VARIABLE}=host[:port][/namespace]",
            details=details,
        )
    return RegistryError(
        f"the registry {registry.host} failed: {status_text(response.status)} ({doing})",
        where=registry.host,
        fix="try again; if it fails again, look at the registry's own log",
        details=details,
    )


def is_immutable(status: int, words: str) -> bool:
    """Tell whether an answer to a PUT means that the tag exists and is immutable.

    Harbor answers 412 ("Failed to process request due to … configured as immutable"), Amazon ECR 400 ("… cannot be
    overwritten because the tag is immutable").

    Args:
        status: The HTTP status.
        words: The registry's words.
    """
    return status == 412 or (400 <= status < 500 and ("immutable" in words.lower() or "overwritten" in words.lower()))


def words_of(response: Response) -> str:
    """The registry's own words: the error body of the specification, else the text of the answer.

    Args:
        response: An answer with an error status.

    Returns:
        A line for each error: ``CODE: message (detail)``; an empty text for an HTML page.
    """
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        document = response.json()
        if "errors" in document:
            return "\n".join(_error(entry) for entry in document["errors"])
        # OAuth2 token servers (RFC 6749, 5.2), and those that answer with one sentence.
        names = ("error", "error_description", "details", "message")
        return ": ".join(str(document[name]) for name in names if document.get(name))
    text = response.text.strip()
    return "" if text.startswith("<") else text[:600]


def refusal(response: Response) -> str:
    """Why a registry refused something, on one line: its own words, else the status."""
    return "; ".join(words_of(response).splitlines()) or status_text(response.status)


def _error(entry: dict[str, object]) -> str:
    text = ": ".join(str(entry[name]) for name in ("code", "message") if entry.get(name))
    detail = entry.get("detail")
    return f"{text} ({detail})" if detail else text
