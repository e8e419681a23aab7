"""How the checks ask servers: once, and with short limits."""

from __future__ import annotations

from build.system.http import HttpClient
from build.system.retries import RetryPolicy

#: Seconds that a server has to accept a connection, and between two packets of its answer.
TIMEOUT = 8.0


def http_client(*, proxies: bool = True) -> HttpClient:
    """Return a client that asks once.

    Args:
        proxies: Whether the environment's proxies are used.
    """
    return HttpClient(timeout=TIMEOUT, policy=RetryPolicy(attempts=1), proxies=proxies)
