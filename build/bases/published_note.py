"""What the registry has for the locks of bases, noted in ``.pipeline/`` for the commands that do not ask it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from build.bases import rootfs_image
from build.bases.local import LocalBase, local_base
from build.bases.rootfs_image import RootfsImage
from build.checkout.project import Project
from build.errors import LockError
from build.matrix.origins import Bootstrapped
from build.system import state


@dataclass(frozen=True, kw_only=True)
class PublishedRootfs:
    """A root file system in a registry."""

    image: RootfsImage
    #: Of the manifest.
    digest: str


#: The root file systems in a registry, by the name of their base.
PublishedBases = Mapping[str, PublishedRootfs]


def note(project: Project, base_names: Iterable[str], bases: PublishedBases) -> None:
    """Note what a registry has of bases, so that the commands that follow compute the same recipes.

    Args:
        project: The checkout.
        base_names: The bases that it was asked about.
        bases: Those that it has.
    """
    for name in base_names:
        local, published = local_base(project, name), bases.get(name)
        if published is None:
            forget(local)
        else:
            write(local, published)


def write(local: LocalBase, published: PublishedRootfs) -> None:
    """Note what the registry has of one base."""
    document = {
        "lock": published.image.lock,
        "diff_id": published.image.diff_id,
        "packages": list(published.image.packages),
        "digest": published.digest,
    }
    local.folder.mkdir(parents=True, exist_ok=True)
    state.write_json(local.published_note, document)


def noted(local: LocalBase, origin: Bootstrapped) -> PublishedRootfs | None:
    """What was noted of a base for its present lock; nothing for a damaged lock, which is reported where it is read."""
    known = state.read_json(local.published_note)
    try:
        if not isinstance(known, dict) or known.get("lock") != rootfs_image.lock_of(local, origin):
            return None
    except LockError:
        return None
    try:
        image = RootfsImage(
            base_name=local.name, lock=known["lock"], diff_id=known["diff_id"], packages=tuple(known["packages"])
        )
        return PublishedRootfs(image=image, digest=known["digest"])
    except (KeyError, TypeError):  # the note is damaged
        return None


def noted_of(project: Project, base_names: Iterable[str]) -> dict[str, PublishedRootfs]:
    """What was noted of bases, by name; those of which nothing was are not in it."""
    bases = [local_base(project, name) for name in base_names]
    found = {local.name: noted(local, local.origin) for local in bases if isinstance(local.origin, Bootstrapped)}
    return {name: each for name, each in found.items() if each is not None}


def forget(local: LocalBase) -> None:
    """Forget what was noted of a base."""
    local.published_note.unlink(missing_ok=True)
