"""Blobs and manifests of any size between registries: nothing is held in memory as a whole."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import urlencode, urlsplit

from build.registry import attachments, failures
from build.registry.client import REFUSALS, Client
from build.registry.failures import from_http
from build.registry.manifests import Manifest
from build.system.http_failures import HttpError

#: Bytes of a piece.
_PIECE = 1024 * 1024
#: Seconds of silence after an upload: a registry may take minutes to store a layer of gigabytes.
_SILENCE = 600.0


class TransferClient(Client):
    """A client that also copies what it does not know. Threads may share it."""

    #: Each repository has blobs of its own.
    shares_blobs = False

    def attachments(self, repository: str, digest: str) -> list[str]:
        """List the digests of the manifests that are attached to a manifest, in the registry's order."""
        return [each["digest"] for each in attachments.all_attached(self, repository, digest)]

    @contextlib.contextmanager
    def pieces(self, repository: str, digest: str) -> Iterator[Iterator[bytes]]:
        """Read a blob piece by piece.

        Raises:
            RegistryError: The registry is not there, refuses, or fails, also while the pieces are read.
        """
        doing = f"reading {repository}@{digest}"
        path = self._path(repository, "blobs", digest)
        with self._connection.stream(path, doing=doing, scopes=[self._scope(repository)]) as stream:

            def read() -> Iterator[bytes]:
                try:
                    while piece := stream.read(_PIECE):
                        yield piece
                except HttpError as failure:
                    broken = from_http(self.registry, failure, doing)
                    broken.may_pass = True
                    raise broken from failure

            yield read()

    def upload(self, repository: str, digest: str, size: int, pieces: Iterable[bytes]) -> None:
        """Upload a blob in one request.

        Args:
            repository: The repository.
            digest: Of the blob.
            size: Its bytes.
            pieces: Its content. What it raises ends the upload, so that the registry keeps nothing.

        Raises:
            RegistryError: The registry is not there, refuses, or fails; ``may_pass`` tells whether another attempt may
                succeed.
        """
        doing = f"uploading to {repository}"
        scopes = [self._scope(repository, "pull,push")]
        opened = self._connection.request(
            "POST", self._path(repository, "blobs", "uploads/"), doing=doing, scopes=scopes
        )
        location = opened.headers.get("Location") or ""
        if not location:
            raise failures.not_a_registry(self.registry, doing, "it opened an upload without naming its location")
        target = f"{location}{'&' if urlsplit(location).query else '?'}{urlencode({'digest': digest})}"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        self._connection.request(
            "PUT", target, doing=doing, scopes=scopes, headers=headers, body=pieces, timeout=_SILENCE
        )

    def put_manifest(self, repository: str, manifest: Manifest) -> None:
        """Upload a manifest under its digest; the repository has everything that it names."""
        self._put_manifest(repository, manifest.digest, manifest, f"uploading {repository}@{manifest.digest}")

    def offer_manifest(self, repository: str, manifest: Manifest) -> str | None:
        """Upload a manifest that is not an image under its digest; the repository has the blobs that it names.

        Returns:
            None if the registry has it now; else the registry's words, on one line: it does not accept such manifests,
            or not this one.
        """
        doing = f"attaching to {repository}"
        response = self._put_manifest(repository, manifest.digest, manifest, doing, accept=REFUSALS)
        return None if response.ok else failures.refusal(response)

    def list_attachments(self, repository: str, digest: str, manifests: Sequence[Manifest]) -> None:
        """List manifests that the repository has as attached to another one; those that are listed stay as they are."""
        attachments.ensure_listed(self, repository, digest, manifests)

    def put_document_tag(self, repository: str, tag: str, manifest: Manifest) -> None:
        """Point a tag to an attachment or a signature; a warning where the registry does not let it be moved."""
        attachments.put_tag(self, repository, tag, manifest)
