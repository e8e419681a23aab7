"""The engine: a Docker engine with BuildKit, found, used, started, explained when it breaks.

The names that other modules use; each is described where it is made.
"""

from build.engine_failures import explain
from build.engine_find import Engine, buildx, check, client, environment, find, free_bytes, require
from build.engine_own import ensure, status, stop

__all__ = [
    "Engine",
    "buildx",
    "check",
    "client",
    "ensure",
    "environment",
    "explain",
    "find",
    "free_bytes",
    "require",
    "status",
    "stop",
]
