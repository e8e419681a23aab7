"""The machine's CA certificates: one order of precedence for builds and for our own HTTPS requests."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

#: Environment variables that name a bundle; the first that names an existing file counts.
VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
#: Where Debian and Ubuntu, Fedora, and Alpine and macOS keep theirs.
SYSTEM_BUNDLES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/cert.pem"),
)


def ca_bundle(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the file of CA certificates to use, or None where the machine has none.

    Args:
        environ: Its ``SSL_CERT_FILE`` comes before its ``REQUESTS_CA_BUNDLE``; then come the system's bundles.
    """
    named = [Path(environ[name]) for name in VARIABLES if environ.get(name)]
    return next((file for file in (*named, *SYSTEM_BUNDLES) if file.is_file()), None)
