"""The machine's CA certificates: one order of precedence for builds and for our own HTTPS requests."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

#: Environment variables that name a file of CA certificates (PEM); the first that names an existing file counts.
#: OpenSSL, uv and pip read the first, requests and pip the second, curl the third.
VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
#: Where Debian and Ubuntu, Fedora, and Alpine and macOS keep theirs.
SYSTEM_BUNDLES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/cert.pem"),
)


def ca_bundle(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the file of CA certificates to use, or None where the machine has none.

    Args:
        environ: Its ``SSL_CERT_FILE`` comes before its ``REQUESTS_CA_BUNDLE`` and its ``CURL_CA_BUNDLE``; then come
            the system's bundles.
    """
    named = [Path(environ[name]) for name in VARIABLES if environ.get(name)]
    return next((file for file in (*named, *SYSTEM_BUNDLES) if file.is_file()), None)


def uv_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment in which uv uses the same file: it reads the first variable alone, and has CAs of its own.

    Args:
        environ: As for `ca_bundle`; the rest of it stays as it is.
    """
    bundle = ca_bundle(environ)
    return {**environ, VARIABLES[0]: str(bundle)} if bundle else dict(environ)


def describe_ca_bundle(environ: Mapping[str, str] = os.environ) -> str:
    """Return the file of CA certificates as messages name it: ``/etc/own.pem (SSL_CERT_FILE)``.

    Variables that name no file follow, since a person who set one expects it to be used.

    Args:
        environ: As for `ca_bundle`.
    """
    named = {name: Path(environ[name]) for name in VARIABLES if environ.get(name)}
    bundle = ca_bundle(environ)
    source = next((name for name, path in named.items() if path == bundle), "the system's")
    text = f"{bundle} ({source})" if bundle else "none"
    missing = [f"{name}={path}" for name, path in named.items() if not path.is_file()]
    return f"{text}; not a file: {', '.join(missing)}" if missing else text
