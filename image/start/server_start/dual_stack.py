"""The address to listen on: one socket for IPv4 and IPv6, or IPv4 alone where the kernel has no IPv6.

Microsoft's server passes ``0.0.0.0`` to gunicorn on its command line, which no variable of gunicorn overrides: clusters
that have IPv6 only could not reach the container.
"""

from __future__ import annotations

import socket
from typing import Any

ALL_IPV4 = "0.0.0.0"
#: As in a URL. Where IPv6 has been disabled by sysctl, this address serves IPv4 clients all the same.
ALL = "[::]"


def address() -> str:
    """Return the host part of the address to listen on."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
            _accept_ipv4(sock)
            sock.bind(("::", 0))
    except OSError:
        return ALL_IPV4
    return ALL


def install() -> None:
    """Make Microsoft's server listen on `address`. Call this before it runs."""
    from azureml_inference_server_http import amlserver
    from gunicorn import sock as gunicorn_sock

    class DualStackSocket(gunicorn_sock.TCP6Socket):  # type: ignore[misc]  # gunicorn has no types
        def bind(self, sock: Any) -> None:
            _accept_ipv4(sock)
            super().bind(sock)

    amlserver.DEFAULT_HOST = address()  # the health port (SEPERATE_HEALTH_ENDPOINT) has the same host
    gunicorn_sock.TCP6Socket = DualStackSocket


def _accept_ipv4(sock: Any) -> None:
    """Override the default of net.ipv6.bindv6only. IPv4 clients have addresses such as ``::ffff:192.0.2.1``."""
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
