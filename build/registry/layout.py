"""A folder with an OCI image layout, as the source of a release: for sites without a network between them."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from build.errors import PipelineError, UsageError
from build.registry import layout_index
from build.registry.failures import DamagedContentError
from build.registry.layout_index import Descriptor, name_of
from build.registry.manifests import INDEX, MANIFEST, Manifest, digest_of, is_digest, subject_of
from build.registry.places import Folder

#: The file that makes a folder a layout, and its content.
MARK = "oci-layout"
VERSION = {"imageLayoutVersion": "1.0.0"}
INDEX_FILE = "index.json"
_PIECE = 1024 * 1024


class Layout:
    """Reads a layout. Threads may share it.

    Repositories are given as the matrix names them, and so the names in the index have them.

    Args:
        folder: The folder.

    Raises:
        UsageError: It is not a layout.
        PipelineError: It cannot be read.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._path = folder.path
        self._entries = self._read_index()

    def _read_index(self) -> list[Descriptor]:
        """Read the list of manifests; an interrupted run may have left a layout without one."""
        mark = self._content(self._path / MARK)
        index = self._content(self._path / INDEX_FILE)
        if mark is None:
            raise UsageError(
                f"the folder {self._path} {'has no OCI image layout' if self._path.exists() else 'does not exist'}",
                where=str(self._path),
                fix="write one with: nox -s promote -- latest oci:PATH",
            )
        try:
            if (version := json.loads(mark)["imageLayoutVersion"]) != VERSION["imageLayoutVersion"]:
                raise ValueError(f"its version is {version}")
            return [] if index is None else layout_index.read(index)
        except (ValueError, TypeError, LookupError) as failure:
            raise UsageError(
                f"the folder {self._path} has no OCI image layout that can be read: {failure}",
                where=str(self._path),
                fix="name a folder that `nox -s promote` has written",
            ) from failure

    def reference(self, repository: str, tag: str) -> str:
        """Name a tag or a digest, for messages and for ``skopeo``."""
        return self._folder.reference(repository, tag)

    def tags(self, repository: str) -> list[str]:
        """List the tags of a repository."""
        split = (name.rpartition(":") for name in layout_index.names(self._entries))
        return [tag for found, _, tag in split if found == repository]

    def digest(self, repository: str, reference: str) -> str | None:
        """Return the digest that a tag or a digest names, or None if it does not exist."""
        if is_digest(reference):
            return reference if self._blob(reference).is_file() else None
        entry = layout_index.names(self._entries).get(name_of(repository, reference))
        return str(entry["digest"]) if entry else None

    def find_manifest(self, repository: str, reference: str) -> Manifest | None:
        """Read the manifest that a tag or a digest names, or None if it does not exist."""
        digest = self.digest(repository, reference)
        content = self.find_blob(repository, digest) if digest else None
        if digest is None or content is None:
            return None
        manifest = Manifest(digest=digest, media_type="", content=content)
        try:
            document = manifest.document
        except ValueError as failure:
            raise self.damaged(digest, f"not a manifest: {failure}") from failure
        named = (entry.get("mediaType") for entry in self._entries if entry["digest"] == digest)
        media_type = document.get("mediaType") or next(named, None) or (INDEX if "manifests" in document else MANIFEST)
        return Manifest(digest=digest, media_type=str(media_type), content=content)

    def find_blob(self, repository: str, digest: str) -> bytes | None:
        """Read a small blob, or return None if it does not exist."""
        content = self._content(self._blob(digest))
        if content is None:
            return None
        if (actual := digest_of(content)) != digest:
            raise self.damaged(digest, f"the content has the digest {actual}")
        return content

    def has_blob(self, repository: str, digest: str) -> bool:
        """Tell whether the folder has a blob."""
        return self._blob(digest).is_file()

    def attachments(self, repository: str, digest: str) -> list[str]:
        """List the digests of the manifests that are attached to a manifest."""
        return self._attached.get(digest, [])

    @functools.cached_property
    def _attached(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for digest in dict.fromkeys(str(entry["digest"]) for entry in self._entries):
            manifest = self.find_manifest("", digest)
            if manifest and (subject := subject_of(manifest)):
                found.setdefault(subject, []).append(manifest.digest)
        return found

    @contextlib.contextmanager
    def pieces(self, repository: str, digest: str) -> Iterator[Iterator[bytes]]:
        """Read a blob piece by piece."""
        with self.open_blob(repository, digest) as file:
            yield iter(functools.partial(file.read, _PIECE), b"")

    @contextlib.contextmanager
    def open_blob(self, repository: str, digest: str) -> Iterator[_Blob]:
        """Open a blob; whoever reads it compares its digest."""
        with _reading(self._path):
            file = self._blob(digest).open("rb")
        with file:
            yield _Blob(file, self._path)

    def _blob(self, digest: str) -> Path:
        if not is_digest(digest):
            raise self.damaged(digest, "not a SHA-256 digest")
        return self._path / "blobs" / digest.replace(":", "/")

    def damaged(self, digest: str, details: str) -> DamagedContentError:
        """The failure that a content is not what its digest says."""
        return DamagedContentError(
            f"the folder {self._path} has a damaged content ({digest[:19]})",
            where=str(self._path),
            fix="copy the folder again from where it was written",
            details=details,
        )

    def _content(self, path: Path) -> bytes | None:
        """The content of a file; None if it does not exist."""
        with _reading(self._path), contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return path.read_bytes()
        return None


class _Blob:
    """A blob that is read piece by piece."""

    def __init__(self, file: BinaryIO, folder: Path) -> None:
        self._file = file
        self._folder = folder

    def read(self, count: int) -> bytes:
        """Read the next bytes, at most ``count``; none at the end."""
        with _reading(self._folder):
            return self._file.read(count)


@contextlib.contextmanager
def _reading(folder: Path) -> Iterator[None]:
    """Turn a failure to read into one that a person can act on."""
    try:
        yield
    except OSError as failure:
        raise PipelineError(
            f"the folder {folder} cannot be read: {failure.strerror}",
            where=str(failure.filename or folder),
            fix="name a folder that this user may read, on a disk that works",
        ) from failure
