"""Publish the root file systems of bases: the first one for a lock counts for everyone.

Each is pushed under a tag of its content, before the images that were built on it. The tag of its lock,
``lock-<hash>``, is written under the lock of the registry, so that two runs never write it both.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from docker import DockerClient

from build.bases import published, rootfs, rootfs_image
from build.bases.engine_rootfs import RootfsStore
from build.bases.local import LocalBase, local_base
from build.bases.published_note import PublishedRootfs
from build.bases.rootfs_image import RootfsImage
from build.checkout.project import Project
from build.engine.built import BuiltImage
from build.errors import RegistryError
from build.images.recipe import debian_packages
from build.locks import debian
from build.matrix.origins import Bootstrapped
from build.publish.lock import Guard, NoGuard, locked
from build.publish.origin import Origin
from build.publish.publication import Upload
from build.publish.push import Progress, local_image, push
from build.publish.release import repository_of
from build.publish.targets import Rules
from build.publish.writes import Writes
from build.registry.address import Registry
from build.registry.client import Client
from build.registry.manifests import config_of, digest_of
from build.system import console


@dataclass(frozen=True, kw_only=True)
class UsedBase:
    """A bootstrapped base on which images were built."""

    local: LocalBase
    origin: Bootstrapped
    #: As the matrix names it.
    repository: str
    #: The Debian packages that the images' recipes have.
    packages: tuple[str, ...]

    def find(self, remote: Client) -> PublishedRootfs | None:
        """Return what the registry has for its lock."""
        return published.find_one(remote, self.repository, self.local, self.origin)


@dataclass(frozen=True, kw_only=True)
class BasesOf:
    """Images, and the bases on which they were built."""

    project: Project
    used: tuple[UsedBase, ...]
    images: tuple[BuiltImage, ...] = ()

    @classmethod
    def of(cls, project: Project, images: Sequence[BuiltImage]) -> BasesOf:
        """Return the bases of images that are in the engine."""
        return cls(project=project, used=used_bases(project, images), images=tuple(images))


@dataclass(frozen=True, kw_only=True)
class PushedBase:
    """A root file system that is in the registry, and whose lock has no tag yet."""

    base: UsedBase
    #: The tag of its lock.
    tag: str
    #: Of its manifest.
    digest: str


def used_bases(project: Project, images: Iterable[BuiltImage]) -> tuple[UsedBase, ...]:
    """Return the bootstrapped bases of images, with the packages that their recipes say."""
    found: dict[str, UsedBase] = {}
    for image in images:
        name = image.image.variant.build_base_name
        local = local_base(project, name)
        if isinstance(local.origin, Bootstrapped):
            found[name] = UsedBase(
                local=local,
                origin=local.origin,
                repository=rootfs_image.repository_of(project.matrix.project.namespace, name),
                packages=debian_packages(image.recipe),
            )
    return tuple(found[name] for name in sorted(found))


def push_bases(
    bases: BasesOf,
    remote: Client,
    client: DockerClient,
    progress: Progress | None = None,
) -> list[PushedBase]:
    """Push the root file systems that the registry does not have; one that cannot be had here is a warning.

    Args:
        bases: The bases.
        remote: The registry.
        client: The engine.
        progress: Called while one is pushed.

    Returns:
        Those whose tags are to be written.

    Raises:
        RegistryError: The registry has a base of the same lock with other Debian packages; or it is not there, refuses,
            or fails.
        EngineError: The engine fails, or stops answering.
    """
    missing = [base for base in bases.used if not _is_there(base, remote)]
    # What was noted of them is about another registry, or about a base that is gone.
    store = RootfsStore.of(bases.project, client, remote.registry, {})
    found = [_push(base, store, remote, progress) for base in missing]
    return [each for each in found if each is not None]


def tag_bases(pushed: Iterable[PushedBase], remote: Client, writes: Writes, guard: Guard) -> None:
    """Write the tags of locks; called under the lock of the registry.

    Args:
        pushed: Root file systems in the registry.
        remote: The registry.
        writes: Writes them.
        guard: Checked before each.

    Raises:
        RegistryError: Another run was faster, with other Debian packages; or the registry is not there, refuses, or
            fails.
    """
    for each in pushed:
        if _is_there(each.base, remote):
            continue
        guard.check()
        writes.put(each.base.repository, each.tag, remote.manifest(each.base.repository, each.digest))
        if remote.digest(each.base.repository, each.tag) != each.digest:
            _is_there(each.base, remote)  # raises, unless it has the same packages
        console.info(
            f"the base {each.base.local.name} was published: "
            f"{remote.registry.reference(each.base.repository, each.digest)}"
        )


def prepared_bases(project: Project, base_names: Iterable[str]) -> tuple[UsedBase, ...]:
    """Return the bootstrapped bases that this clone has prepared."""
    found = []
    for name in sorted(set(base_names)):
        local = local_base(project, name)
        tree = rootfs.present(local)
        if isinstance(local.origin, Bootstrapped) and tree is not None:
            repository = rootfs_image.repository_of(project.matrix.project.namespace, name)
            found.append(UsedBase(local=local, origin=local.origin, repository=repository, packages=tree.packages))
    return tuple(found)


def publish_bases(bases: BasesOf, registry: Registry, client: DockerClient, *, origin: Origin, rules: Rules) -> int:
    """Publish bases alone, before images are built on them on several machines.

    Args:
        bases: The bases.
        registry: The registry.
        client: The engine.
        origin: This run.
        rules: Without ``latest``, the lock of the registry is not taken.

    Returns:
        How many were pushed.

    Raises:
        RegistryError: The registry has a base of the same lock with other Debian packages; another run publishes; or
            the registry is not there, refuses, or fails.
        EngineError: The engine fails, or stops answering.
    """
    with Client(registry) as remote, contextlib.ExitStack() as stack:
        pushed = push_bases(bases, remote, client)
        if pushed:
            writes = Writes(remote)
            guard: Guard = NoGuard()
            if rules.latest:
                records = repository_of(bases.project.matrix.project.namespace)
                guard = stack.enter_context(locked(remote, records, origin, writes))
            tag_bases(pushed, remote, writes, guard)
        return len(pushed)


def _is_there(base: UsedBase, remote: Client) -> bool:
    """Tell whether the registry has the base; raise where it has another one for the lock."""
    found = base.find(remote)
    if found is None:
        return False
    if found.image.packages == base.packages:
        return True
    lines = debian.drift(found.image.packages, base.packages)
    others = debian.in_words(lines, "other")
    raise RegistryError(
        f"another run has published the base {base.local.name} of this lock before, with {others}",
        where=remote.registry.reference(base.repository, found.digest),
        fix="build, verify and publish again, on that base: nox -s pipeline",
        details="\n".join(lines),
    )


def _push(base: UsedBase, store: RootfsStore, remote: Client, progress: Progress | None) -> PushedBase | None:
    """Push one root file system; None, with a warning, if neither this clone nor the engine has it."""
    local, origin = base.local, base.origin
    image = _image_of(base, store)
    if image is None:
        console.warn(
            f"the base {local.name} is not published: neither this clone nor the engine has the root file system that "
            "the images were built on"
        )
        return None
    if rootfs_image.has_other_content(local, origin, image.packages, image.diff_id):
        console.warn(
            f"the base {local.name} is not published: it has the Debian packages of its lock, but not the recorded "
            "content (to record it in the lock: nox -s lock -- --bases)"
        )
        return None
    item = Upload(
        name=f"base {local.name}",
        repository=base.repository,
        local_reference=store.reference(local, image.lock),
        tag=image.content_tag,
    )
    digest = _pushed(item, image, remote)
    if digest is None:
        push(item, local_image(store.client, item), remote, store.client, progress)
        digest = _pushed(item, image, remote)
    if digest is None:
        raise RegistryError(
            f"the registry {remote.registry.host} accepted the base {local.name}, but does not have it",
            where=remote.registry.reference(base.repository, item.tag),
            fix="publish again; look at the registry's own log",
        )
    return PushedBase(base=base, tag=image.tag, digest=digest)


def _image_of(base: UsedBase, store: RootfsStore) -> RootfsImage | None:
    """Return the image of the root file system of the images, which the engine has then; nothing is bootstrapped."""
    tree = rootfs.present(base.local)
    if tree is not None and tree.packages == base.packages:
        return store.keep(base.local, base.origin, tree, replace=True)
    found = store.find(base.local, base.origin)
    return found if found is not None and found.packages == base.packages else None


def _pushed(item: Upload, image: RootfsImage, remote: Client) -> str | None:
    """Return the digest of an image that the registry has under its tag; None if it has none, or another one."""
    manifest = remote.find_manifest(item.repository, item.tag)
    return manifest.digest if manifest and config_of(manifest) == digest_of(image.config()) else None
