"""The login of a job for a registry: its own token for GHCR, or that of the workflow's secrets.

A login is never sent to another registry than the one that it is for.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

#: GitHub's registry, which takes the token of a job.
GHCR = "ghcr.io"
_USERNAME, _PASSWORD = "REGISTRY_USERNAME", "REGISTRY_PASSWORD"


def registry_login(host: str, named: str, environment: Mapping[str, str] | None = None) -> tuple[str, str] | None:
    """Return the user name and the password for a registry; None if the job has none for it.

    Args:
        host: The registry that asks for a login.
        named: The registry that the variable ``REGISTRY`` names; empty if it names none.
        environment: The variables; None is the process's own.
    """
    variables = os.environ if environment is None else environment
    username, password = variables.get(_USERNAME, ""), variables.get(_PASSWORD, "")
    if username and password and host == named:
        return username, password
    actor, token = variables.get("GITHUB_ACTOR", ""), variables.get("GITHUB_TOKEN", "")
    is_job = variables.get("GITHUB_ACTIONS") == "true"
    return (actor, token) if host == GHCR and is_job and actor and token else None
