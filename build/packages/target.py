"""The target of a resolution: the Python and the glibc that wheels must fit, and the day the index is seen on. Pure."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.version import Version

#: Names that some glibc versions had as a platform before PEP 600: minor version of glibc → name.
_OLD_NAMES = {17: "manylinux2014_x86_64", 12: "manylinux2010_x86_64", 5: "manylinux1_x86_64"}
#: The oldest glibc (its minor version) that a manylinux tag names.
_OLDEST = 5


@dataclass(frozen=True, kw_only=True)
class Target:
    """The Python, glibc and day that wheels must fit."""

    #: Python's minor version: ``3.11``.
    python: str
    #: glibc's version: ``2.36``.
    glibc: str
    #: ISO date: the index is seen as of the start of this day (UTC).
    exclude_newer: str


def glibc_minor(glibc: str) -> int:
    """Return the minor version of a glibc: 36 for ``2.36``."""
    return Version(glibc).minor


@functools.cache
def supported_tags(python: str, glibc: str) -> tuple[Tag, ...]:
    """Return the wheel tags that a CPython supports on Linux for x86_64, best first.

    Args:
        python: Its minor version: ``3.11``.
        glibc: The version of its glibc: ``2.36``.
    """
    version = Version(python).release
    platforms = [*manylinux_platforms(glibc), "linux_x86_64"]
    interpreter = f"cp{version[0]}{version[1]}"
    return (*cpython_tags(version, platforms=platforms), *compatible_tags(version, interpreter, platforms))


def manylinux_platforms(glibc: str) -> list[str]:
    """Return the manylinux platforms that run with a glibc, newest first, each followed by its name before PEP 600.

    Args:
        glibc: Its version: ``2.36``.
    """
    platforms = []
    for minor in range(glibc_minor(glibc), _OLDEST - 1, -1):
        platforms.append(f"manylinux_2_{minor}_x86_64")
        if minor in _OLD_NAMES:
            platforms.append(_OLD_NAMES[minor])
    return platforms


def oldest_glibc(tag: Tag) -> int | None:
    """Return the minor version of the glibc that a tag's platform asks for; None if it is not manylinux on x86_64."""
    for minor, name in _OLD_NAMES.items():
        if tag.platform == name:
            return minor
    prefix, suffix = "manylinux_2_", "_x86_64"
    if tag.platform.startswith(prefix) and tag.platform.endswith(suffix):
        return int(tag.platform.removeprefix(prefix).removesuffix(suffix))
    return None
