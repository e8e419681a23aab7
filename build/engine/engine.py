"""The engine: a Docker engine with BuildKit, found, used, started, explained when it breaks.

The names that other modules use; each is described where it is made.
"""

from build.engine.daemon import ensure, status, stop
from build.engine.failures import explain
from build.engine.find import Engine, buildx, check, client, environment, find, free_bytes, require

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
