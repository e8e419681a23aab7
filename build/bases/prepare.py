"""Prepare bases: everything that `docker buildx bake` needs in addition to the committed files.

Effects: bootstraps root file systems, packs prefixes, installs uv; all results are in ``.pipeline/``.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterable, Sequence

from build.bases import builder_context, facts, from_snapshot, prefix_archive, rootfs, rootfs_image, uv_binary
from build.bases.engine_rootfs import RootfsStore
from build.bases.facts import UnknownBase
from build.bases.local import LocalBase, local_base
from build.bases.prefix_archive import Archive
from build.bases.prefix_fit import check_fits
from build.bases.published_note import PublishedBases, PublishedRootfs
from build.bases.rootfs import Rootfs
from build.checkout.project import Project
from build.errors import DriftError, EngineError, PipelineError
from build.locks import debian, prefix_python
from build.locks.debian import MadeRootfs
from build.locks.prefix_python import RecordedPython
from build.matrix.origins import Bootstrapped, FromImage, PrefixPython, has_digest
from build.system import console, processes

#: Changed packages that a warning names.
_NAMED = 6
#: Bases that are prepared side by side: a bootstrap waits for the archive and for the disk.
_AT_ONCE = 4


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


def prepare(
    project: Project, base_names: Iterable[str], *, locked: bool, refresh: bool, store: RootfsStore | None = None
) -> dict[str, PipelineError]:
    """Prepare the files of these bases, and uv; a base for which that fails stops no other.

    Args:
        project: The project.
        base_names: The bases.
        locked: Fail where a base is not what its lock says; otherwise warn.
        refresh: Bootstrap the root file systems again.
        store: Where root file systems are taken from, and kept; None: they are bootstrapped.

    Returns:
        Base name → the failure, for the bases on which nothing can be built: a bootstrap fails; a prefix is missing or
        does not fit; an image has no digest; with ``locked``, a base differs from its lock.

    Raises:
        PipelineError: uv, which all bases need, cannot be prepared.
    """
    uv_binary.prepare(project.paths, project.locks.tools())

    def failure_of(name: str) -> PipelineError | None:
        try:
            _prepare(project, local_base(project, name), locked=locked, refresh=refresh, store=store)
        except PipelineError as failure:
            return failure
        return None

    names = list(base_names)
    with processes.worker_threads(_AT_ONCE) as pool:
        failures = zip(names, pool.map(failure_of, names), strict=True)
        return {name: failure for name, failure in failures if failure is not None}


def _prepare(project: Project, local: LocalBase, *, locked: bool, refresh: bool, store: RootfsStore | None) -> None:
    archive = prefix(local)  # first: that it is missing is found sooner than a bootstrap ends
    tree: Rootfs | None = None
    match local.origin:
        case FromImage(reference=reference) if not has_digest(reference):
            unknown = facts.without_digest(local.name, f"the base {local.name}", reference)
            where = project.loaded.where("bases", local.name, "image")
            raise PipelineError(unknown.why, where=where, fix=unknown.fix)
        case Bootstrapped() as origin:
            tree = root_file_system(local, origin, locked=locked, refresh=refresh, store=store)
        case FromImage():
            pass
    if archive is not None:
        _compare_python(local, archive, locked=locked)
        if tree is not None:
            check_fits(
                archive,
                local.name,
                rootfs=local.rootfs_file,
                glibc=local.base.glibc,
                where=project.loaded.where("bases", local.name, "bootstrap", "packages"),
            )
    known = facts.read(local)
    if isinstance(known, UnknownBase):
        raise known.failure
    builder_context.prepare(local, known.python)


def root_file_system(
    local: LocalBase, origin: Bootstrapped, *, locked: bool, refresh: bool, store: RootfsStore | None
) -> Rootfs:
    """The root file system of a base: of this clone, of the registry, of the engine, or bootstrapped.

    It is compared with its lock.
    """
    published = store.published.get(local.name) if store else None
    tree = None if refresh else rootfs.present(local)
    if tree is not None and published is not None and tree.packages != published.image.packages:
        tree = None
    if tree is None and store is not None and not refresh:
        tree = store.take(local, origin)
    is_new = tree is None
    if tree is None:
        wanted = published.image.packages if published else debian.recorded(local.paths, local.name)
        tree = _bootstrap(local, origin, None if refresh else wanted)
    elif published is None and (of_snapshot := from_snapshot.again(local, origin, tree)) is not None:
        tree, is_new = of_snapshot, True
    if published is not None and tree.packages != published.image.packages:
        raise _another_is_published(local, published, tree, refresh=refresh)
    if locked:
        try:
            check_locked(local, tree.packages)
        except DriftError:
            if is_new:
                rootfs.forget(local)  # nothing is built on it
            raise
    elif is_new:
        _warn_of_differences(local, origin, tree)
    if store is not None:
        try:
            store.keep(local, origin, tree, replace=is_new)
        except EngineError as failure:  # only other clones need it there
            console.warn(failure.reason)
    return tree


def _bootstrap(local: LocalBase, origin: Bootstrapped, wanted: Sequence[str] | None) -> Rootfs:
    """Bootstrap a base: from the archive of today, or from a snapshot where that has other packages than it should.

    Args:
        local: The base.
        origin: What it is made from.
        wanted: The packages that it should have, ``name=version``; None: those of today.
    """
    began = time.monotonic()
    console.info(f"bootstrapping the base {local.name} from Debian's archive ({origin.suite})")
    log = local.paths.logs / f"bootstrap-{local.name}.log"
    tree = rootfs.bootstrap(local, origin, log)
    if wanted is None:
        from_snapshot.keep_refreshed(local)
    elif origin.snapshot is not None and tuple(wanted) != tree.packages:
        tree = from_snapshot.bootstrap(local, origin, origin.snapshot, wanted) or tree
    duration = console.seconds(time.monotonic() - began)
    console.info(f"bootstrapped {local.name}: {len(tree.packages)} Debian packages, {duration}")
    return tree


def _another_is_published(
    local: LocalBase, published: PublishedRootfs, tree: Rootfs, *, refresh: bool
) -> PipelineError:
    lines = debian.drift(published.image.packages, tree.packages)
    fix = (
        "run it again when the registry can be reached; with --refresh-bases if its base is gone; if its base is "
        f"damaged, remove the tag {published.image.tag[:21]}… from the registry"
    )
    if refresh:
        fix = "build without --refresh-bases, on the base in the registry"
    return DriftError(
        f"the registry has the base {local.name} of this lock, and the one here has {debian.in_words(lines, 'other')}",
        where=str(debian.lock_file(local.paths, local.name)),
        fix=f"{fix}; or record those of Debian's archive in the lock: nox -s lock -- --bases",
        details="\n".join(lines),
    )


def _warn_of_differences(local: LocalBase, origin: Bootstrapped, tree: Rootfs) -> None:
    recorded = debian.recorded(local.paths, local.name)
    if recorded is None:
        return
    to_record = "(to record it in the lock: nox -s lock -- --bases)"
    if lines := debian.drift(recorded, tree.packages):
        more = " …" if len(lines) > _NAMED else ""
        console.warn(
            f"{local.name} differs from its lock in {debian.in_words(lines)}: {'; '.join(lines[:_NAMED])}{more} "
            f"{to_record}"
        )
    elif rootfs_image.has_other_content(local, origin, tree.packages, rootfs_image.diff_id_of(local.rootfs_file)):
        console.warn(
            f"{local.name} has the Debian packages of its lock, but not the recorded content: another version of "
            f"mmdebstrap may have made it; it is not published {to_record}"
        )


def check_locked(local: LocalBase, packages: Sequence[str]) -> None:
    """Raise where a base has other Debian packages than its lock.

    Raises:
        DriftError: It has.
    """
    recorded = debian.recorded(local.paths, local.name)
    if lines := debian.drift(recorded or (), packages):
        fix = "take the change with: nox -s lock -- --bases; or build without --locked"
        if from_snapshot.is_tried_again(local):
            fix = f"try its snapshot archive again: nox -s bases -- --base {local.name}; or {fix}"
        raise DriftError(
            f"the base {local.name} differs from its lock in {debian.in_words(lines)}",
            where=str(debian.lock_file(local.paths, local.name)),
            fix=fix,
            details="\n".join(lines),
        )


def differing(
    project: Project, base_names: Iterable[str], published: PublishedBases | None = None
) -> dict[str, PipelineError]:
    """Find the bases that are known to have other Debian packages than their locks, and those whose locks are damaged.

    Args:
        project: The checkout.
        base_names: The bases.
        published: The bases in the registry; see ``build.bases.facts.read``.
    """
    found: dict[str, PipelineError] = {}
    for name in base_names:
        local = local_base(project, name)
        if not isinstance(local.origin, Bootstrapped):
            continue
        try:
            check_locked(local, facts.debian_packages(local, published) or ())
        except PipelineError as failure:
            found[name] = failure
    return found


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


def record_debian(local: LocalBase, origin: Bootstrapped) -> str:
    """Bootstrap a base and record its Debian packages in its lock.

    Returns:
        How many there are, and how many of them changed, in words.

    Raises:
        PipelineError: mmdebstrap failed, or the archive cannot be reached.
    """
    now = datetime.datetime.now(datetime.UTC)  # before: the archive may change meanwhile
    tree = rootfs.bootstrap(local, origin, local.paths.logs / f"bootstrap-{local.name}.log")
    lines = debian.drift(debian.former(local.paths, local.name), tree.packages)
    made = MadeRootfs(
        diff_id=rootfs_image.diff_id_of(local.rootfs_file), arguments=tuple(rootfs.arguments(origin)), time=now
    )
    debian.record_base(local.paths, local.name, tree.packages, origin, made)
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
