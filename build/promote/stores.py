"""What promoting needs of its source and its target: a registry and a folder have it in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from build.registry.contents import Contents
from build.registry.manifests import Manifest


class Store(Contents, Protocol):
    """Images in repositories, with everything that they consist of."""

    def has_blob(self, repository: str, digest: str) -> bool:
        """Tell whether a repository has a blob."""


class Source(Store, Protocol):
    """Where a release is read."""

    def attachments(self, repository: str, digest: str) -> list[str]:
        """List the digests of the manifests that are attached to a manifest."""

    def pieces(self, repository: str, digest: str) -> AbstractContextManager[Iterator[bytes]]:
        """Read a blob piece by piece."""


class Target(Store, Protocol):
    """Where a release is written."""

    #: Whether a blob in one repository is in all of them.
    shares_blobs: bool

    def digest(self, repository: str, reference: str) -> str | None:
        """Return the digest that a tag or a digest names, or None if it does not exist."""

    def mount(self, repository: str, digest: str, origin: str) -> bool:
        """Give a repository a blob that another one has; False if that is not possible."""

    def upload(self, repository: str, digest: str, size: int, pieces: Iterable[bytes]) -> None:
        """Write a blob."""

    def put_manifest(self, repository: str, manifest: Manifest) -> None:
        """Write a manifest, all of whose content is there."""

    def offer_manifest(self, repository: str, manifest: Manifest) -> str | None:
        """Write a manifest that the target may refuse, all of whose content is there; returns why it was refused."""

    def list_attachments(self, repository: str, digest: str, manifests: Sequence[Manifest]) -> None:
        """List manifests that are there as attached to another one."""

    def put_document_tag(self, repository: str, tag: str, manifest: Manifest) -> None:
        """Point a tag to an attachment, a signature, or the image of a recipe."""
