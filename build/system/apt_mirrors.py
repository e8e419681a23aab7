"""Mirrors of Debian's and other archives, which apt uses on this machine instead of the archives themselves.  Pure.

A mirror is a property of the machine: it is in no recipe and in no image. apt checks the archive's signature, so a
mirror gives the same packages.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from build.errors import UsageError

#: The variable that names mirrors: ``ARCHIVE=MIRROR``, separated by spaces.
VARIABLE = "INFERENCE_IMAGES_APT_MIRRORS"

_EXAMPLE = f"{VARIABLE}='http://archive.example/debian=https://mirror.example/debian'"
#: Only characters of addresses (RFC 3986) that mean nothing in the replacement of sed's command ``s#…#…#``.
_URL = re.compile(r"^(?:https?|file)://[A-Za-z0-9._~:/\[\]@!$+,;%-]*$")


def from_environment(environ: Mapping[str, str] = os.environ) -> tuple[tuple[str, str], ...]:
    """Return the mirrors that the variable names: the address of an archive as apt's sources have it, and its mirror's.

    Args:
        environ: The environment variables.

    Raises:
        UsageError: The value is not of that form.
    """
    pairs: list[tuple[str, str]] = []
    for word in environ.get(VARIABLE, "").split():
        archive, _, mirror = word.partition("=")
        if not (_URL.match(archive) and _URL.match(mirror)):
            raise UsageError(
                f"entry {len(pairs) + 1} is not ARCHIVE=MIRROR, two addresses",  # not its text: it may hold a password
                where=f"environment variable {VARIABLE}",
                fix=f"for example {_EXAMPLE}; write & # and = in a password as %26 %23 and %3D",
            )
        pairs.append((archive.rstrip("/"), mirror.rstrip("/")))
    return tuple(pairs)


def as_text(mirrors: tuple[tuple[str, str], ...]) -> str:
    """Return mirrors as the variable names them."""
    return " ".join(f"{archive}={mirror}" for archive, mirror in mirrors)


def sed_script(mirrors: tuple[tuple[str, str], ...]) -> str:
    """Return commands of ``sed -E`` that replace the archives by their mirrors in a file of apt's sources.

    ``image/scripts/install-packages`` does the same in a build.
    """
    return "".join(
        rf"s#(^|[[:space:]]){_escaped(archive)}(/|[[:space:]]|$)#\1{mirror}\2#g" + "\n" for archive, mirror in mirrors
    )


def _escaped(text: str) -> str:
    return re.sub(r"[][.*+?(){}^$|\\]", r"\\\g<0>", text)
