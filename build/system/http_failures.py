"""The failures of an HTTP request, each with its reason and its fix."""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
from typing import Literal
from urllib.parse import urlsplit

import urllib3.exceptions

from build.errors import NetworkError
from build.system.certificates import VARIABLES, describe_ca_bundle
from build.system.proxies import PROXY_FIX, PROXY_LOGIN_FIX

#: All up to the last ``@`` of a word: a password that is not escaped may contain ``/`` and ``@``. Behind ``://``
#: anything is a login, without it ``user:password@`` is.
_LOGIN = re.compile(r"(?<=://)[^\s'\"`]*@|[^\s/'\"`@]+:(?!//)[^\s'\"`]*@")
#: Words of Python's http.client about a proxy that refuses a tunnel.
_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")

CertificateProblem = Literal["unknown CA", "self-signed", "expired", "not yet valid", "wrong host", "not valid"]

# X509_V_ERR_* of OpenSSL (openssl/x509_vfy.h); the others are about the certificate itself ("CA md too weak").
_PROBLEMS: dict[int, CertificateProblem] = {
    2: "unknown CA",
    9: "not yet valid",
    10: "expired",
    18: "self-signed",
    19: "unknown CA",
    20: "unknown CA",
    21: "unknown CA",
    62: "wrong host",
    64: "wrong host",
}
# OpenSSL's words where the server answers TLS with plain HTTP.
_PLAIN_HTTP = ("wrong version number", "wrong_version_number", "record layer failure", "http_request", "http request")


class HttpError(NetworkError):
    """A request without a usable answer.

    Args:
        what: The reason, one sentence.
        url: The address that was asked; shown without user, password and query.
        fix: What to do about it.
        details: The library's own words.
        again: Whether another attempt may succeed.
    """

    def __init__(
        self, what: str, *, url: str, fix: str | None = None, details: str | None = None, again: bool = False
    ) -> None:
        super().__init__(what, where=shown(url), fix=fix or "check the network, then try again", details=details)
        self.url = url
        self.again = again


class NoAnswerError(HttpError):
    """The host is unknown, refuses the connection, or closes it."""


class TimedOutError(HttpError):
    """The host did not answer in time."""


class ProxyFailedError(HttpError):
    """The proxy that the environment names is not reached, or refuses."""


class StoppedError(HttpError):
    """The client was closed while a request waited for its next attempt."""


class TlsError(HttpError):
    """The two sides do not agree on TLS."""


class PlainHttpError(TlsError):
    """The server speaks plain HTTP where HTTPS is expected."""


class CertificateError(TlsError):
    """The server's certificate is not accepted; ``problem`` says why."""

    def __init__(self, what: str, *, url: str, problem: CertificateProblem, fix: str, details: str) -> None:
        super().__init__(what, url=url, fix=fix, details=details)
        self.problem = problem


class StatusError(HttpError):
    """An answer with an error status."""

    def __init__(self, what: str, *, url: str, status: int, fix: str | None = None, details: str | None = None) -> None:
        super().__init__(what, url=url, fix=fix, details=details)
        self.status = status


def shown(url: str) -> str:
    """A URL as it may be printed: without user, password and query, which may hold secrets; not what is no URL."""
    try:
        parts = urlsplit(url)
        if "@" in f"{parts.path}{parts.query}{parts.fragment}":  # a login that is not escaped, or without a scheme
            scheme = f"{parts.scheme}://" if "://" in url else ""
            parts = urlsplit(f"{scheme}****@{url.rpartition('@')[2]}")
            return parts._replace(query="", fragment="").geturl()
    except ValueError:
        return "(not an address)"
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def without_logins(text: str) -> str:
    """A text, such as another program's words about an address that is not valid, without users and passwords."""
    return _LOGIN.sub("****@", text)


def host_of(url: str) -> str:
    """The host and port of a URL, as messages name it."""
    return urlsplit(url).netloc.rpartition("@")[2]


