"""The address of the registry: its host, and the namespace in it.  Pure."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from build.errors import UsageError

#: The variable that names another registry than the embedded one: ``host[:port][/namespace]``.
REGISTRY_VARIABLE = "REGISTRY"
#: The variable that moves the embedded registry to another port of 127.0.0.1.
PORT_VARIABLE = "INFERENCE_IMAGES_REGISTRY_PORT"
#: CNCF Distribution's own port.
DEFAULT_PORT = 5000

_GHCR = "ghcr.io/"
_HOST = re.compile(r"^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?$")
_PORT = re.compile(r":([0-9]+)$")
# One component of a repository's name (distribution specification, "Pulling manifests").
_COMPONENT = re.compile(r"^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*$")


@dataclass(frozen=True, kw_only=True)
class Registry:
    """A registry and the namespace in it."""

    #: ``host[:port]``, as references write it.
    host: str
    #: Replaces the matrix's namespace in repositories; None keeps that.
    namespace: str | None = None
    #: Plain HTTP.
    insecure: bool = False
    #: The pipeline's own registry, which ``build.engine.embedded_registry`` runs.
    embedded: bool = False

    def repository(self, variant_repository: str) -> str:
        """Return the repository in this registry: ``azureml/sklearn-…`` → ``acme/sklearn-…``.

        Args:
            variant_repository: The repository in the matrix, ``namespace/name``.
        """
        if self.namespace is None:
            return variant_repository
        return f"{self.namespace}/{variant_repository.split('/', 1)[-1]}"

    def reference(self, variant_repository: str, tag: str) -> str:
        """Return the reference for ``docker pull``: ``127.0.0.1:5000/azureml/sklearn-…:tag``, or ``…@sha256:…``."""
        return f"{self.host}/{self.repository(variant_repository)}{'@' if ':' in tag else ':'}{tag}"

    def __str__(self) -> str:
        return f"{self.host}/{self.namespace}" if self.namespace else self.host


def from_environment(environment: Mapping[str, str] | None = None) -> Registry:
    """Return the registry that ``REGISTRY`` names, or the embedded one on 127.0.0.1.

    Args:
        environment: The variables; None is the process's own.

    Raises:
        UsageError: The value of ``REGISTRY`` or of the port is invalid.
    """
    variables = os.environ if environment is None else environment
    text = variables.get(REGISTRY_VARIABLE, "").strip()
    if text:
        # GHCR's names are lower case, and the names of GitHub's accounts need not be.
        return parse(text.lower() if text.lower().startswith(_GHCR) else text)
    return Registry(host=f"127.0.0.1:{embedded_port(variables)}", insecure=True, embedded=True)


def embedded_port(environment: Mapping[str, str] | None = None) -> int:
    """Return the port of the embedded registry on 127.0.0.1.

    Args:
        environment: The variables; None is the process's own.

    Raises:
        UsageError: The variable is not a port.
    """
    variables = os.environ if environment is None else environment
    text = variables.get(PORT_VARIABLE, "").strip() or str(DEFAULT_PORT)
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise UsageError(
            f"'{text}' is not a port", where=PORT_VARIABLE, fix=f"export {PORT_VARIABLE}=5001, for example"
        )
    return int(text)


def parse(text: str, *, is_argument: bool = False) -> Registry:
    """Read ``[http[s]://]host[:port][/namespace]``. Without a scheme, only this machine speaks plain HTTP.

    Args:
        text: The value of ``REGISTRY``.
        is_argument: It is not that of the variable, but of a command line, for the messages.

    Raises:
        UsageError: It is not of that form.
    """
    _, _, rest = text.rpartition("://")
    host = rest.partition("/")[0]
    where = None if is_argument else f"environment variable {REGISTRY_VARIABLE}"
    if "@" in host:
        raise UsageError(
            f"{'a registry' if is_argument else REGISTRY_VARIABLE} must not hold credentials",
            where=where,
            fix=f"log in once with: docker login {host.rpartition('@')[2]}; then name only the host",
        )
    try:
        return from_text(text)
    except ValueError as failure:
        raise UsageError(
            f"'{text}' is not a registry: {failure}" if is_argument else f"{REGISTRY_VARIABLE}={text}: {failure}",
            where=where,
            fix="write it as host[:port][/namespace], for example "
            + ("ghcr.io/acme" if is_argument else f"{REGISTRY_VARIABLE}=ghcr.io/acme"),
        ) from None


def from_text(text: str) -> Registry:
    """Read an address as `parse` does, wherever it was written.

    Args:
        text: ``[http[s]://]host[:port][/namespace]``.

    Raises:
        ValueError: It is not of that form; the message says why.
    """
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "", text
    host, _, namespace = rest.rstrip("/").partition("/")
    if scheme not in ("", "http", "https"):
        raise ValueError(f"the scheme '{scheme}' is neither http nor https")
    if not _HOST.match(host):
        raise ValueError(f"'{host}' is not a host")
    if (port := _PORT.search(host)) and not 0 < int(port[1]) < 65536:
        raise ValueError(f"'{port[1]}' is not a port")
    if not is_host(host):
        # Docker reads the first part of 'acme/image' as a namespace of Docker Hub.
        raise ValueError(f"'{host}' is a namespace and not a host (Docker Hub's is docker.io/{host})")
    for component in namespace.split("/") if namespace else []:
        if not _COMPONENT.match(component):
            raise ValueError(f"'{component}' cannot be part of a repository's name (lower case, digits, . _ -)")
    insecure = scheme == "http" or (not scheme and _is_this_machine(host))
    return Registry(host=host, namespace=namespace or None, insecure=insecure)


def is_host(first: str) -> bool:
    """Tell whether Docker reads the first part of a reference, before a slash, as a host."""
    return any(mark in first for mark in ".:") or first == "localhost"


def is_repository(text: str) -> bool:
    """Tell whether a text can be the name of a repository."""
    return all(_COMPONENT.fullmatch(component) for component in text.split("/"))


def _is_this_machine(host: str) -> bool:
    """Tell whether Docker speaks plain HTTP with this host by default: localhost and 127.0.0.0/8."""
    name = host[1 : host.index("]")] if host.startswith("[") else host.partition(":")[0]
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
