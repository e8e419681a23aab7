"""The login that is stored for a registry."""

from __future__ import annotations

import docker.auth
from docker.errors import DockerException

from build.errors import RegistryError
from build.registry.address import Registry


def credentials(registry: Registry) -> dict[str, str] | None:
    """What ``docker login`` stored for the registry, from the configuration file or a credential helper.

    Args:
        registry: The registry.

    Returns:
        The engine's ``AuthConfig`` (username and password, or an identity token), None where there is none.

    Raises:
        RegistryError: The configuration or the credential helper is broken.
    """
    try:
        found = docker.auth.load_config().resolve_authconfig(registry.host)
    except DockerException as error:
        raise RegistryError(
            "the stored logins cannot be read",
            where="docker's config.json",
            fix=f"docker login {registry.host}",
            details=str(error),
        ) from error
    # Credential helpers capitalise the keys, the file does not.
    login = {key.lower(): value for key, value in (found or {}).items() if value}
    return login if "username" in login or "identitytoken" in login else None
