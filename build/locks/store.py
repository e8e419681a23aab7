"""The lock store: the locks of a project, each file read once.

Effects: reads files below ``locks/``; writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from build.errors import LockError
from build.locks import lock as locks
from build.locks.lock import BUILD, SERVER, TOOLS, Lock
from build.paths import Paths
from build.variants.variant import Variant


@dataclass(frozen=True, kw_only=True)
class LockStore:
    """The locks of one project. A lock that changes on disk afterwards is not read again: open a new store."""

    paths: Paths
    _read: dict[Path, Lock | LockError | None] = field(default_factory=dict, init=False, repr=False, compare=False)

    def file(self, base_name: str, title: str) -> Path:
        """Return the path of the lock of an image, of ``SERVER`` or of ``BUILD``, whether or not it exists."""
        return locks.path(self.paths.locks, base_name, title)

    def relative(self, base_name: str, title: str) -> str:
        """Return the same path relative to the project's root, for messages."""
        return str(self.file(base_name, title).relative_to(self.paths.root))

    def find(self, base_name: str, title: str) -> Lock | None:
        """Return a lock, or None if it does not exist.

        Raises:
            LockError: The file is not a valid lock.
        """
        file = self.file(base_name, title)
        if file not in self._read:
            try:
                self._read[file] = locks.read(file)
            except LockError as failure:
                self._read[file] = failure
        result = self._read[file]
        if isinstance(result, LockError):
            raise result
        return result

    def find_valid(self, base_name: str, title: str) -> Lock | None:
        """Return a lock, or None if it does not exist or is not a valid lock."""
        try:
            return self.find(base_name, title)
        except LockError:
            return None

    def get(self, base_name: str, title: str) -> Lock:
        """Return a lock that must exist.

        Raises:
            LockError: It does not exist, or the file is not a valid lock.
        """
        lock = self.find(base_name, title)
        if lock is None:
            raise LockError(f"{title} has no lock", where=self.relative(base_name, title), fix="make it: nox -s lock")
        return lock

    def image(self, variant: Variant) -> Lock:
        """Return the lock of an image.

        Raises:
            LockError: It does not exist, or the file is not a valid lock.
        """
        return self.get(variant.base_name, variant.name)

    def server(self, base_name: str) -> Lock:
        """Return the lock of the packages that every image of a base has.

        Raises:
            LockError: It does not exist, or the file is not a valid lock.
        """
        return self.get(base_name, SERVER)

    def build(self, base_name: str) -> Lock:
        """Return the lock of the packages that source-only packages of a base are built with.

        Raises:
            LockError: It does not exist, or the file is not a valid lock.
        """
        return self.get(base_name, BUILD)

    def tools(self) -> Lock:
        """Return the lock of the tools of the builder stages (uv).

        Raises:
            LockError: It does not exist, or the file is not a valid lock.
        """
        return self.get(".", TOOLS)

    def has_source_only(self, variant: Variant) -> bool:
        """Tell whether the lock of an image has a package that must be built; False if there is no valid lock."""
        lock = self.find_valid(variant.base_name, variant.name)
        return lock is not None and any(package.source_only for package in lock.packages)
