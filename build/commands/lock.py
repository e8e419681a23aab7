"""`nox -s lock`: resolve, compare, write or only say what is stale."""

from __future__ import annotations

import time
from collections.abc import Sequence

import click

from build.bases import facts as base_facts
from build.bases import prepare
from build.bases.local import local_base
from build.bases.prefix import PrefixNotFoundError
from build.checkout.project import Project, open_project
from build.commands.options import Session
from build.errors import DriftError, LockError, NetworkError
from build.feasibility import cuda_agreement
from build.feasibility import reports as cell_reports
from build.feasibility.cells import Verdict, built_from_source, check_pins, explain_failure, with_neighbours
from build.feasibility.excludes import check_excludes
from build.feasibility.facts import Facts
from build.locks import debian, debian_index
from build.locks import lock as locks
from build.locks.lock import Lock
from build.locks.make import NewLocks, make_locks
from build.matrix.origins import Bootstrapped, CudaImage
from build.packages.cuda import is_cuda
from build.paths import Paths, repository, write_atomically
from build.system import console, state


def lock_command(paths: Paths, *, check: bool, refresh_bases: bool) -> None:
    """Make the locks of every image of the matrix; all or nothing is written.

    Args:
        paths: The checkout.
        check: Write nothing.
        refresh_bases: Bootstrap the bases anew and record their Debian packages.

    Raises:
        LockError: Pins that no index can satisfy, or a CUDA that is not what its framework was built with.
        DriftError: With ``check``, where a lock is stale.
        NetworkError: The index is not reached.
    """
    project = open_project(paths)
    began = time.monotonic()
    console.step(f"resolving {len(project.variants)} images, the index as of {project.exclude_newer}")
    cuda_pins = {} if check else _cuda_pins(project, refresh_bases)
    facts = Facts(project)
    facts.prepare()
    if wrong := check_pins(facts):
        raise cell_reports.impossible(project.loaded, _with_neighbours(facts, wrong))
    result = make_locks(project.matrix, project.variants, project.locks, project.used_bases(project.variants))
    for name, failure in result.not_reached.items():
        console.warn(f"{name} keeps the lock it has: {failure.what} (searched: {failure.where})")
    for name, failure in result.replaced.items():
        console.warn(f"{name} is locked from the default index: {failure.what} (searched: {failure.where})")
    if broken := _broken(facts, result):
        raise cell_reports.impossible(project.loaded, _with_neighbours(facts, broken))
    cuda_agreement.check(project, result.locks)
    _check_excludes(facts)
    changed: dict[str, list[str]] = {}
    if check:
        stale = debian.stale_cuda(paths, project.cuda_bases)
        changed |= {str(debian.lock_file(paths, name).relative_to(paths.root)): why for name, why in stale.items()}
    for path, lock in result.locks.items():
        file = paths.root / path
        if not file.is_file() or file.read_text(encoding="utf-8") != locks.to_text(lock):
            changed[path] = locks.difference(_old(paths, path), lock) or ["its header"]
    for path, lines in changed.items():
        console.info(f"{path}: " + "; ".join(lines[:8]) + (f"; and {len(lines) - 8} more" if len(lines) > 8 else ""))
    if check:
        if changed:
            raise DriftError(
                f"{len(changed)} of {len(result.locks) + len(project.cuda_bases)} locks are stale",
                where=", ".join(changed),
                fix="nox -s lock generate",
            )
    else:
        for path in changed:
            write_atomically(paths.root / path, locks.to_text(result.locks[path]))
        for file in sorted(paths.locks.glob("*/*.txt")):
            relative = str(file.relative_to(paths.root))
            kept = {project.lock_path(variant) for variant in project.variants}
            kept |= {f"locks/{name}/debian.txt" for name in (*project.matrix.bases, *project.cuda_bases)}
            kept |= {f"locks/{name}/python.txt" for name, base in project.matrix.bases.items() if base.prefix}
            if relative not in result.locks and relative not in kept:
                file.unlink()
                console.info(f"{relative} (removed: no image of the matrix has it)")
        for name, pins in cuda_pins.items():
            lines = debian.drift(debian.recorded(paths, name) or (), pins)
            debian.record(paths, name, pins, asked=project.cuda_bases[name].cuda.debian)
            console.info(f"{name}: {len(pins)} Debian packages of its CUDA recorded, {len(lines)} changed")
        _record_bases(project, refresh_bases)
    agreed = _agreement(result)
    console.out.print(
        f"{len(result.locks)} locks, {len(changed)} {'stale' if check else 'written'}, "
        f"{console.seconds(time.monotonic() - began)}; {agreed}"
    )