def is_only_here(url: str) -> bool:
    """Tell whether an address means this machine itself: in a container, it is the container, or no file at all."""
    if url.startswith("file:"):
        return True
    try:
        host = (urlsplit(url).hostname or "").removesuffix(".")
    except ValueError:  # not an address: whoever uses it says so
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def from_library(failure: Exception, url: str, *, timeout: float) -> HttpError:
    """Turn a failure of urllib3 into ours.

    Args:
        failure: The library's.
        url: The address that was asked.
        timeout: The seconds that were waited for an answer.
    """
    host, words = host_of(url), str(failure)
    causes = _causes(failure)
    if any(isinstance(cause, ssl.SSLError | urllib3.exceptions.SSLError) for cause in causes):
        return _tls(causes, url, words)
    if any(
        isinstance(cause, urllib3.exceptions.ProxyError | urllib3.exceptions.ProxySchemeUnknown) for cause in causes
    ):
        return _proxy(url, words)
    # A timeout of the connection is a ConnectTimeoutError; NewConnectionError is one too, by inheritance.
    if any(
        isinstance(cause, urllib3.exceptions.TimeoutError)
        and not isinstance(cause, urllib3.exceptions.NewConnectionError)
        for cause in causes
    ):
        return TimedOutError(f"{host} did not answer within {timeout:.0f} s", url=url, details=words, again=True)
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            unknown = cause.errno != socket.EAI_AGAIN
            return NoAnswerError(f"the host {host} is not known", url=url, details=words, again=not unknown)
        if isinstance(cause, ConnectionRefusedError):
            return NoAnswerError(f"{host} refuses the connection", url=url, details=words, again=True)
    if any(isinstance(cause, urllib3.exceptions.LocationValueError) for cause in causes):
        return HttpError("this is not a usable address", url=url, fix="check the address", details=words)
    return NoAnswerError(f"the connection to {host} failed", url=url, details=words, again=True)


def _proxy(url: str, words: str) -> ProxyFailedError:
    host = host_of(url)
    refused = _TUNNEL.search(words)
    if refused and refused[1] == "407":
        what, fix = f"the proxy for {host} asks for a login, or refuses it", PROXY_LOGIN_FIX
    elif refused and refused[1].startswith("4"):
        what, fix = f"the proxy refuses to connect to {host}", f"have the proxy allow {host}; {PROXY_FIX}"
    else:
        return ProxyFailedError(
            f"the proxy for {host} cannot be used", url=url, fix=PROXY_FIX, details=words, again=True
        )
    return ProxyFailedError(what, url=url, fix=fix, details=words)


def _tls(causes: list[BaseException], url: str, words: str) -> TlsError:
    host = host_of(url)
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            problem = _PROBLEMS.get(cause.verify_code, "not valid")
            what, fix = _certificate(problem, host, cause.verify_message)
            return CertificateError(what, url=url, problem=problem, fix=fix, details=words)
    if any(mark in words.lower() for mark in _PLAIN_HTTP):
        return PlainHttpError(f"{host} speaks plain HTTP, not TLS", url=url, fix="use http://", details=words)
    return TlsError(f"{host} and this machine do not agree on TLS", url=url, details=words)


def _certificate(problem: CertificateProblem, host: str, words: str) -> tuple[str, str]:
    """What to print about a certificate, and its fix.

    Args:
        problem: What is wrong with it.
        host: The server.
        words: OpenSSL's.
    """
    certificate, in_use = f"the TLS certificate of {host}", f"now in use: {describe_ca_bundle()}"
    if problem == "expired":
        return f"{certificate} has expired", "renew it on the server; check this machine's clock"
    if problem == "not yet valid":
        return f"{certificate} is not valid yet", "check this machine's clock, then the certificate"
    if problem == "wrong host":
        return f"{certificate} is for another name", "use the name that the certificate is for"
    if problem == "not valid":
        return f"{certificate} is not accepted: {words}", "replace it on the server"
    if problem == "self-signed":
        fix = f"if it is the right server, add the certificate to a file and name the file in {VARIABLES[0]}; {in_use}"
        return f"{certificate} is self-signed", fix
    fix = f"add its CA certificate to a file and name the file in {VARIABLES[0]}; {in_use}"
    return f"{certificate} is signed by an unknown CA", fix


def _causes(failure: BaseException) -> list[BaseException]:
    """A failure and everything that it wraps."""
    causes: list[BaseException] = []
    pending: list[object] = [failure]
    while pending:
        current = pending.pop(0)
        if isinstance(current, BaseException) and current not in causes:
            causes.append(current)
            pending += [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]
            pending.append(getattr(current, "original_error", None))
    return causes
