"""A folder with an OCI image layout, as the target of a release.

Blobs are written next to their place and moved there when they are complete; the index, and with it every tag, is
written once, at the end. So the folder has the new release or not, never a part of it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from build.errors import BusyError, PipelineError
from build.paths import write_atomically
from build.registry import layout_index
from build.registry.layout import INDEX_FILE, MARK, VERSION, Layout
from build.registry.layout_index import Descriptor, name_of
from build.registry.manifests import Manifest
from build.registry.places import Folder
from build.system import run_folder


class LayoutTarget(Layout):
    """Writes a layout, too. Threads may share it, but for the tags.

    Args:
        folder: The folder; one that is empty or missing becomes a layout when it is written.

    Raises:
        UsageError: It is another folder that is not empty.
    """

    #: A blob in one repository is in all of them.
    shares_blobs = True

    def __init__(self, folder: Folder) -> None:
        super().__init__(folder)
        self._staging: Path | None = None
        #: What the index gets when it is written.
        self._tags: dict[str, Manifest] = {}
        self._others: list[Manifest] = []

    def _read_index(self) -> list[Descriptor]:
        is_empty = not self._path.exists() or (self._path.is_dir() and not any(self._path.iterdir()))
        return [] if is_empty else super()._read_index()

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the folder for one run; in the body, blobs and manifests may be written.

        Raises:
            BusyError: Another run holds it.
            PipelineError: It cannot be written, or its disk is full.
        """
        with contextlib.ExitStack() as stack:
            with _explaining(self._path):
                self._path.mkdir(parents=True, exist_ok=True)
                stack.enter_context(_held(self._path))
                self._entries = self._read_index()  # another run may have written it in the meantime
                if not (self._path / MARK).exists():
                    write_atomically(self._path / MARK, json.dumps(VERSION))
                (self._path / "blobs/sha256").mkdir(parents=True, exist_ok=True)
                self._staging = stack.enter_context(run_folder.scratch(self._path, ".promote-"))
            yield

    def free_bytes(self) -> int:
        """The bytes that may still be written."""
        return shutil.disk_usage(self._path).free

    def mount(self, repository: str, digest: str, origin: str) -> bool:
        """Never needed: all repositories share their blobs here."""
        return False

    def upload(self, repository: str, digest: str, size: int, pieces: Iterable[bytes]) -> None:
        """Write a blob; what its pieces raise leaves no part of it."""
        with _explaining(self._path):
            handle, name = tempfile.mkstemp(dir=self._staging)
            with os.fdopen(handle, "wb") as file:
                file.writelines(pieces)
                file.flush()
                os.fsync(file.fileno())
            written = Path(name)
            written.chmod(0o644)
            written.replace(self._blob(digest))

    def put_manifest(self, repository: str, manifest: Manifest) -> None:
        """Write a manifest."""
        self.upload(repository, manifest.digest, len(manifest.content), [manifest.content])

    def offer_manifest(self, repository: str, manifest: Manifest) -> str | None:
        """Write a manifest; a folder refuses none."""
        self.put_manifest(repository, manifest)
        return None

    def list_attachments(self, repository: str, digest: str, manifests: Sequence[Manifest]) -> None:
        """List manifests that refer to another one; the index gets them when it is written."""
        self._others.extend(manifests)

    def put_tag(self, repository: str, tag: str, manifest: Manifest) -> None:
        """Point a tag to a manifest when the index is written."""
        self._tags[name_of(repository, tag)] = manifest

    def put_document_tag(self, repository: str, tag: str, manifest: Manifest) -> None:
        """The same for the tag of an attachment."""
        self.put_tag(repository, tag, manifest)

    def write_index(self) -> None:
        """Write the index, with all tags; nothing happens if it is the same."""
        entries = layout_index.merged(self._entries, self._tags, self._others)
        if entries == self._entries and (self._path / INDEX_FILE).is_file():
            return
        with _explaining(self._path):
            write_atomically(self._path / INDEX_FILE, layout_index.to_json(entries))
        self._entries = entries


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    handle = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(
                "another run writes to this folder", where=str(path), fix="run it again when it is done"
            ) from None
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _explaining(path: Path) -> Iterator[None]:
    """Turn a failure to write into one that a person can act on."""
    try:
        yield
    except OSError as failure:
        is_full = failure.errno in (errno.ENOSPC, errno.EDQUOT)
        raise PipelineError(
            "the disk is full" if is_full else f"the folder {path} cannot be written: {failure.strerror}",
            where=str(path),
            fix="free space there, then run it again: what was written is kept"
            if is_full
            else "name a folder that this user may write",
        ) from failure
