"""TLS, if GUNICORN_CMD_ARGS names a certificate. The context is made once in a worker, not for each connection."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from gunicorn import sock as gunicorn_sock


def context_of(cfg: Any) -> ssl.SSLContext | None:
    """Return the TLS context of gunicorn's configuration; None without TLS.

    Args:
        cfg: gunicorn's configuration.

    Raises:
        OSError: The certificate or the key cannot be read.
    """
    if not cfg.is_ssl:
        return None
    if hasattr(gunicorn_sock, "ssl_context"):
        made: ssl.SSLContext = gunicorn_sock.ssl_context(cfg)
        return made
    # gunicorn 20.1 has the options of ssl.wrap_socket only.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.check_hostname = False
    context.verify_mode = ssl.VerifyMode(cfg.cert_reqs)
    context.load_cert_chain(cfg.certfile, cfg.keyfile)
    if cfg.ca_certs:
        context.load_verify_locations(cfg.ca_certs)
    if cfg.ciphers:
        context.set_ciphers(cfg.ciphers)
    return context


def wrap(sock: socket.socket, context: ssl.SSLContext, cfg: Any) -> ssl.SSLSocket:
    """Return a non-blocking socket that speaks TLS. The handshake is still to be made.

    Args:
        sock: A non-blocking socket.
        context: Made by `context_of`.
        cfg: gunicorn's configuration.
    """
    return context.wrap_socket(
        sock, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=cfg.suppress_ragged_eofs
    )
