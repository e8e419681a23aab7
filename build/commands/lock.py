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

from build.checkout.project import Project, open_project
from build.commands.options import Session, json_option
from build.commands.recording import cuda_pins, record_bases, record_cuda
from build.errors import DriftError, LockError, NetworkError, PipelineError
from build.feasibility import reports as cell_reports
from build.feasibility import resolving
from build.feasibility.cells import Verdict, check_pins, with_neighbours, yanked_pins
from build.feasibility.excludes import check_excludes
from build.feasibility.facts import Facts
from build.feasibility.resolving import Resolved
from build.locks import debian, prefix_python
from build.locks import lock as locks
from build.locks.lock import Lock
from build.locks.make import NewLocks
from build.locks.resolve import UnsatisfiableError
from build.locks.stale import stale_locks
from build.matrix.origins import Bootstrapped
from build.packages.cuda import is_cuda
from build.paths import Paths, repository, write_atomically
from build.requirements import distribution_name, parse
from build.system import console, signals, state

#: Number of differences printed for one lock.
_LINES = 8
#: What is said about the other images if none was locked.
_NOTHING_WRITTEN = "nothing was written"


def lock_command(
    paths: Paths, *, check: bool, refresh_bases: bool, all_or_nothing: bool = False, as_json: bool = False
) -> None:
    """Make the locks of every image of the matrix.

    An image that cannot be built stops no other one: it keeps the lock that it has, and the command fails at its end.
    Neither does a base whose Debian packages cannot be recorded.

    Args:
        paths: The project.
        check: Write nothing; compare the locks with the matrix and the index.
        refresh_bases: Bootstrap the bases again and record their Debian packages.
        all_or_nothing: Write nothing if an image cannot be built.
        as_json: Print the result as JSON: the changed locks with all their differences, and the images that failed.

    Raises:
        LockError: No set of packages satisfies some pins, a CUDA version is not the one of its framework, or Debian's
            archive does not have one.
        DriftError: With ``check``: a lock is stale.
        NetworkError: The index is not reached; nothing is written. Or Debian's archive is not reached for CUDA; all
            other locks are written.
    """
    project = open_project(paths)
    began = time.monotonic()
    console.step(
        f"resolving {console.count(len(project.variants), 'image')}, with the index as of {project.exclude_newer}"
    )
    cuda, failures = ({}, []) if check else cuda_pins(project, refresh_bases)
    facts = Facts(project)
    made = _make(facts, all_or_nothing=all_or_nothing)
    _check_excludes(facts)
    new = made.locks
    changed = {**(_stale_debian(project) if check else {}), **changes(project, new)}
    _print_changes(changed)
    if not check and len(made.failed_names) < len(project.variants):
        write(project, new, changed, made.failed_names)
        recorded = record_cuda(project, cuda)
        of_bases, not_recorded = record_bases(project, project.matrix.bases if refresh_bases else ())
        changed |= recorded | of_bases
        failures += not_recorded
    word = "stale" if check else "written"
    if as_json:
        click.echo(_to_json(project, made, word, changed))
    elif not (check and changed):
        took = console.seconds(time.monotonic() - began)
        console.out.print(f"{len(new.locks)} locks, {len(changed)} {word}, {took}; {_agreement(new)}")
    _fail(project, facts, made, changed, failures, check=check)


def _print_changes(changed: Mapping[str, Sequence[str]]) -> None:
    for path, lines in changed.items():
        more = f"; and {len(lines) - _LINES} more" if len(lines) > _LINES else ""
        console.info(f"{path}: " + "; ".join(lines[:_LINES]) + more)


def _to_json(project: Project, made: Resolved, word: str, changed: Mapping[str, Sequence[str]]) -> str:
    reasons = {verdict.name: verdict.says for verdict in made.failed}
    reasons |= {name: "; ".join(sentences) for name, sentences in made.contradictions.items()}
    failed = {name: {"reason": reason, "lock": lock_left(project, name)} for name, reason in reasons.items()}
    return json.dumps({"locks": len(made.locks.locks), word: changed, "failed": failed}, indent=2)


def _fail(
    project: Project,
    facts: Facts,
    made: Resolved,
    changed: Mapping[str, Sequence[str]],
    failures: Sequence[PipelineError],
    *,
    check: bool,
) -> None:
    """Raise if an image cannot be built, if a lock is stale, or if a base could not be recorded."""
    stale = DriftError(
        f"{len(changed)} of {len(made.locks.locks) + len(project.cuda_base_images)} locks are stale",
        where=", ".join(changed),
        fix="nox -s lock generate",
    )
    found = [stale] if check and changed else list(failures)
    if made.failed_names:
        raise_last: PipelineError = _cannot_be_built(facts, made, _outcome(project, made, check=check))
    elif found:
        raise_last = found.pop(0)
    else:
        return
    for other in found:
        console.warn(other.reason)
    raise raise_last


def _outcome(project: Project, made: Resolved, *, check: bool) -> str:
    """Return what was done about the images that can be built."""
    if check or len(made.failed_names) == len(project.variants):
        return _NOTHING_WRITTEN
    return "all other locks were written"