def _old(paths: Paths, path: str) -> Lock | None:
    try:
        return locks.read(paths.root / path)
    except LockError:
        return None


def _broken(facts: Facts, result: NewLocks) -> list[Verdict]:
    """The images that the resolver has no packages for, each with its reason."""
    project = facts.project
    images = {variant.name: variant for variant in project.variants}
    # Where the server's pins are wrong, its images say so too.
    found = [
        explain_failure(facts, images[title], failure.details or failure.what)
        for title, failure in result.failed.items()
        if title in images
    ]
    for variant in project.variants:
        lock = result.locks.get(project.lock_path(variant))
        findings = built_from_source(facts, variant, lock.packages) if lock is not None else ()
        if findings:
            found.append(Verdict(name=variant.name, variant=variant, findings=findings))
    return found


def _with_neighbours(facts: Facts, verdicts: Sequence[Verdict]) -> list[Verdict]:
    broken = {verdict.name for verdict in verdicts}
    there = [variant for variant in facts.project.variants if variant.name not in broken]
    return [with_neighbours(facts, verdict, there) for verdict in verdicts]


def _check_excludes(facts: Facts) -> None:
    """Say of each exclude why it holds, and warn where it is not needed any more."""
    loaded = facts.project.loaded
    try:
        checked = check_excludes(facts)
    except NetworkError as failure:
        console.warn(f"the excludes were not checked: {failure.what}")
        return
    for item in checked:
        if line := cell_reports.exclude_line(loaded, item):
            console.info(line)
    for item in checked:
        if warning := cell_reports.exclude_warning(loaded, item):
            console.warn(warning)


def _agreement(result: NewLocks) -> str:
    """Whether the images of each base agree on the packages they share."""
    apart: set[str] = set()
    versions: dict[tuple[str, str], str] = {}
    for path, lock in result.locks.items():
        for name, version in lock.versions().items():
            # CUDA is as each image pins it.
            if not is_cuda(name) and versions.setdefault((path.split("/")[1], name), version) != version:
                apart.add(name)
    return "the images of a base differ on: " + ", ".join(sorted(apart)) if apart else "the images of each base agree"


def _cuda_pins(project: Project, refresh: bool) -> dict[str, tuple[str, ...]]:
    """The Debian packages of each base's CUDA that are to be recorded, by the base's name."""
    stale = debian.stale_cuda(project.paths, project.cuda_bases)
    found: dict[str, tuple[str, ...]] = {}
    for name, base in project.cuda_bases.items():
        if isinstance(base.origin, CudaImage) or not (refresh or name in stale):
            continue
        index = debian_index.parse_index(debian_index.fetch_index(base.suite))
        found[name] = debian_index.pins(base, index, project.loaded.where("cuda", base.device, "debian"))
    return found


def _record_bases(project: Project, refresh: bool) -> None:
    """Record the Debian packages and the prefix Pythons of bases: those that are missing, or all with ``refresh``."""
    for name in project.matrix.bases:
        local = local_base(project, name)
        if isinstance(local.origin, Bootstrapped) and (refresh or debian.recorded(project.paths, name) is None):
            console.info(f"bootstrapping {name} to record its Debian packages")
            try:
                console.info(f"{name}: {prepare.record_debian(local, local.origin)}")
            except NetworkError as failure:
                console.warn(f"{name}: its Debian packages were not recorded: {failure.what}")
        if refresh or base_facts.stale_python(local):
            try:
                if python := prepare.record_python(local):
                    console.info(f"{name}: CPython {python.version} recorded, sha256 {python.sha256}")
            except PrefixNotFoundError as failure:
                console.warn(f"{name}: its Python was not recorded: {failure.what} (searched: {failure.where})")


@click.command("lock", cls=Session)
@click.option("--check", is_flag=True, help="Write nothing; list the stale locks and fail if there are any.")
@click.option("--bases", "refresh_bases", is_flag=True, help="Bootstrap the bases again and record their packages.")
def lock_images(check: bool, refresh_bases: bool) -> None:
    """Resolve the packages of every image and write them to locks/, with hashes."""
    with state.exclusive(repository(), "lock"):
        lock_command(repository(), check=check, refresh_bases=refresh_bases)
