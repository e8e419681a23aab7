"""The login for a registry: the one that docker stores, else that of ``~/.netrc``, else that of a job at GitHub."""

from __future__ import annotations

import netrc
import os
from dataclasses import dataclass
from pathlib import Path

from build.errors import RegistryError
from build.github.login import registry_login
from build.registry.address import REGISTRY_VARIABLE, Registry, from_environment

#: The user name with which credential helpers mark an identity token.
_TOKEN_USER = "<token>"


@dataclass(frozen=True, kw_only=True)
class PasswordLogin:
    """A user name and a password, or an access token in its place."""

    username: str
    password: str

    def for_engine(self) -> dict[str, str]:
        """The engine's ``AuthConfig`` (Docker Engine API, "Authentication")."""
        return {"username": self.username, "password": self.password}


@dataclass(frozen=True, kw_only=True)
class IdentityToken:
    """A token that the registry's token server exchanges for access tokens; cloud command lines store such logins."""

    token: str

    def for_engine(self) -> dict[str, str]:
        """The engine's ``AuthConfig``."""
        return {"identitytoken": self.token}


Login = PasswordLogin | IdentityToken


def credentials(registry: Registry) -> Login | None:
    """Find the login for a registry.

    ``docker login`` comes first (config.json, its ``credsStore`` and ``credHelpers``), then ``~/.netrc``, then the
    variables of a job.

    Args:
        registry: The registry.

    Returns:
        None where none is found.

    Raises:
        RegistryError: Docker's configuration or a credential helper is broken.
    """
    return _of_docker(registry) or _of_netrc(registry) or _of_job(registry)


def _of_docker(registry: Registry) -> Login | None:
    # Imported here: the commands that need no login do not wait for it.
    import docker.auth
    from docker.errors import DockerException

    try:
        stored = docker.auth.load_config().resolve_authconfig(registry.host)
    except (DockerException, ValueError) as error:
        # docker reads the logins of all hosts at once, and does not say which one is damaged.
        is_damaged = isinstance(error, ValueError)
        raise RegistryError(
            "the stored logins cannot be read",
            where="docker's config.json",
            fix=f"{'remove the damaged login from it; ' if is_damaged else ''}docker login {registry.host}",
            details=str(error),
        ) from error
    # Credential helpers capitalise the keys, the file does not.
    login = {key.lower(): value for key, value in (stored or {}).items() if value}
    username, password = login.get("username", ""), login.get("password", "")
    if token := login.get("identitytoken"):
        return IdentityToken(token=token)
    if username == _TOKEN_USER and password:
        return IdentityToken(token=password)
    return PasswordLogin(username=username, password=password) if username else None


def _of_netrc(registry: Registry) -> Login | None:
    """The login of the file that curl reads too; its ``default`` entry is not meant for registries."""
    file = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
    try:
        hosts = netrc.netrc(file).hosts
    except (OSError, netrc.NetrcParseError):
        return None
    entry = hosts.get(registry.host) or hosts.get(registry.host.partition(":")[0])
    if entry is None:
        return None
    username, _, password = entry
    return PasswordLogin(username=username, password=password) if username and password else None


def _of_job(registry: Registry) -> Login | None:
    named = from_environment().host if os.environ.get(REGISTRY_VARIABLE) else ""
    found = registry_login(registry.host, named)
    return PasswordLogin(username=found[0], password=found[1]) if found else None
