"""One base of the matrix and the places of its files in this clone.  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from build.checkout.project import Project
from build.matrix.origins import BaseOrigin
from build.matrix.sources import Base
from build.paths import Paths


@dataclass(frozen=True, kw_only=True)
class LocalBase:
    """A base of the matrix, and where this clone keeps what it prepared for it."""

    #: The name of the root file system in the folders below.
    ROOTFS: ClassVar[str] = "rootfs.tar"

    name: str
    base: Base
    paths: Paths

    @property
    def origin(self) -> BaseOrigin:
        """The origin of the base: Debian's archive, or an image."""
        return self.base.origin

    @property
    def folder(self) -> Path:
        """The build context of its base image: root file system and prefix, and what is known of them."""
        return self.paths.rootfs / self.name

    @property
    def rootfs_file(self) -> Path:
        """Its root file system, a tar; the file may not exist."""
        return self.folder / self.ROOTFS

    @property
    def bootstrap_record(self) -> Path:
        """The record of the bootstrap: its arguments, and the Debian packages."""
        return self.folder / "bootstrap.json"

    @property
    def published_note(self) -> Path:
        """What the registry was last found to have of the base."""
        return self.folder / "published.json"

    @property
    def builder_folder(self) -> Path:
        """The build context of the stage that installs packages."""
        return self.paths.state / "builder" / self.name


def local_base(project: Project, name: str) -> LocalBase:
    """The base of this name."""
    return LocalBase(name=name, base=project.matrix.bases[name], paths=project.paths)
