"""`nox -s lock`: resolve the packages of every image; write the locks, or report the stale ones.

Effects: writes ``locks/``, bootstraps bases, uses the network, and prints.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path

import click
from packaging.specifiers import SpecifierSet

from build.bases import facts as base_facts
from build.bases import prepare
from build.bases.local import LocalBase, local_base
from build.bases.prefix import PrefixNotFoundError
from build.checkout.project import Project, open_project
from build.commands.options import Session, json_option
from build.errors import DriftError, LockError, NetworkError, PipelineError
from build.feasibility import cuda_agreement
from build.feasibility import reports as cell_reports
from build.feasibility.cells import (
    Verdict,
    built_from_source,
    check_pins,
    explain_failure,
    with_neighbours,
    yanked_pins,
)
from build.feasibility.excludes import check_excludes
from build.feasibility.facts import Facts
from build.locks import debian, debian_index, prefix_python
from build.locks import lock as locks
from build.locks.lock import Lock
from build.locks.make import NewLocks, make_locks
from build.matrix.origins import Bootstrapped, CudaImage
from build.packages.cuda import is_cuda
from build.paths import Paths, repository, write_atomically
from build.requirements import distribution_name, parse
from build.system import console, state

#: Number of differences printed for one lock.
_LINES = 8


def lock_command(paths: Paths, *, check: bool, refresh_bases: bool, as_json: bool = False) -> None:
    """Make the locks of every image of the matrix; either all are written or none.

    Args:
        paths: The project.
        check: Write nothing; compare the locks with the matrix and the index.
        refresh_bases: Bootstrap the bases again and record their Debian packages.
        as_json: Print the result as JSON: the changed locks with all their differences.

    Raises:
        LockError: No set of packages satisfies some pins, or a CUDA version is not the one of its framework.
        DriftError: With ``check``: a lock is stale.
        NetworkError: The index is not reached.
    """
    project = open_project(paths)
    began = time.monotonic()
    console.step(
        f"resolving {console.count(len(project.variants), 'image')}, with the index as of {project.exclude_newer}"
    )
    cuda = {} if check else cuda_pins(project, refresh_bases)
    facts = Facts(project)
    new = _make(facts)
    _check_excludes(facts)
    changed = {**(_stale_debian(project) if check else {}), **changes(project, new)}
    for path, lines in changed.items():
        more = f"; and {len(lines) - _LINES} more" if len(lines) > _LINES else ""
        console.info(f"{path}: " + "; ".join(lines[:_LINES]) + more)
    result = json.dumps({"locks": len(new.locks), "stale" if check else "written": changed}, indent=2)
    if not check:
        write(project, new, changed)
        record_cuda(project, cuda)
        record_bases(project, project.matrix.bases if refresh_bases else ())
    elif changed:
        if as_json:
            click.echo(result)
        raise DriftError(
            f"{len(changed)} of {len(new.locks) + len(project.cuda_base_images)} locks are stale",
            where=", ".join(changed),
            fix="nox -s lock generate",
        )
    if as_json:
        click.echo(result)
        return
    console.out.print(
        f"{len(new.locks)} locks, {len(changed)} {'stale' if check else 'written'}, "
        f"{console.seconds(time.monotonic() - began)}; {_agreement(new)}"
    )


def _make(facts: Facts) -> NewLocks:
    """Resolve all images, and check that the results can be built.

    Raises:
        LockError: Some images cannot be built; it has their reasons.
        NetworkError: The index is not reached.
    """
    project = facts.project
    facts.prepare()
    if wrong := check_pins(facts):
        raise cell_reports.impossible(project.loaded, _with_neighbours(facts, wrong))
    facts.check_upload_times()
    _check_yanked(facts)
    new = make_locks(project.matrix, project.variants, project.locks, project.build_base_names(project.variants))
    for name, failure in new.not_reached.items():
        console.warn(f"{name} keeps its lock: {failure.what} (searched: {failure.where})")
    for name, failure in new.replaced.items():
        console.warn(f"{name} is locked from the default index: {failure.what} (searched: {failure.where})")
    if failed := _failed(facts, new):
        raise cell_reports.impossible(project.loaded, _with_neighbours(facts, failed))
    for unsatisfiable in new.failed.values():  # of no image: the packages that source-only packages are built with
        raise unsatisfiable
    cuda_agreement.check(project, new.locks)
    return new


def _check_yanked(facts: Facts) -> None:
    """Refuse pins of yanked releases, except those that the matrix allows: those give a warning.

    Raises:
        LockError: With the index's reasons.
    """
    project = facts.project
    allowed = {_pin(text) for text in project.matrix.project.allow_yanked}
    refused: list[Verdict] = []
    warned: list[Verdict] = []
    for item in yanked_pins(facts):
        both = [
            tuple(one for one in item.findings if (_pin(one.requirement) in allowed) is is_allowed)
            for is_allowed in (False, True)
        ]
        for findings, verdicts in zip(both, (refused, warned), strict=True):
            if findings:
                verdicts.append(dataclasses.replace(item, findings=findings))
    if refused:
        raise cell_reports.impossible(project.loaded, _with_neighbours(facts, refused))
    for line in cell_reports.yanked_lines(project.loaded, warned):
        console.warn(line)


def _pin(requirement: str) -> tuple[str, SpecifierSet]:
    return distribution_name(requirement), parse(requirement).specifier


def _stale_debian(project: Project) -> dict[str, list[str]]:
    """Return the stale Debian locks: path → reasons."""
    stale = {name: debian.stale_cuda(project.paths, base) for name, base in project.cuda_base_images.items()}
    for name, base in project.matrix.bases.items():
        if isinstance(base.origin, Bootstrapped):
            stale[name] = debian.stale_base(project.paths, name, base.origin)
    return {
        str(debian.lock_file(project.paths, name).relative_to(project.paths.root)): reasons
        for name, reasons in stale.items()
        if reasons
    }


def changes(project: Project, new: NewLocks) -> dict[str, list[str]]:
    """Return the new locks that differ from the committed ones: path → differences."""
    changed = {}
    for path, lock in new.locks.items():
        file = project.paths.root / path
        if not file.is_file() or file.read_bytes() != locks.to_text(lock).encode():
            changed[path] = locks.difference(_old(file), lock) or ["its header"]
    return changed


def write(project: Project, new: NewLocks, changed: Iterable[str]) -> None:
    """Write the changed locks, and remove those of images that the matrix no longer has."""
    paths = project.paths
    for path in changed:
        write_atomically(paths.root / path, locks.to_text(new.locks[path]))
    kept = new.locks.keys() | {project.lock_path(variant) for variant in project.variants}
    kept |= {f"locks/{name}/debian.txt" for name in (*project.matrix.bases, *project.cuda_base_images)}
    kept |= prefix_python.lock_files(project.matrix.bases)
    for file in sorted(paths.locks.glob("*/*.txt")):
        path = str(file.relative_to(paths.root))
        if path not in kept:
            file.unlink()
            console.info(f"{path} (removed: no image of the matrix has it)")


def _old(file: Path) -> Lock | None:
    try:
        return locks.read(file)
    except LockError:
        return None


def _failed(facts: Facts, new: NewLocks) -> list[Verdict]:
    """Return the images that cannot be built by the resolver's answer, each with its reason."""
    project = facts.project
    images = {variant.name: variant for variant in project.variants}
    # If the server's own pins are wrong, its images fail too, and give the reason.
    verdicts = [
        explain_failure(facts, images[title], failure.details or failure.what)
        for title, failure in new.failed.items()
        if title in images
    ]
    for variant in project.variants:
        lock = new.locks.get(project.lock_path(variant))
        findings = built_from_source(facts, variant, lock.packages) if lock is not None else ()
        if findings:
            verdicts.append(Verdict(name=variant.name, variant=variant, findings=findings))
    return verdicts


