"""Prepare bases: everything that `docker buildx bake` needs in addition to the committed files.

Effects: bootstraps root file systems, packs prefixes, installs uv; all results are in ``.pipeline/``.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from build.bases import builder_context, facts, prefix_archive, rootfs, uv_binary
from build.bases.facts import UnknownBase
from build.bases.local import LocalBase, local_base
from build.bases.prefix import PrefixNotFoundError
from build.bases.prefix_archive import Archive
from build.bases.prefix_fit import check_fits
from build.bases.rootfs import Rootfs
from build.checkout.project import Project
from build.errors import DriftError, PipelineError
from build.locks import debian, prefix_python
from build.locks.prefix_python import RecordedPython
from build.matrix.origins import Bootstrapped, CudaImage, FromImage, PrefixPython, has_digest
from build.system import console

#: Changed packages that a warning names.
_NAMED = 6


def prefixes(project: Project, base_names: Iterable[str]) -> dict[str, PrefixNotFoundError]:
    """Pack the prefixes of these bases that this clone has not packed yet; 10 to 20 seconds each.

    Returns:
        Base name → the failure, for the bases whose Python is not on this machine: nothing can be built on them.

    Raises:
        PrefixError: A prefix is not what the matrix asks for.
    """
    not_found: dict[str, PrefixNotFoundError] = {}
    for name in base_names:
        try:
            prefix(local_base(project, name))
        except PrefixNotFoundError as failure:
            not_found[name] = failure
    return not_found


def prefix(local: LocalBase) -> Archive | None:
    """The packed prefix of a base; it is packed where this clone has not done so. None for a base without a prefix.

    Raises:
        PrefixNotFoundError: It is not on this machine.
        PrefixError: It is not what the matrix asks for.
    """
    match local.origin.python:
        case PrefixPython() as wanted:
            return prefix_archive.ensure(local.folder, wanted, local.paths)
        case _:
            return None


def prepare(project: Project, base_names: Iterable[str], *, locked: bool, refresh: bool) -> None:
    """Prepare the files of these bases, and uv.

    Args:
        project: The project.
        base_names: The bases.
        locked: Fail where a base is not what its lock says; otherwise warn.
        refresh: Bootstrap the root file systems again.

    Raises:
        DriftError: A base differs from its lock, with ``locked``.
        PipelineError: A bootstrap fails; a prefix is missing or does not fit; an image has no digest.
    """
    uv_binary.prepare(project.paths, project.locks.tools())
    for name in base_names:
        local = local_base(project, name)
        tree: Rootfs | None = None
        match local.origin:
            case FromImage(reference=reference) if not has_digest(reference):
                raise _without_digest(f"the base {name}", reference, where=project.loaded.where("bases", name, "image"))
            case Bootstrapped() as origin:
                tree = _rootfs(local, origin, locked=locked, refresh=refresh)
            case FromImage():
                pass
        archive = prefix(local)
        if archive is not None:
            _compare_python(local, archive, locked=locked)
            if tree is not None:
                check_fits(
                    archive,
                    name,
                    rootfs=local.rootfs_file,
                    glibc=local.base.glibc,
                    where=project.loaded.where("bases", name, "bootstrap", "packages"),
                )
        known = facts.read(local)
        if isinstance(known, UnknownBase):
            raise PipelineError(known.why, fix=known.fix)
        builder_context.prepare(local, known.python)


def _rootfs(local: LocalBase, origin: Bootstrapped, *, locked: bool, refresh: bool) -> Rootfs:
    """The root file system of a base, bootstrapped where it is missing, and compared with its lock."""
    tree = None if refresh else rootfs.present(local)
    recorded = debian.recorded(local.paths, local.name)
    if tree is None:
        began = time.monotonic()
        console.info(f"bootstrapping the base {local.name} from Debian's archive ({origin.suite})")
        tree = rootfs.bootstrap(local, origin, local.paths.logs / f"bootstrap-{local.name}.log")
        duration = console.seconds(time.monotonic() - began)
        console.info(f"bootstrapped {local.name}: {len(tree.packages)} Debian packages, {duration}")
        lines = debian.drift(recorded or (), tree.packages)
        if recorded is not None and lines and not locked:
            more = " …" if len(lines) > _NAMED else ""
            console.warn(
                f"{local.name} differs from its lock in {len(lines)} Debian packages: {'; '.join(lines[:_NAMED])}{more}"
                " (to record them in the lock: nox -s lock -- --bases)"
            )
    if locked:
        check_locked(local, tree.packages)
    return tree


def check_locked(local: LocalBase, packages: Sequence[str]) -> None:
    """Raise where a base has other Debian packages than its lock.

    Raises:
        DriftError: It has.
    """
    lines = debian.drift(debian.recorded(local.paths, local.name) or (), packages)
    if lines:
        raise DriftError(
            f"the base {local.name} differs from its lock in {len(lines)} Debian packages",
            where=str(debian.lock_file(local.paths, local.name)),
            fix="take the change with: nox -s lock -- --bases; or build without --locked",
            details="\n".join(lines),
        )


def _compare_python(local: LocalBase, archive: Archive, *, locked: bool) -> None:
    """Compare the prefix of this machine with the recorded one.

    The build goes on with what this machine has, and recipes follow it.
    """
    recorded = prefix_python.recorded(local.paths, local.name)
    if recorded is None or recorded.identity == archive.identity:
        return
    what = f"this machine's CPython {archive.version} is not the one that the lock of the base {local.name} records"
    details = f"sha256 {recorded.sha256} -> {archive.digest}"
    if locked:
        raise DriftError(
            what,
            where=str(prefix_python.lock_file(local.paths, local.name)),
            fix="take the change with: nox -s lock -- --bases; or build without --locked",
            details=details,
        )
    console.warn(f"{what}: {details}; images get this one (to record it in the lock: nox -s lock -- --bases)")


def check_cuda_images(project: Project, names: Iterable[str]) -> None:
    """Check that the matrix names the images that CUDA comes from with their digests.

    Args:
        project: The project.
        names: The names of base images.

    Raises:
        PipelineError: One of them is named without its digest.
    """
    for name in names:
        cuda_base_image = project.cuda_base_images.get(name)
        match cuda_base_image and cuda_base_image.origin:
            case CudaImage(reference=reference) if cuda_base_image and not has_digest(reference):
                raise _without_digest(
                    f"the CUDA version {cuda_base_image.device}",
                    reference,
                    where=project.loaded.where("cuda", cuda_base_image.device, "images", cuda_base_image.base_name),
                    more="; or build on another base: "
                    f"--base {cuda_base_image.base_name}=<a base with the same Python>",
                )


def _without_digest(whose: str, reference: str, *, where: str, more: str = "") -> PipelineError:
    return PipelineError(
        f"{whose} names its image without a digest, so it could be another image tomorrow",
        where=where,
        fix=f"find the digest with: docker buildx imagetools inspect {reference}; then write "
        f"{reference}@sha256:<the digest>{more}",
    )


def record_debian(local: LocalBase, origin: Bootstrapped) -> str:
    """Bootstrap a base and record its Debian packages in its lock.

    Returns:
        How many there are, and how many of them changed, in words.

    Raises:
        PipelineError: mmdebstrap failed, or the archive cannot be reached.
    """
    tree = rootfs.bootstrap(local, origin, local.paths.logs / f"bootstrap-{local.name}.log")
    lines = debian.drift(debian.recorded(local.paths, local.name) or (), tree.packages)
    debian.record_base(local.paths, local.name, tree.packages, origin)
    rootfs.note_recorded(local)
    return f"{len(tree.packages)} Debian packages recorded, {len(lines)} changed"


def record_python(local: LocalBase) -> RecordedPython | None:
    """Record the prefix of this machine in the lock of a base; None for a base without a prefix.

    Raises:
        PrefixNotFoundError: It is not on this machine.
        PrefixError: It is not what the matrix asks for.
    """
    archive = prefix(local)
    if archive is None:
        return None
    python = RecordedPython(version=archive.version, edition=prefix_archive.EDITION, sha256=archive.digest)
    prefix_python.record(local.paths, local.name, python)
    return python