def _cannot_be_built(facts: Facts, made: Resolved, outcome: str) -> LockError:
    project = facts.project
    return cell_reports.impossible(
        project.loaded,
        _with_neighbours(facts, made.failed, made.failed_names),
        contradictions=[(project.variant(name), sentences) for name, sentences in made.contradictions.items()],
        outcome=outcome,
        locks=[f"{name}: {lock_left(project, name)}" for name in sorted(made.failed_names)],
    )


def lock_left(project: Project, name: str) -> str:
    """Return what is left of the lock of an image that cannot be built, in words."""
    variant = project.variant(name)
    path = project.lock_path(variant)
    reasons = stale_locks(project.matrix, project.locks, [variant]).get(path)
    if not (project.paths.root / path).is_file():
        return "it has no lock"
    if reasons:
        return f"it keeps its lock, which is stale: {'; '.join(reasons)}"
    return "it keeps its lock, and is still built and published from it; exclude the cell to stop that"


def _make(facts: Facts, *, all_or_nothing: bool) -> Resolved:
    """Resolve all images that can be built.

    Raises:
        LockError: With ``all_or_nothing``: some images cannot be built; it has their reasons.  Or the tools that all
            images need cannot be locked.
        NetworkError: The index is not reached.
    """
    project = facts.project
    facts.prepare()
    wrong = {verdict.name: verdict for verdict in check_pins(facts)}
    facts.check_upload_times()
    for verdict in _refused_yanked(facts):
        known = wrong.get(verdict.name)
        both = tuple(dict.fromkeys((*known.findings, *verdict.findings))) if known else verdict.findings
        wrong[verdict.name] = dataclasses.replace(verdict, findings=both)
    made = Resolved(locks=NewLocks(), failed=tuple(wrong.values()))
    if made.failed and all_or_nothing:
        raise _cannot_be_built(facts, made, _NOTHING_WRITTEN)
    try:
        resolved = resolving.resolve_rest(facts, [each for each in project.variants if each.name not in wrong])
    except UnsatisfiableError as of_all:  # of what all images need, such as uv
        if not wrong:
            raise
        console.warn(f"{of_all.reason}: {' '.join((of_all.details or '').split())}")
        raise _cannot_be_built(facts, made, _NOTHING_WRITTEN) from of_all
    new = resolved.locks
    for name, failure in new.not_reached.items():
        console.warn(f"{name} keeps its lock: {failure.what} (searched: {failure.where})")
    for name, failure in new.replaced.items():
        console.warn(f"{name} is locked from the default index: {failure.what} (searched: {failure.where})")
    made = dataclasses.replace(resolved, failed=(*made.failed, *resolved.failed))
    if made.failed_names and all_or_nothing:
        raise _cannot_be_built(facts, made, _NOTHING_WRITTEN)
    return made


def _refused_yanked(facts: Facts) -> list[Verdict]:
    """Return the images that pin yanked releases; print a warning about the releases that the matrix allows."""
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
    for line in cell_reports.yanked_lines(project.loaded, warned):
        console.warn(line)
    return refused


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


def write(project: Project, new: NewLocks, changed: Iterable[str], failed: Container[str] = ()) -> None:
    """Write the changed locks, and remove those of images that the matrix no longer has; Ctrl-C waits.

    Args:
        project: The project.
        new: The new locks.
        changed: The paths of those that differ from the committed ones.
        failed: The names of the images that cannot be built. Like those whose wheel source was not reached, they keep
            their locks, and those of the server and of builds that these were made with.
    """
    paths = project.paths
    kept = new.locks.keys() | {project.lock_path(variant) for variant in project.variants}
    kept |= {f"locks/{name}/debian.txt" for name in (*project.matrix.bases, *project.cuda_base_images)}
    kept |= prefix_python.lock_files(project.matrix.bases)
    for variant in project.variants:
        if variant.name in failed or variant.name in new.not_reached:
            titles = [locks.SERVER, *([locks.BUILD] if project.locks.has_source_only(variant) else [])]
            kept |= {project.locks.relative(variant.base_name, title) for title in titles}
    with signals.put_off():  # the locks of a base agree: all of them are written
        for path in changed:
            write_atomically(paths.root / path, locks.to_text(new.locks[path]))
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


def _with_neighbours(facts: Facts, verdicts: Sequence[Verdict], failed: Container[str]) -> list[Verdict]:
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


@click.command("lock", cls=Session)
@click.option("--check", is_flag=True, help="Write nothing; list the stale locks and fail if there are any.")
@click.option("--bases", "refresh_bases", is_flag=True, help="Bootstrap the bases again and record their packages.")
@json_option
def lock_images(check: bool, refresh_bases: bool, as_json: bool) -> None:
    """Resolve the packages of every image, with hashes.

    It writes them to locks/.  Run `nox -s generate` afterwards.  An image that cannot be built keeps the lock that it
    has, if any; all others are written, and the command fails at its end.
    """
    with state.exclusive(repository(), "lock"):
        lock_command(repository(), check=check, refresh_bases=refresh_bases, as_json=as_json)
