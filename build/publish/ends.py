"""The end of life of published images, attached to them in the form that Azure's tools know.

It is a manifest without a document that refers to the image; an annotation has the date. Azure's vulnerability
scanning treats images that have it as ended (https://github.com/dotnet/docker-tools/issues/1201). Like Microsoft's own
images, which get it from https://github.com/dotnet/docker-tools, these have the date without a time.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping

from build.registry import attachments
from build.registry.client import Client

LIFECYCLE_TYPE = "application/vnd.microsoft.artifact.lifecycle"
END_OF_LIFE = "vnd.microsoft.artifact.lifecycle.end-of-life.date"


def ended(
    images: Iterable[tuple[str, str]], ends: Mapping[str, datetime.date], today: datetime.date
) -> dict[tuple[str, str], datetime.date]:
    """Return the images that have ended, with the days of their ends.

    Args:
        images: Repository and digest of each image.
        ends: Repository → the day (UTC) from which its images get no fixes any more; without those that have no end.
        today: The day (UTC).
    """
    return {(name, digest): ends[name] for name, digest in images if name in ends and ends[name] <= today}


def attach_ends(remote: Client, images: Mapping[tuple[str, str], datetime.date]) -> None:
    """Attach to images the days of their ends, each once; nothing if the registry accepts no attachments.

    Args:
        remote: The registry.
        images: Repository, as the matrix names it, and digest → the day.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    for (repository, digest), end in sorted(images.items()):
        there = attachments.attached(remote, repository, digest, LIFECYCLE_TYPE)
        if any((entry.get("annotations") or {}).get(END_OF_LIFE) == end.isoformat() for entry in there):
            continue
        subject = remote.find_manifest(repository, digest)
        if subject is None:  # an image of the last release that was deleted: publishing warns of it
            continue
        accepted = attachments.attach(
            remote,
            repository,
            subject,
            None,
            media_type=LIFECYCLE_TYPE,
            title="the end of life",
            created=f"{end}T00:00:00Z",  # the same end is always the same manifest
            annotations={END_OF_LIFE: end.isoformat()},
        )
        if not accepted:  # the missing reports are warned of already
            return
