"""Publish the root file systems of bases: the first one for a lock counts for everyone.

Each is the image ``base-<name>:lock-<hash>``. It is pushed before the images that were built on it.
"""

from __future__ import annotations

from collections.abc import Iterable

from docker import DockerClient

from build.bases import facts, published, rootfs, rootfs_image
from build.bases.engine_rootfs import RootfsStore
from build.bases.local import LocalBase, local_base
from build.bases.published_note import PublishedRootfs
from build.checkout.project import Project
from build.errors import RegistryError
from build.locks import debian
from build.matrix.origins import Bootstrapped
from build.publish.publication import Upload
from build.publish.push import Progress, local_image, push
from build.registry.client import Client
from build.system import console


def publish_bases(
    project: Project,
    base_names: Iterable[str],
    remote: Client,
    client: DockerClient,
    progress: Progress | None = None,
) -> None:
    """Push the root file systems that the registry does not have.

    Args:
        project: The checkout; its images are built on these bases.
        base_names: The bases; those that are not bootstrapped are passed over.
        remote: The registry.
        client: The engine.
        progress: Called while one is pushed.

    Raises:
        RegistryError: The registry has a base of the same lock with other Debian packages; or it is not there, refuses,
            or fails.
        EngineError: The engine fails, or stops answering.
    """
    namespace = project.matrix.project.namespace
    store = RootfsStore(client=client, namespace=namespace, registry=remote.registry)
    for name in base_names:
        local = local_base(project, name)
        if not isinstance(local.origin, Bootstrapped):
            continue
        repository = rootfs_image.repository_of(namespace, name)
        there = published.find_one(remote, repository, local, local.origin)
        if there is None:
            if not _push(local, local.origin, store, remote, progress):
                continue
            there = published.find_one(remote, repository, local, local.origin)
        if there is not None:
            _check(local, there, remote, repository)


def _push(
    local: LocalBase, origin: Bootstrapped, store: RootfsStore, remote: Client, progress: Progress | None
) -> bool:
    """Push the root file system of one base; False, with a warning, where it cannot be the one of its lock."""
    tree, lock = rootfs.present(local), rootfs_image.lock_of(local, origin)
    if lock is None or tree is None or tree.packages != facts.debian_packages(local):
        console.warn(
            f"the base {local.name} is not published: its root file system is not in this clone "
            f"(to make it: nox -s bases -- --base {local.name})"
        )
        return False
    if rootfs_image.has_other_content(local):
        console.warn(
            f"the base {local.name} is not published: it has the Debian packages of its lock, but not the recorded "
            "content (to record it in the lock: nox -s lock -- --bases)"
        )
        return False
    store.keep(local, origin, tree, replace=True)
    repository = rootfs_image.repository_of(store.namespace, local.name)
    item = Upload(
        name=f"base {local.name}",
        repository=repository,
        local_reference=store.reference(local, lock),
        tag=f"lock-{lock}",
    )
    push(item, local_image(store.client, item), remote, store.client, progress)
    console.info(f"the base {local.name} was published: {remote.registry.reference(repository, item.tag)}")
    return True


def _check(local: LocalBase, there: PublishedRootfs, remote: Client, repository: str) -> None:
    own = facts.debian_packages(local)
    if own is None or there.image.packages == own:
        return
    lines = debian.drift(there.image.packages, own)
    raise RegistryError(
        f"another run has published the base {local.name} of this lock before, with {debian.in_words(lines, 'other')}",
        where=remote.registry.reference(repository, there.digest),
        fix="build, verify and publish again, on that base: nox -s pipeline",
        details="\n".join(lines),
    )