def _with_neighbours(facts: Facts, verdicts: Sequence[Verdict]) -> list[Verdict]:
    failed = {verdict.name for verdict in verdicts}
    others = [variant for variant in facts.project.variants if variant.name not in failed]
    return [with_neighbours(facts, verdict, others) for verdict in verdicts]


def _check_excludes(facts: Facts) -> None:
    """Print why each exclude holds, and warn about those that are no longer needed."""
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


def _agreement(new: NewLocks) -> str:
    """Return a line about the packages that images of one base have in different versions; CUDA's do not count."""
    differing: set[str] = set()
    versions: dict[tuple[Path, str], str] = {}
    for path, lock in new.locks.items():
        for name, version in lock.versions().items():
            if not is_cuda(name) and versions.setdefault((Path(path).parent, name), version) != version:
                differing.add(name)
    if differing:
        return "the images of a base differ on: " + ", ".join(sorted(differing))
    return "the images of each base agree"


def cuda_pins(project: Project, refresh: bool) -> dict[str, tuple[str, ...]]:
    """Return the Debian packages of CUDA to record, by base: those that are stale, or all with ``refresh``."""
    pins: dict[str, tuple[str, ...]] = {}
    for name, base in project.cuda_base_images.items():
        if isinstance(base.origin, CudaImage) or not (refresh or debian.stale_cuda(project.paths, base)):
            continue
        index = debian_index.parse_index(debian_index.fetch_index(base.suite))
        pins[name] = debian_index.pins(base, index, project.loaded.where("cuda", base.device, "debian"))
    return pins


