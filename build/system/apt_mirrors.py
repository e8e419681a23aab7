"""Mirrors of Debian's and other archives, which apt uses on this machine instead of the archives themselves.  Pure.

A mirror is a property of the machine: it is in no recipe and in no image. apt checks the archive's signature, so a
mirror gives the same packages.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from build.errors import UsageError

#: The variable that names mirrors: ``ARCHIVE=MIRROR``, separated by spaces.
VARIABLE = "INFERENCE_IMAGES_APT_MIRRORS"

_EXAMPLE = f"{VARIABLE}='http://archive.example/debian=https://mirror.example/debian'"
#: Characters of addresses (RFC 3986) that mean nothing in a shell's word and in the replacement of sed's ``s#…#…#``.
_URL = re.compile(r"^(?:https?|file)://[A-Za-z0-9._~:/\[\]@!$+,;%-]*$")


@dataclass(frozen=True, kw_only=True)
class AptMirror:
    """A mirror of an archive."""

    #: The address of the archive, as apt's sources have it.
    archive: str
    #: The address of the mirror, without a login.
    address: str
    #: User and password.
    login: tuple[str, str] | None


def from_environment(environ: Mapping[str, str] = os.environ) -> tuple[AptMirror, ...]:
    """Return the mirrors that the variable names.

    Args:
        environ: The environment variables.

    Raises:
        UsageError: The value is not of that form.
    """
    return tuple(_mirror(word, number) for number, word in enumerate(environ.get(VARIABLE, "").split(), start=1))


def _mirror(word: str, number: int) -> AptMirror:
    archive, _, mirror = word.partition("=")
    try:
        parts = urlsplit(mirror)
        login = (unquote(parts.username), unquote(parts.password or "")) if parts.username is not None else None
    except ValueError:  # brackets that are not those of an IPv6 address
        archive, login = "", None
    if not (_URL.match(archive) and _URL.match(mirror)) or any(re.search(r"\s|^$", text) for text in login or ()):
        raise UsageError(
            f"entry {number} is not ARCHIVE=MIRROR, two addresses",  # not its text: it may have a password
            where=f"environment variable {VARIABLE}",
            fix=f"for example {_EXAMPLE}; write & # and = in a password as %26 %23 and %3D; "
            "apt takes no empty ones, and no spaces",
        )
    address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return AptMirror(archive=archive.rstrip("/"), address=address.rstrip("/"), login=login)


def sed_script(mirrors: Sequence[AptMirror]) -> str:
    """Return commands of ``sed -E`` that replace the archives by their mirrors in a file of apt's sources.

    ``image/scripts/install-packages`` does the same in a build.
    """
    return "".join(
        rf"s#(^|[[:space:]]){_escaped(each.archive)}(/|[[:space:]]|$)#\1{each.address}\2#g" + "\n" for each in mirrors
    )


def logins(mirrors: Sequence[AptMirror]) -> list[tuple[str, str, str]]:
    """Return address, user and password for each ``machine`` of a file with apt's logins (apt_auth.conf(5)).

    apt takes the first machine whose address begins like that of a file: one that ends in ``/`` is for no other mirror
    on the server. apt of before 2020, as in Ubuntu 18.04, knows machines without a scheme alone; later ones use those
    for https only.
    """
    found = [(f"{each.address}/", *each.login) for each in mirrors if each.login]
    return [
        (machine, user, password)
        for address, user, password in found
        for machine in (address, address.partition("://")[2])
    ]


def auth_conf(mirrors: Sequence[AptMirror]) -> str:
    """Return the logins of mirrors as a file for apt: apt writes the ones in addresses into logs."""
    return "".join(f"machine {address} login {user} password {word}\n" for address, user, word in logins(mirrors))


def _escaped(text: str) -> str:
    return re.sub(r"[][.*+?(){}^$|\\]", r"\\\g<0>", text)
