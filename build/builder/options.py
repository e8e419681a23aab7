"""The options of a build.  Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to build."""

    #: The number of images that are built together.
    jobs: int = 8
    no_cache: bool = False
    #: Fail where a base's Debian packages or prefix Python are not those of its lock.
    locked: bool = False
    #: Bootstrap the bases again.
    refresh_bases: bool = False
