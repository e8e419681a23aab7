"""Compare the libraries that a prefix needs with those of a base.  Reads the root file system of the base."""

from __future__ import annotations

import tarfile
from pathlib import Path, PurePosixPath

from packaging.version import Version

from build.bases.prefix import PrefixError
from build.bases.prefix_archive import Archive

#: Library that a CPython needs → its Debian package, as Debian 12 calls it (Debian 13 adds ``t64`` to some names).
_DEBIAN = {
    "libbz2.so.1.0": "libbz2-1.0",
    "libcrypt.so.1": "libcrypt1",
    "libcrypto.so.3": "libssl3",
    "libdb-5.3.so": "libdb5.3",
    "libexpat.so.1": "libexpat1",
    "libffi.so.8": "libffi8",
    "libgdbm.so.6": "libgdbm6",
    "libgdbm_compat.so.4": "libgdbm-compat4",
    "liblzma.so.5": "liblzma5",
    "libncursesw.so.6": "libncursesw6",
    "libpanelw.so.6": "libncursesw6",
    "libreadline.so.8": "libreadline8",
    "libsqlite3.so.0": "libsqlite3-0",
    "libssl.so.3": "libssl3",
    "libtinfo.so.6": "libtinfo6",
    "libuuid.so.1": "libuuid1",
    "libz.so.1": "zlib1g",
}


def check_fits(archive: Archive, base_name: str, *, rootfs: Path, glibc: str, where: str) -> None:
    """Raise where a root file system lacks libraries that a prefix needs.

    Args:
        archive: The prefix.
        base_name: The base.
        rootfs: The root file system of the base, a tar.
        glibc: The glibc of the base: ``2.36``.
        where: The place in the matrix of the packages of the base.

    Raises:
        PrefixError: A library is missing, or its glibc is too old.
    """
    if archive.glibc is not None and archive.glibc > Version(glibc).release:
        raise PrefixError(
            f"CPython {archive.version} was built for glibc {archive.glibc[0]}.{archive.glibc[1]} or newer; "
            f"the base {base_name} has {glibc}",
            where=where,
            fix="build the Python on the base's own system or an older one, or take a newer base",
        )
    with tarfile.open(rootfs) as tar:
        libraries = {PurePosixPath(name).name for name in tar.getnames() if ".so" in name}
    missing = {soname: file for soname, file in archive.needs.items() if soname not in libraries}
    if missing:
        packages = sorted({_DEBIAN[soname] for soname in missing if soname in _DEBIAN})
        raise PrefixError(
            f"the base {base_name} lacks libraries that CPython {archive.version} needs: {', '.join(sorted(missing))}",
            where=where,
            fix="add their Debian packages to the base's packages"
            + (f": {', '.join(packages)} (as Debian 12 calls them)" if packages else ""),
            details="\n".join(f"{soname} is needed by {file}" for soname, file in sorted(missing.items())),
        )
