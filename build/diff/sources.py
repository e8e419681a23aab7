"""Where images are read: a registry, or a folder with an OCI image layout.  Reads; changes nothing."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from typing import Protocol

from build.errors import RegistryError
from build.registry import attachments, failures
from build.registry.address import Registry
from build.registry.client import Client
from build.registry.contents import Contents
from build.registry.layout import Layout
from build.registry.manifests import is_digest
from build.registry.places import Location


class Pieces(Protocol):
    """A content that is read piece by piece."""

    def read(self, count: int, /) -> bytes:
        """Read the next bytes, at most ``count``; none at the end."""


class Source(Contents, Protocol):
    """What comparing needs of a registry or a folder. Threads may share it."""

    def attached(self, repository: str, digest: str, media_type: str) -> list[str]:
        """List the digests of what is attached to a manifest and of one type, the newest first."""

    def open_blob(self, repository: str, digest: str) -> AbstractContextManager[Pieces]:
        """Read a large blob piece by piece; whoever reads it compares its digest."""

    def damaged(self, digest: str, details: str) -> RegistryError:
        """The failure that a content is not what its digest says."""


class RegistrySource(Client):
    """A registry."""

    def attached(self, repository: str, digest: str, media_type: str) -> list[str]:
        """List the digests of what is attached to a manifest and of one type, the newest first."""
        found = attachments.attached(self, repository, digest, media_type)
        return [each["digest"] for each in found if is_digest(each["digest"])]

    def damaged(self, digest: str, details: str) -> RegistryError:
        """The failure that a content is not what its digest says."""
        return failures.damaged(self.registry, f"reading {digest}", details)


class FolderSource(Layout):
    """A folder."""

    def attached(self, repository: str, digest: str, media_type: str) -> list[str]:
        """List the digests of what is attached to a manifest and of one type, the newest first."""
        found = (self.find_manifest(repository, each) for each in self.attachments(repository, digest))
        entries = [attachments.entry_of(manifest) for manifest in found if manifest]
        return [str(each["digest"]) for each in attachments.of_type(entries, media_type)]


def open_source(location: Location, stack: contextlib.ExitStack) -> Source:
    """Open a registry or a folder.

    Args:
        location: Which one.
        stack: Closes it.

    Raises:
        UsageError: The folder has no image layout.
    """
    if isinstance(location, Registry):
        return stack.enter_context(RegistrySource(location))
    return FolderSource(location)
