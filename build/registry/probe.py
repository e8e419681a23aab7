"""Whether a registry runs, before it is asked anything."""

from __future__ import annotations

import socket

from build.registry.address import Registry


def is_running(registry: Registry) -> bool:
    """Tell whether anything accepts connections where the embedded registry does; another one is taken to run.

    An embedded registry that is stopped counts as empty; one of another machine that does not answer is a failure.
    """
    if not registry.embedded:
        return True
    host, _, port = registry.host.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=2):
            return True
    except OSError:
        return False
