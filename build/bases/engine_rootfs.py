"""The root file systems in an engine: other clones take them from there, and the engine sends them to a registry.

Effects: ``keep`` loads an image into the engine; ``take`` writes the root file system to ``.pipeline/rootfs/<base>``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import requests
from docker import DockerClient
from docker.errors import DockerException, ImageNotFound
from docker.models.images import Image

from build.bases import rootfs, rootfs_image
from build.bases.local import LocalBase
from build.bases.published_note import PublishedBases, noted_of
from build.bases.rootfs import Rootfs
from build.bases.rootfs_image import RootfsImage
from build.checkout.project import Project
from build.engine.pull import pull
from build.errors import EngineError, RegistryError
from build.matrix.origins import Bootstrapped
from build.registry.address import Registry
from build.system import console, run_folder


@dataclass(frozen=True, kw_only=True)
class RootfsStore:
    """Where root file systems are found that need not be bootstrapped: an engine, and a registry."""

    client: DockerClient
    #: The namespace of the matrix.
    namespace: str
    registry: Registry
    #: What the registry has.
    published: PublishedBases = field(default_factory=dict)

    @classmethod
    def of(
        cls, project: Project, client: DockerClient, registry: Registry, published: PublishedBases | None = None
    ) -> RootfsStore:
        """The store of a checkout's bases.

        Args:
            project: The checkout.
            client: The engine.
            registry: The registry.
            published: What it has; by default what was noted when it was asked last.
        """
        if published is None:
            published = noted_of(project, project.matrix.bases)
        return cls(client=client, namespace=project.matrix.project.namespace, registry=registry, published=published)

    def take(self, local: LocalBase, origin: Bootstrapped) -> Rootfs | None:
        """Take the root file system of a base for its present lock: that of the registry, else that of the engine.

        Returns:
            None where neither has one, or it cannot be pulled or read; the latter is a warning.
        """
        wanted = self.published.get(local.name)
        image = self._in_engine(local, origin)
        if wanted is not None and (image is None or _diff_id(image) != wanted.image.diff_id):
            console.info(f"pulling the base {local.name}: the registry has it")
            try:
                image = pull(
                    self.client,
                    self.registry,
                    rootfs_image.repository_of(self.namespace, local.name),
                    wanted.digest,
                    tag=wanted.image.tag,
                )
            except RegistryError as failure:
                console.warn(f"{failure.what}: the base {local.name} is bootstrapped ({failure.details})")
                return None
        said = _said(image) if image is not None else None
        if image is None or said is None:
            return None
        console.info(f"taking the base {local.name} from the engine")
        try:
            return self._export(image, said, local, origin)
        except (DockerException, requests.RequestException, ValueError) as failure:
            console.warn(f"the base {local.name} in the engine cannot be read: it is bootstrapped ({failure})")
            return None

    def find(self, local: LocalBase, origin: Bootstrapped) -> RootfsImage | None:
        """Return what the engine has for the present lock of a base."""
        image = self._in_engine(local, origin)
        return _said(image) if image is not None else None

    def keep(self, local: LocalBase, origin: Bootstrapped, tree: Rootfs, *, replace: bool) -> RootfsImage | None:
        """Load the root file system of a base into the engine, unless the engine has one for the lock.

        Args:
            local: The base.
            origin: What it is made from.
            tree: What ``.pipeline/`` has.
            replace: Also load it where the engine has another one.

        Returns:
            What the engine has then; None if no lock is recorded.

        Raises:
            EngineError: The engine does not take it.
        """
        lock = rootfs_image.lock_of(local, origin)
        if lock is None:
            return None
        present = self.find(local, origin)
        if present is not None and not replace:
            return present
        diff_id = rootfs_image.diff_id_of(local.rootfs_file)
        image = RootfsImage(base_name=local.name, lock=lock, diff_id=diff_id, packages=tree.packages)
        if present != image:
            with run_folder.scratch(local.folder, ".image-") as folder:
                load(self.client, image, local.rootfs_file, self.reference(local, lock), folder)
        return image

    def reference(self, local: LocalBase, lock: str) -> str:
        """The name of a root file system in the engine."""
        return f"{rootfs_image.repository_of(self.namespace, local.name)}:lock-{lock}"

    def _in_engine(self, local: LocalBase, origin: Bootstrapped) -> Image | None:
        lock = rootfs_image.lock_of(local, origin)
        try:
            return self.client.images.get(self.reference(local, lock)) if lock else None
        except ImageNotFound:
            return None

    def _export(self, image: Image, said: RootfsImage, local: LocalBase, origin: Bootstrapped) -> Rootfs:
        """Write the root file system of an image to ``.pipeline/``, once it is shown to be what it says.

        Raises:
            ValueError: It is not.
        """
        local.folder.mkdir(parents=True, exist_ok=True)
        with run_folder.scratch(local.folder, ".image-") as folder:
            archive, tar = folder / "image.tar", folder / LocalBase.ROOTFS
            with archive.open("wb") as stream:
                for chunk in image.save():
                    stream.write(chunk)
            rootfs_image.read_layer(archive, tar)
            archive.unlink()
            if (actual := rootfs_image.diff_id_of(tar)) != said.diff_id:
                raise ValueError(f"its content is {actual[:19]}, its configuration says {said.diff_id[:19]}")
            if rootfs.installed(tar) != said.packages:
                raise ValueError("it has other Debian packages than its configuration says")
            return rootfs.place(local, origin, tar, said.packages)


def load(client: DockerClient, image: RootfsImage, tar: Path, reference: str, folder: Path) -> None:
    """Load a root file system into an engine.

    Args:
        client: The engine.
        image: What its image says.
        tar: The root file system.
        reference: The image's name in the engine.
        folder: For temporary files: as large as the root file system.

    Raises:
        EngineError: The engine does not take it.
    """
    archive = folder / "image.tar"
    rootfs_image.write_archive(image, tar, reference, archive)
    try:
        with archive.open("rb") as stream:
            client.images.load(stream)
    except (DockerException, requests.RequestException) as failure:
        raise EngineError(
            f"the engine does not take the base {image.base_name}",
            where=reference,
            fix="free some space if its disk is full, then run it again",
            details=str(failure),
        ) from failure


def _said(image: Image) -> RootfsImage | None:
    """Return what an image in the engine says of itself; None if it is not that of a root file system."""
    return rootfs_image.from_config({"config": image.attrs.get("Config"), "rootfs": _rootfs(image)})


def _diff_id(image: Image) -> str | None:
    return next(iter(_rootfs(image)["diff_ids"]), None)


def _rootfs(image: Image) -> dict[str, list[str]]:
    return {"diff_ids": list((image.attrs.get("RootFS") or {}).get("Layers") or ())}
