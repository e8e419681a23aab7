"""What is left to do for an image: a type for each state.  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from build.errors import PipelineError
from build.publish.publication import Published


@dataclass(frozen=True, kw_only=True)
class Present:
    """The registry has the image, and it can be pulled."""

    name: str
    #: Of its manifest.
    digest: str
    #: The digests by which engines know it: its manifest's, or its configuration's (classic image store).
    ids: frozenset[str]
    #: That of its layers in the registry: ``gzip``, ``zstd``, ``gzip and zstd``; empty if that is not known.
    compression: str = ""
    #: Why something is left to do; empty if nothing is.
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class UpToDate(Present):
    """The last release has the image, and it passed today's tests."""

    word: ClassVar[str] = "up to date"
    published: Published


@dataclass(frozen=True, kw_only=True)
class ToMove(Present):
    """The image passed today's tests, but a tag does not point to it."""

    word: ClassVar[str] = "tag to move"


@dataclass(frozen=True, kw_only=True)
class ToTest(Present):
    """The registry has no report of today's tests."""

    word: ClassVar[str] = "to test"


@dataclass(frozen=True, kw_only=True)
class ToBuild:
    """The registry does not have the image, or not all of it."""

    word: ClassVar[str] = "to build"
    name: str
    reason: str
    #: Bytes of the packages in its lock, as far as the index tells.
    bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class Blocked:
    """The image cannot be made from what is committed, or not on this machine; or it would replace a newer one."""

    word: ClassVar[str] = "blocked"
    name: str
    why: PipelineError

    @property
    def reason(self) -> str:
        return self.why.reason


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """The registry did not answer."""

    word: ClassVar[str] = "unknown"
    name: str
    why: PipelineError

    @property
    def reason(self) -> str:
        return self.why.what


State = UpToDate | ToMove | ToTest | ToBuild | Blocked | Unknown
#: All of them, in the order of summaries.
STATES: tuple[type[State], ...] = (ToBuild, ToTest, ToMove, UpToDate, Blocked, Unknown)
#: Those that mean work for `pipeline`.
WORK = (ToBuild, ToTest, ToMove)
