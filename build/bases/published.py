"""The root file systems that a registry has for the locks of bases.

The first that was built for a lock counts for everyone, whatever Debian's archive has today: recipes are computed from
its packages.  ``find`` reads the registry; ``settle`` also notes in ``.pipeline/`` what it has.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from build.bases import rootfs_image
from build.bases.local import LocalBase, local_base
from build.bases.published_note import PublishedBases, PublishedRootfs, forget, note, noted_of
from build.checkout.project import Project
from build.errors import LockError, RegistryError
from build.locks import debian
from build.matrix.origins import Bootstrapped
from build.registry import probe
from build.registry.address import Registry
from build.registry.client import Client
from build.registry.manifests import config_of
from build.system import console
from build.system.parallel import run_parallel


def find(remote: Client, project: Project, base_names: Iterable[str]) -> dict[str, PublishedRootfs]:
    """Find the root file systems of bases in a registry; two requests for each that it has.

    One that has the recorded packages, but not the recorded content, is not what it says: it does not count.

    Args:
        remote: The registry.
        project: The checkout.
        base_names: The bases; those that are not bootstrapped are passed over.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    locals_ = [local_base(project, name) for name in sorted(set(base_names))]
    found = run_parallel(lambda local: _find(remote, project, local), locals_)
    return {local.name: each for local, each in zip(locals_, found, strict=True) if each is not None}


def _find(remote: Client, project: Project, local: LocalBase) -> PublishedRootfs | None:
    match local.origin:
        case Bootstrapped() as origin:
            repository = rootfs_image.repository_of(project.matrix.project.namespace, local.name)
            return find_one(remote, repository, local, origin)
        case _:
            return None


def find_one(remote: Client, repository: str, local: LocalBase, origin: Bootstrapped) -> PublishedRootfs | None:
    """Find the root file system of one base; see ``find``."""
    try:
        lock = rootfs_image.lock_of(local, origin)
    except LockError:  # reported where the lock is needed
        return None
    manifest = remote.find_manifest(repository, f"lock-{lock}") if lock else None
    if manifest is None:
        return None
    config = config_of(manifest)
    content = remote.find_blob(repository, config) if config else None
    try:
        image = rootfs_image.from_config(json.loads(content or b"null"))
    except (ValueError, RecursionError):
        image = None
    if image is None or image.lock != lock or image.base_name != local.name:
        console.warn(
            f"{remote.registry.reference(repository, f'lock-{lock}')} is not a base of this lock: it is not used; the "
            "next publish of an image on that base corrects it"
        )
        return None
    if rootfs_image.has_other_content(local, origin, image.packages, image.diff_id):
        console.warn(
            f"the base {local.name} in the registry does not have the content that its lock records: it is not used "
            f"({remote.registry.reference(repository, manifest.digest)} has {image.diff_id[:19]})"
        )
        return None
    return PublishedRootfs(image=image, digest=manifest.digest)


def ask(project: Project, base_names: Iterable[str], registry: Registry) -> dict[str, PublishedRootfs] | None:
    """Ask a registry about bases; None if it does not answer, with a warning unless it is one that may be stopped."""
    if not probe.is_running(registry):
        return None
    try:
        with Client(registry) as remote:
            return find(remote, project, base_names)
    except RegistryError as failure:
        console.warn(f"it is unknown which bases the registry has: {failure.what}")
        return None


def settle(
    project: Project, base_names: Iterable[str], answer: PublishedBases | None, *, again: bool
) -> PublishedBases:
    """Decide which bases in the registry count for a build, and note them.

    Args:
        project: The checkout.
        base_names: The bases that the registry was asked about.
        answer: What it has; None if it did not answer: then what was noted before counts.
        again: The bases are bootstrapped again: without an answer, nothing that was noted before counts.
    """
    if answer is not None:
        note(project, base_names, answer)
        return answer
    if again:
        for name in base_names:
            forget(local_base(project, name))
        return {}
    return noted_of(project, base_names)


def differences(project: Project, bases: PublishedBases) -> dict[str, list[str]]:
    """How far bases are from their locks: base name → one line for each package; the others are not in it."""
    found = {}
    for name, published in bases.items():
        recorded = debian.recorded(project.paths, name) or ()
        if lines := debian.drift(recorded, published.image.packages):
            found[name] = lines
    return found
