"""The connections of the HTTP client: which proxy they go through, and which certificates they trust."""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import ssl
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import certifi
import urllib3
from urllib3.util import make_headers

from build.errors import NetworkError
from build.system.certificates import ca_bundle, describe_ca_bundle
from build.system.http_failures import host_of


def proxy_of(url: str) -> str:
    """The proxy that the environment names for an address, an empty text where it is reached directly.

    ``NO_PROXY`` takes hosts, domains (``.example.com``) and networks (``10.0.0.0/8``).

    Args:
        url: The address.
    """
    parts = urlsplit(url)
    proxies = urllib.request.getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
    if not proxy or urllib.request.proxy_bypass(parts.netloc.rpartition("@")[2]):
        return ""
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(parts.hostname or "")
        for entry in proxies.get("no", "").split(","):
            with contextlib.suppress(ValueError):
                if address in ipaddress.ip_network(entry.strip(), strict=False):
                    return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def new_manager(proxy: str, *, tls: bool, ca_file: Path | None = None) -> urllib3.PoolManager:
    """Open a set of connections.

    Args:
        proxy: The proxy's address, an empty text for none.
        tls: Whether one side of it speaks TLS.
        ca_file: The CA certificates to accept; those of this machine if None.

    Raises:
        NetworkError: The file of CA certificates cannot be read.
    """
    # Connections above maxsize are closed after their request, not refused.
    options: dict[str, Any] = {"maxsize": 16, "num_pools": 32}
    if tls:
        options["ssl_context"] = _tls_context(ca_file)
    if not proxy:
        return urllib3.PoolManager(**options)
    parts = urlsplit(proxy)
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
    return urllib3.ProxyManager(
        parts._replace(netloc=host_of(proxy)).geturl(),
        proxy_headers=make_headers(proxy_basic_auth=login) if login else None,
        proxy_ssl_context=options.get("ssl_context"),
        **options,
    )


@functools.cache
def _context_of(path: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=path)


def _tls_context(ca_file: Path | None) -> ssl.SSLContext:
    bundle = ca_file or ca_bundle()
    try:
        return _context_of(str(bundle) if bundle else certifi.where())
    except (ssl.SSLError, OSError) as failure:
        raise NetworkError(
            "the file of CA certificates cannot be read",
            where=describe_ca_bundle(),
            fix="name a file of PEM certificates there, or unset the variable",
            details=str(failure),
        ) from failure
