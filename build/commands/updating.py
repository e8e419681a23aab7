"""The steps of an update: packages, bases, generated files, in a copy that is put in place at the end.

Effects: uses the network, bootstraps bases, writes the project's files, and prints progress.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Mapping

from build.bases import prepare
from build.bases.local import local_base
from build.builder import image_recipes
from build.checkout.project import Project, open_project
from build.commands import generated_files, recording
from build.commands import lock as lock_command
from build.errors import EngineError, LockError, NetworkError, UsageError
from build.locks import debian, debian_archive
from build.locks.debian_archive import Newer
from build.locks.lock import Lock
from build.matrix.lifecycle import has_ended
from build.matrix.model import Matrix
from build.matrix.origins import Bootstrapped
from build.matrix.values import NO_VERSION
from build.paths import Paths
from build.system import console
from build.update import bases, lifecycles, packages, report, report_text
from build.update.decide import Held
from build.update.lifecycles import OtherDate
from build.update.packages import Moved
from build.update.report import NotLocked, Report
from build.update.staging import Staging, staged

#: What can be updated.
FRAMEWORKS, BASES, SECURITY = "frameworks", "bases", "security"


def update_project(
    paths: Paths,
    *,
    only: Collection[str],
    day: datetime.date | None,
    today: datetime.date,
    check: bool,
    new_versions: bool = False,
) -> Report:
    """Move what may move, and put the result in place.

    Args:
        paths: The project.
        only: What to update: ``frameworks``, ``bases``, ``security``; the first two if empty.
        day: The new ``exclude-newer``; None: today less the cool-down, or the present one where that is later.
        today: The current day (UTC).
        check: Put nothing in place.
        new_versions: Add new versions of frameworks.

    Raises:
        UsageError: The day is in the future, or before the present one.
        PipelineError: An index or an archive is not reached, or the result cannot be built; nothing is written.
    """
    project = open_project(paths)
    old_day = project.matrix.project.exclude_newer
    new_day = _new_day(project, day, today)
    only = only or (FRAMEWORKS, BASES)
    made = Report(old_day=old_day, new_day=old_day, bases=_newer_packages(project, only))
    if BASES in only:
        made = dataclasses.replace(made, lifecycles=_other_dates(project.matrix))
    moved: Moved | None = None
    with staged(paths, _named_paths(project.matrix)) as staging:
        if FRAMEWORKS in only:
            moved = _update_packages(staging, project, new_day, today, new_versions=new_versions)
            made = _with_packages(made, project, moved, new_day)
        if made.bases:
            _update_bases(staging, project, made, bootstrap=not check)
        if BASES in only:
            made = _update_cuda(staging, made)
        failed = moved.failed if moved is not None else {}
        if not made.moves:  # then the day does not move either
            return dataclasses.replace(_with_failed(made, project, failed), new_day=made.old_day)
        changed = open_project(staging.copy)
        images, left_out = changed.usable_images(changed.variants)
        generated_files.write(changed, images if left_out else None)
        made = _with_failed(_with_rebuilt(made, project, changed, moved, today), changed, failed)
        if not check:
            console.info(f"{console.count(len(staging.put_in_place()), 'file')} changed")
    return made


def _new_day(project: Project, day: datetime.date | None, today: datetime.date) -> datetime.date:
    """Return the new ``exclude-newer``, which never goes back.

    Raises:
        UsageError: The day is in the future, or before the present one.
    """
    settings = project.matrix.project
    if day is None:
        return max(settings.exclude_newer, today - datetime.timedelta(days=settings.update.cool_down))
    if not settings.exclude_newer <= day <= today:
        raise UsageError(
            f"--day {day} is not between exclude-newer ({settings.exclude_newer}) and today ({today})",
            where=project.loaded.where("project", "exclude-newer"),
            fix="give a day in between, or leave the option out",
        )
    return day


def _newer_packages(project: Project, only: Collection[str]) -> dict[str, tuple[Newer, ...]]:
    """Return the bases to update with their newer Debian packages: first, since it is quick and may fail."""
    if BASES not in only and SECURITY not in only:
        return {}
    security_only = BASES not in only
    console.step("security updates of the bases" if security_only else "Debian packages of the bases")
    found = bases.find(project, security_only=security_only)
    for name, newer in found.items():
        console.info(f"{name}: {console.count(len(newer), 'newer package')}")
    return found


def _other_dates(matrix: Matrix) -> tuple[OtherDate, ...]:
    """Return the lifecycle dates that differ from those of the archive; none, with a warning, if it cannot be asked."""
    suite = lifecycles.suite_of(matrix)
    if suite is None:
        return ()
    try:
        return lifecycles.differing(matrix, debian_archive.release_dates(suite))
    except (EngineError, NetworkError) as failure:
        console.warn(f"the lifecycle dates of the bases were not compared: {failure.what}")
        return ()


def _named_paths(matrix: Matrix) -> list[str]:
    """Return the paths that a matrix names."""
    found = [source.directory for source in matrix.wheel_sources.values()]
    for base in matrix.bases.values():
        if base.prefix is not None:
            found.append(base.prefix.directory)
        if base.bootstrap is not None and base.bootstrap.snapshot is not None:
            found.append(base.bootstrap.snapshot.keyring)
    return [path for path in found if path]


def _update_packages(
    staging: Staging, project: Project, day: datetime.date, today: datetime.date, *, new_versions: bool
) -> Moved:
    """Move the pins, add new versions, and write the locks of the copy."""
    console.step(f"pins and packages, with the index as of {day}")
    moved = packages.move(staging, project, day, today, new_versions=new_versions)
    lock_command.write(moved.project, moved.locks, lock_command.changes(moved.project, moved.locks), moved.failed)
    return moved


def _with_packages(made: Report, project: Project, moved: Moved, day: datetime.date) -> Report:
    """Return a report with what the packages of the images become."""
    old = {variant.name: project.locks.find_valid(variant.base_name, variant.name) for variant in project.variants}
    new = {lock.title: lock for lock in moved.locks.locks.values()}
    images = {
        name: changed
        for name, lock in old.items()
        if name in new and (changed := report.changes(lock.versions() if lock else {}, new[name].versions()))
    }
    names = {variant.name for variant in moved.project.variants}
    known: list[Lock] = [lock for lock in old.values() if lock is not None]
    return dataclasses.replace(
        made,
        new_day=day,
        decisions=moved.decisions,
        added=moved.added,
        images=images,
        new_bytes=report.new_bytes(known, [lock for name, lock in new.items() if name in names]),
        held=moved.held,
    )


def _with_failed(made: Report, project: Project, failed: Mapping[str, str]) -> Report:
    """Return a report with the images that cannot be locked, and what is left of their locks in a project."""
    found = {
        name: NotLocked(reason=reason, lock=lock_command.lock_left(project, name)) for name, reason in failed.items()
    }
    return dataclasses.replace(made, failed=found, rebuilt=tuple(name for name in made.rebuilt if name not in failed))


def cannot_be_locked(paths: Paths, made: Report, *, check: bool) -> LockError:
    """Return the error for the images that cannot be locked.

    Args:
        paths: The project.
        made: The report; it has some.
        check: Nothing was written.
    """
    project = open_project(paths)
    variants = [variant for variant in project.variants if variant.name in made.failed]
    places = {("frameworks", each.framework, "versions", each.version or NO_VERSION) for each in variants}
    outcome = "nothing was written" if check or not made.moves else "everything else was updated"
    images = "its pins, or exclude it" if len(made.failed) == 1 else "their pins, or exclude them"
    name, first = next(iter(made.failed.items()))
    return LockError(
        f"{name} cannot be locked: {first.reason}"
        if len(made.failed) == 1
        else f"{console.count(len(made.failed), 'image')} cannot be locked",
        where=", ".join(project.loaded.where(*keys) for keys in sorted(places)),
        fix=f"correct {images} with that reason, then: nox -s lock generate; {outcome}",
        details="\n".join(report_text.failed_lines(made)),
    )


def _update_bases(staging: Staging, project: Project, made: Report, *, bootstrap: bool) -> None:
    """Record newer Debian packages in the locks of the copy.

    Args:
        staging: The copy.
        project: The project itself.
        made: It has the bases and their newer packages.
        bootstrap: Bootstrap the bases. Without it, their locks get the archive's versions of their packages.
    """
    copy = open_project(staging.copy)
    for name, newer in made.bases.items():
        local = local_base(copy, name)
        assert isinstance(local.origin, Bootstrapped)
        if bootstrap:
            console.info(f"bootstrapping {name}")
            console.info(f"{name}: {prepare.record_debian(local, local.origin)}")
            continue
        versions = {package.name: package.new for package in newer}
        pins = [item.split("=", 1) for item in debian.former(project.paths, name)]
        after = tuple(f"{package}={versions.get(package, version)}" for package, version in pins)
        debian.record_base(copy.paths, name, after, local.origin)


def _update_cuda(staging: Staging, made: Report) -> Report:
    """Record the Debian packages of CUDA in the copy; they stay if Debian has another CUDA version."""
    copy = open_project(staging.copy)
    pins, failures = recording.cuda_pins(copy, refresh=True)
    held = []
    for failure in failures:
        if not isinstance(failure, LockError):
            raise failure
        held.append(Held(name="CUDA from Debian", version="", newer="", images=(), reason=failure.what))
    drift = {name: tuple(debian.drift(debian.former(copy.paths, name), after)) for name, after in pins.items()}
    changed = {name: lines for name, lines in drift.items() if lines}
    recording.record_cuda(copy, {name: pins[name] for name in changed})
    return dataclasses.replace(made, cuda_bases=changed, held=(*made.held, *held))


def _with_rebuilt(made: Report, before: Project, after: Project, moved: Moved | None, today: datetime.date) -> Report:
    """Return a report with the images whose recipes differ, of those whose recipes are known here."""
    tags = [
        {
            name: recipe.tag
            for name, recipe in image_recipes.of(each, each.usable_images(each.variants)[0]).known.items()
        }
        for each in (before, after)
    ]
    changed = [variant for variant in after.variants if tags[0].get(variant.name) != tags[1].get(variant.name)]
    shared = moved.moved_pins if moved is not None else {}
    return dataclasses.replace(
        made,
        rebuilt=tuple(each.name for each in changed if not has_ended(each.lifecycle, today)),
        ended={each.name: shared.get(each.name, ()) for each in changed if has_ended(each.lifecycle, today)},
    )
