"""Make a base from a snapshot archive, where Debian's archive no longer has the packages of its lock.

If the snapshot archive does not give them, the base of today is used. The archive is tried again when a base is
prepared the next time: at the earliest after some minutes, or as soon as 'snapshot' in the matrix has changed.

Effects: mmdebstrap, files in ``.pipeline/``.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from build.bases import rootfs, snapshot
from build.bases.local import LocalBase
from build.bases.published_note import noted
from build.bases.rootfs import Rootfs
from build.errors import PipelineError
from build.locks import debian
from build.matrix.origins import Bootstrapped, SnapshotArchive
from build.system import console, state

#: An attempt takes as long as a bootstrap, and a build may prepare a base more than once.
PAUSE = datetime.timedelta(minutes=10)
#: The key of the record of a bootstrap: which archive was tried, and when.
_TRIED = "snapshot"


def bootstrap(local: LocalBase, origin: Bootstrapped, archive: SnapshotArchive, wanted: Sequence[str]) -> Rootfs | None:
    """Bootstrap a base from a snapshot archive; None, with a warning, where that does not have what its lock says.

    Args:
        local: The base, of which this clone has a root file system.
        origin: What it is made from.
        archive: The snapshot archive.
        wanted: The packages that it should have, ``name=version``.
    """
    moment = debian.recorded_at(local.paths, local.name)
    if moment is None:
        console.warn(f"the lock of the base {local.name} does not say when it was recorded: the snapshot is not used")
        return None
    where = snapshot.address(archive, "debian", moment)
    console.info(f"Debian's archive has other packages than the lock of {local.name}: bootstrapping it from {where}")
    log = local.paths.logs / f"bootstrap-{local.name}-snapshot.log"
    keyring = local.paths.root / Path(archive.keyring).expanduser() if archive.keyring else None
    try:
        with rootfs.readable(keyring) as keys:
            sources = snapshot.sources(rootfs.usual_sources(local), archive, moment, keys)
            tree = rootfs.bootstrap_from(local, origin, sources, wanted, log)
    except PipelineError as failure:
        console.warn(f"the base {local.name} is not made from the snapshot: {failure.reason}")
    else:
        if tree is not None:
            return tree
        console.warn(f"{where} does not have the packages of the lock of {local.name} either: it is not used")
    # Only now: if the attempt is interrupted, the archive has not failed.
    _write(local, {"archive": _identity(archive), "time": datetime.datetime.now(datetime.UTC).isoformat()})
    return None


def again(local: LocalBase, origin: Bootstrapped, tree: Rootfs) -> Rootfs | None:
    """Try the snapshot archive again, if a base does not have the packages of its lock.

    Args:
        local: The base.
        origin: What it is made from.
        tree: The root file system that this clone has of it.

    Returns:
        The root file system with the packages of the lock; None where the one that this clone has is used.
    """
    wanted = debian.recorded(local.paths, local.name)
    if origin.snapshot is None or wanted is None or tuple(wanted) == tree.packages:
        return None
    tried = _tried(local)
    if tried.get("refreshed"):
        return None
    next_try = _next_try(tried, origin.snapshot)
    if next_try is not None:
        console.warn(
            f"{local.name} differs from its lock in {debian.in_words(debian.drift(wanted, tree.packages))}, which "
            f"its snapshot archive did not give; it is tried again after {next_try:%H:%M} (UTC), or once 'snapshot' "
            "in matrix.yaml has changed"
        )
        return None
    return bootstrap(local, origin, origin.snapshot, wanted)


def is_tried_again(local: LocalBase) -> bool:
    """Tell whether a base with other packages than its lock is made from its snapshot archive when it is prepared.

    Args:
        local: The base.
    """
    origin = local.origin
    if not isinstance(origin, Bootstrapped) or origin.snapshot is None or noted(local, origin) is not None:
        return False
    return not _tried(local).get("refreshed")


def keep_refreshed(local: LocalBase) -> None:
    """Note that a root file system has the packages of today because a person asked for these: they stay."""
    _write(local, {"refreshed": True})


def _write(local: LocalBase, tried: dict[str, object]) -> None:
    known = state.read_json(local.bootstrap_record)
    if known:
        state.write_json(local.bootstrap_record, {**known, _TRIED: tried})


def _tried(local: LocalBase) -> Mapping[str, Any]:
    tried = (state.read_json(local.bootstrap_record) or {}).get(_TRIED)
    return tried if isinstance(tried, dict) else {}


def _next_try(tried: Mapping[str, Any], archive: SnapshotArchive) -> datetime.datetime | None:
    """Return when an archive that failed a short time ago may be tried again; None if it may be tried now."""
    if tried.get("archive") != _identity(archive):
        return None
    try:
        time = datetime.datetime.fromisoformat(tried["time"])
        # A time that is still to come is that of a clock that was corrected since.
        is_recent = time <= datetime.datetime.now(datetime.UTC) < time + PAUSE
    except (KeyError, TypeError, ValueError):  # the record is damaged
        return None
    return time + PAUSE if is_recent else None


def _identity(archive: SnapshotArchive) -> list[str | None]:
    return [archive.url, archive.keyring]
