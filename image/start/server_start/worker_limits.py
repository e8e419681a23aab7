"""What a worker may hold at the same time: connections by the open files, bodies by the memory."""

from __future__ import annotations

import os
from typing import Any

from server_start import platform_limits
from server_start.connections import Connections

#: Open files that are left to the user's code: this part of all, and at most so many.
_FILES_OF_THE_SCRIPT = 4
_MOST_FILES_OF_THE_SCRIPT = 256
#: The part of the memory that the bodies of requests may take, of all workers together.
_MEMORY_OF_BODIES = 4
#: The part of the memory that a single body may take: the server copies it once to decode it.
_MEMORY_OF_ONE_BODY = 2
#: Bytes. A body of 100 MB (nginx's limit in the original images) always fits.
_LEAST_MEMORY = 110 * 1024 * 1024


def connections_of_worker(cfg: Any) -> Connections:
    """Return the connections of a new worker, none so far, with the limits that the platform sets.

    Args:
        cfg: gunicorn's configuration.
    """
    files = platform_limits.usable_files()
    reserve = min(files // _FILES_OF_THE_SCRIPT, _MOST_FILES_OF_THE_SCRIPT)
    memory = platform_limits.memory_limit() or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Connections(
        most=min(cfg.worker_connections, files - reserve),
        most_held=max(_LEAST_MEMORY, memory // _MEMORY_OF_BODIES // max(1, cfg.workers)),
        largest=memory // _MEMORY_OF_ONE_BODY,
    )