def record_cuda(project: Project, pins: Mapping[str, tuple[str, ...]]) -> None:
    """Record the Debian packages of CUDA: base → packages."""
    for name, packages in pins.items():
        lines = debian.drift(debian.former(project.paths, name), packages)
        debian.record_cuda(project.paths, name, packages, project.cuda_base_images[name].cuda.debian)
        console.info(f"{name}: {len(packages)} Debian packages with CUDA recorded, {len(lines)} changed")


def record_bases(project: Project, refresh: Container[str]) -> None:
    """Record the Debian packages and the prefix Pythons of bases: those that are stale, and those of ``refresh``.

    Raises:
        PipelineError: A base could not be recorded; all others are.
    """
    failures: list[PipelineError] = []
    for name in project.matrix.bases:
        local = local_base(project, name)
        if isinstance(local.origin, Bootstrapped) and (name in refresh or _is_stale(local, local.origin)):
            console.info(f"bootstrapping {name} to record its Debian packages")
            try:
                console.info(f"{name}: {prepare.record_debian(local, local.origin)}")
            except NetworkError as failure:
                console.warn(f"{name}: its Debian packages were not recorded: {failure.what}")
            except PipelineError as failure:
                failures.append(failure)
                continue
        if name in refresh or _has_stale_python(local):
            try:
                if python := prepare.record_python(local):
                    console.info(f"{name}: CPython {python.version} recorded, sha256 {python.sha256}")
            except PrefixNotFoundError as failure:
                console.warn(f"{name}: its Python was not recorded: {failure.what} (searched: {failure.where})")
    for other in failures[1:]:
        console.warn(f"{other.what} ({other.where})")
    if failures:
        raise failures[0]


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


@click.command("lock", cls=Session)
@click.option("--check", is_flag=True, help="Write nothing; list the stale locks and fail if there are any.")
@click.option("--bases", "refresh_bases", is_flag=True, help="Bootstrap the bases again and record their packages.")
@json_option
def lock_images(check: bool, refresh_bases: bool, as_json: bool) -> None:
    """Resolve the packages of every image, with hashes.

    It writes them to locks/.  Run `nox -s generate` afterwards.
    """
    with state.exclusive(repository(), "lock"):
        lock_command(repository(), check=check, refresh_bases=refresh_bases, as_json=as_json)
