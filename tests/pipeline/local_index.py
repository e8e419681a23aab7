"""A package index on this machine (PEP 691, 658, 700) with tiny real wheels, which uv resolves from."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass, field

from tiny_package import TinyPackage

from tests.unit.http_servers import Answer, Request

_JSON = "application/vnd.pypi.simple.v1+json"


@dataclass(frozen=True, kw_only=True)
class Release:
    """A wheel in the index."""

    package: TinyPackage
    #: ISO date; it was uploaded at noon (UTC).
    uploaded: str
    #: The reason why it was yanked.
    yanked: str | None = None


@dataclass(kw_only=True)
class LocalIndex:
    """The answers of an index."""

    releases: list[Release]
    #: Answers to paths that contain a text, instead of the usual ones.
    instead: dict[str, Answer] = field(default_factory=dict)

    def __call__(self, request: Request) -> Answer:
        """Answer a request for a page, a wheel, or the metadata of a wheel."""
        for part, answer in self.instead.items():
            if part in request.path:
                return answer
        last = request.path.rstrip("/").rpartition("/")[2]
        for release in self.releases:
            if last == release.package.wheel_name:
                return Answer(body=_wheel(release.package))
            if last == f"{release.package.wheel_name}.metadata":
                return Answer(body=release.package.metadata)
        files = [_file(release) for release in self.releases if release.package.name == last.replace("-", "_")]
        if not files:
            return Answer(status=404)
        content = {"meta": {"api-version": "1.1"}, "name": last, "files": files}
        return Answer(body=json.dumps(content).encode(), headers={"Content-Type": _JSON})


@functools.cache
def _wheel(package: TinyPackage) -> bytes:
    """Return a wheel, always the same: a zip archive has the time at which it was made."""
    return package.wheel


def _file(release: Release) -> dict[str, object]:
    package = release.package
    return {
        "filename": package.wheel_name,
        "url": f"/files/{package.wheel_name}",
        "hashes": {"sha256": hashlib.sha256(_wheel(package)).hexdigest()},
        "core-metadata": True,
        "size": len(_wheel(package)),
        "upload-time": f"{release.uploaded}T12:00:00Z",
        "yanked": release.yanked if release.yanked is not None else False,
    }
