"""Requests to GitHub by its command line, ``gh``, which is on its runners and knows the login (``GH_TOKEN``)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from build.errors import NetworkError, UsageError
from build.system import processes


def api(method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """Send a request to GitHub's REST API.

    Args:
        method: ``GET``, ``POST`` or ``PATCH``.
        path: ``repos/owner/name/issues``.
        body: Sent as JSON.

    Returns:
        The answer.

    Raises:
        UsageError: ``gh`` is not on this machine.
        NetworkError: GitHub refused the request, or did not answer.
    """
    command = ["gh", "api", "--method", method, path, *(["--input", "-"] if body is not None else [])]
    try:
        done = processes.run(command, stdin=json.dumps(body) if body is not None else None)
    except OSError as failure:
        raise UsageError("GitHub's command line is not on this machine", where="gh", fix="install gh") from failure
    if done.returncode != 0:
        raise NetworkError(
            f"GitHub refused {method} {path}: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}",
            fix="give the job the permissions that docs/ci.md names, and a token in GH_TOKEN",
            details=done.stdout.strip()[:2000],
        )
    try:
        return json.loads(done.stdout or "null")
    except ValueError as failure:
        raise NetworkError(f"GitHub's answer to {method} {path} is not JSON", details=done.stdout[:2000]) from failure
