"""What reads of a registry and of a folder have in common."""

from __future__ import annotations

from typing import Protocol

from build.registry.manifests import Manifest


class Contents(Protocol):
    """Images in repositories. Repositories are given as the matrix names them."""

    def reference(self, repository: str, tag: str) -> str:
        """Name a tag or a digest, for messages."""

    def tags(self, repository: str) -> list[str]:
        """List the tags of a repository; an empty list if it does not exist."""

    def find_manifest(self, repository: str, reference: str) -> Manifest | None:
        """Read the manifest that a tag or a digest names, or None if it does not exist."""

    def find_blob(self, repository: str, digest: str) -> bytes | None:
        """Read a small blob, or return None if it does not exist."""
