"""The failures of a registry, and what a person is told."""

from __future__ import annotations

from build.errors import RegistryError
from build.registry.address import REGISTRY_VARIABLE, Registry


def not_there(registry: Registry, details: str) -> RegistryError:
    """The failure: nothing answers at the registry's address.

    Args:
        registry: The registry.
        details: What the library or the engine said.
    """
    fix = f"check the name and the network; {REGISTRY_VARIABLE}=host[:port][/namespace] names another registry"
    if registry.embedded:
        fix = "publish again (it starts the embedded registry), or set REGISTRY=host[:port][/namespace]"
    return RegistryError(
        f"the registry {registry.host} is not there or stopped answering",
        where=registry.host,
        fix=fix,
        details=details,
    )


def refused(registry: Registry, *, logged_in: bool, details: str | None) -> RegistryError:
    """The failure: the registry asks for a login, or does not take the stored one.

    Args:
        registry: The registry.
        logged_in: Whether ``docker login`` stored something for it.
        details: The registry's words.
    """
    if logged_in:
        what = f"the registry {registry.host} refused the stored login, or it may not write to '{registry}'"
    else:
        what = f"the registry {registry.host} asks for a login and none is stored"
    return RegistryError(what, where=str(registry), fix=f"docker login {registry.host}", details=details)


def tls_failed(registry: Registry, details: str) -> RegistryError:
    """The failure: the registry's certificate is not trusted, or it does not speak TLS at all.

    Args:
        registry: The registry.
        details: What the library or the engine said.
    """
    # OpenSSL's words and the engine's for a server that answers TLS with plain HTTP.
    plain = ("wrong version number", "wrong_version_number", "record layer failure", "http response to https")
    if any(mark in details.lower() for mark in plain):
        return RegistryError(
            f"the registry {registry.host} speaks plain HTTP, not TLS",
            where=registry.host,
            fix=f"{REGISTRY_VARIABLE}=http://{registry}, and the host in the engine's insecure-registries",
            details=details,
        )
    return RegistryError(
        f"the TLS certificate of the registry {registry.host} is not trusted",
        where=registry.host,
        fix="name the CA bundle in SSL_CERT_FILE, and give its certificate to the engine as "
        f"/etc/docker/certs.d/{registry.host}/ca.crt",
        details=details,
    )
