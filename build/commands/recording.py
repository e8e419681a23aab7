"""Record the Debian packages and the prefix Pythons of bases in their locks.

Effects: writes ``locks/``, bootstraps bases, uses the network, and prints.
"""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterator, Mapping
from pathlib import Path

from build.bases import facts as base_facts
from build.bases import prepare
from build.bases.local import LocalBase, local_base
from build.bases.prefix import PrefixNotFoundError
from build.checkout.project import Project
from build.errors import LockError, NetworkError, PipelineError
from build.locks import debian, debian_index, prefix_python
from build.matrix.origins import Bootstrapped, CudaImage
from build.system import console


def cuda_pins(project: Project, refresh: bool) -> tuple[dict[str, tuple[str, ...]], list[PipelineError]]:
    """Find the Debian packages of CUDA to record: those that are stale, or all with ``refresh``.

    Returns:
        The packages by base; and why those of bases could not be found: the archive has another CUDA version (a
        ``LockError``), or is not reached (a ``NetworkError``).
    """
    pins: dict[str, tuple[str, ...]] = {}
    failures: list[PipelineError] = []
    for name, base in project.cuda_base_images.items():
        try:
            if isinstance(base.origin, CudaImage) or not (refresh or debian.stale_cuda(project.paths, base)):
                continue
            index = debian_index.parse_index(debian_index.fetch_index(base.suite))
            pins[name] = debian_index.pins(base, index, project.loaded.where("cuda", base.device, "debian"))
        except PipelineError as failure:
            failures.append(failure)
    return pins, failures


def record_cuda(project: Project, pins: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """Record the Debian packages of CUDA: base → packages.  Return the rewritten files: path → differences."""
    changed: dict[str, list[str]] = {}
    for name, packages in pins.items():
        with _noted(project, debian.lock_file(project.paths, name), changed) as differences:
            differences += debian.drift(debian.former(project.paths, name), packages)
            debian.record_cuda(project.paths, name, packages, project.cuda_base_images[name].cuda.debian)
        console.info(f"{name}: {len(packages)} Debian packages with CUDA recorded, {len(differences)} changed")
    return changed


def record_bases(project: Project, refresh: Container[str]) -> tuple[dict[str, list[str]], list[PipelineError]]:
    """Record the Debian packages and the prefix Pythons of bases: those that are stale, and those of ``refresh``.

    Returns:
        The rewritten files, path → differences; and why bases could not be recorded.
    """
    changed: dict[str, list[str]] = {}
    failures: list[PipelineError] = []
    for name in project.matrix.bases:
        local = local_base(project, name)
        if isinstance(local.origin, Bootstrapped) and (name in refresh or _is_stale(local, local.origin)):
            console.info(f"bootstrapping {name} to record its Debian packages")
            before = debian.former(project.paths, name)
            try:
                with _noted(project, debian.lock_file(project.paths, name), changed) as differences:
                    console.info(f"{name}: {prepare.record_debian(local, local.origin)}")
                    differences += debian.drift(before, debian.former(project.paths, name))
            except NetworkError as failure:
                console.warn(f"{name}: its Debian packages were not recorded: {failure.what}")
            except PipelineError as failure:
                failures.append(failure)
                continue
        if name in refresh or _has_stale_python(local):
            try:
                with _noted(project, prefix_python.lock_file(project.paths, name), changed) as differences:
                    if python := prepare.record_python(local):
                        console.info(f"{name}: CPython {python.version} recorded, sha256 {python.sha256}")
                        differences.append(f"CPython {python.version}, sha256 {python.sha256}")
            except PrefixNotFoundError as failure:
                console.warn(f"{name}: its Python was not recorded: {failure.what} (searched: {failure.where})")
    return changed, failures


@contextlib.contextmanager
def _noted(project: Project, file: Path, changed: dict[str, list[str]]) -> Iterator[list[str]]:
    """Note a file if the body changes it, with the differences that the body adds."""
    before = file.read_bytes() if file.is_file() else None
    differences: list[str] = []
    yield differences
    if file.is_file() and file.read_bytes() != before:
        changed[str(file.relative_to(project.paths.root))] = differences or ["its header"]


def _is_stale(local: LocalBase, origin: Bootstrapped) -> bool:
    """Tell whether the Debian packages of a base must be recorded again; a damaged lock must."""
    try:
        return bool(debian.stale_base(local.paths, local.name, origin))
    except LockError:
        return True


def _has_stale_python(local: LocalBase) -> bool:
    try:
        return bool(base_facts.stale_python(local))
    except LockError:
        return True
