"""The target of a resolution: the Python and the glibc that wheels must fit, and the day the index is seen on. Pure."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.version import Version

from build.platforms import LINUX_AMD64, Platform

#: Names that some glibc versions had as a platform before PEP 600: minor version of glibc → name.
_OLD_NAMES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
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
def supported_tags(python: str, glibc: str, platform: Platform = LINUX_AMD64) -> tuple[Tag, ...]:
    """Return the wheel tags that a CPython supports on a platform, best first.

    Args:
        python: Its minor version: ``3.11``.
        glibc: The version of its glibc: ``2.36``.
        platform: The platform.
    """
    version = Version(python).release
    platforms = [*manylinux_platforms(glibc, platform), platform.linux_tag]
    interpreter = f"cp{version[0]}{version[1]}"
    return (*cpython_tags(version, platforms=platforms), *compatible_tags(version, interpreter, platforms))


def manylinux_platforms(glibc: str, platform: Platform = LINUX_AMD64) -> list[str]:
    """Return the manylinux platforms that run with a glibc, newest first, each followed by its name before PEP 600.

    Args:
        glibc: Its version: ``2.36``.
        platform: The platform.
    """
    platforms = []
    for minor in range(glibc_minor(glibc), _OLDEST - 1, -1):
        platforms.append(platform.manylinux(minor))
        if minor in _OLD_NAMES:
            platforms.append(f"{_OLD_NAMES[minor]}_{platform.machine}")
    return platforms


def oldest_glibc(tag: Tag, platform: Platform = LINUX_AMD64) -> int | None:
    """Return the minor version of the glibc that a tag's platform asks for; None if it is not manylinux there."""
    for minor, name in _OLD_NAMES.items():
        if tag.platform == f"{name}_{platform.machine}":
            return minor
    prefix, suffix = "manylinux_2_", f"_{platform.machine}"
    if tag.platform.startswith(prefix) and tag.platform.endswith(suffix):
        return int(tag.platform.removeprefix(prefix).removesuffix(suffix))
    return None
