"""The limit of this machine: the same packages, installed, compiled and compressed once, each step on all cores."""

from __future__ import annotations

import io
import os
import shutil
import sys
import tarfile
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import uv

from bench.report import Limit
from bench.steps import step
from build.locks.lock import Lock, LockedPackage
from build.system import processes

_CHUNK = 4_000_000


def union(locks: Iterable[Lock]) -> tuple[LockedPackage, ...]:
    """The packages of several locks, each once, by name."""
    found: dict[tuple[str, str], LockedPackage] = {}
    for lock in locks:
        for package in lock.packages:
            found.setdefault((package.name, package.version), package)
    return tuple(found[key] for key in sorted(found))


def measure(locks: Sequence[Lock], work: Path, *, log: Path, variables: Mapping[str, str]) -> Limit:
    """Measure the limit.

    Args:
        locks: The locks of the rows, which agree on shared packages.
        work: An empty folder on a disk; deleted afterwards.
        log: The file for uv's output.
        variables: Added to uv's environment (the CA bundle).

    Raises:
        EngineError: A step failed.
    """
    packages = union(locks)
    work.mkdir(parents=True)
    try:
        wanted, site, tar = work / "union.txt", work / "site", work / "site.tar"
        wanted.write_text("".join(f"{package.requirement}\n" for package in packages), encoding="utf-8")
        install = step(
            [
                *(uv.find_uv_bin(), "pip", "install", "--quiet", "--no-config", "--no-cache", "--link-mode", "copy"),
                *("--target", str(site), "--no-deps", "--require-hashes", "--only-binary", ":all:"),
                *("--python", sys.executable, "--python-version", locks[0].python),
                *("--python-platform", locks[0].platform, "--requirement", str(wanted)),
            ],
            cwd=work,
            variables=variables,
            log=log,
            what="installing the union of the locks",
        )
        began = time.monotonic()
        # Its exit code does not count: some packages contain templates that are not valid Python.
        processes.run([sys.executable, "-m", "compileall", "-q", "-j", "0", site])
        bytecode = time.monotonic() - began
        with tarfile.open(tar, "w") as archive:
            archive.add(site, arcname=".")
        zstd, zstd_size = _zstd(tar)
        began = time.monotonic()
        gzip_size = gzip(tar)
        return Limit(
            install=install,
            bytecode=bytecode,
            zstd=zstd,
            gzip=time.monotonic() - began,
            packages=len(packages),
            size=tar.stat().st_size,
            zstd_size=zstd_size,
            gzip_size=gzip_size,
        )
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _zstd(tar: Path) -> tuple[float | None, int | None]:
    tool = shutil.which("zstd")
    if tool is None:
        return None, None
    target = tar.with_suffix(".tar.zst")
    began = time.monotonic()
    processes.run([tool, "-q", "-3", "-T0", tar, "-o", target]).check_returncode()
    return time.monotonic() - began, target.stat().st_size


def gzip(tar: Path) -> int:
    """Compress with zlib at its default level, in pieces on all cores, and return the bytes."""

    def piece(content: bytes) -> int:
        return len(zlib.compress(content, 6))

    with tar.open("rb") as file, ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return sum(pool.map(piece, _pieces(file)))


def _pieces(file: io.BufferedReader) -> Iterable[bytes]:
    while content := file.read(_CHUNK):
        yield content
