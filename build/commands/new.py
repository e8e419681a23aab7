"""`nox -s new`: add a framework, or a version of one, to the matrix; then lock it and generate its files."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import click
from packaging.version import Version

from build.checkout.project import Project, open_project
from build.commands import generated_files
from build.commands.lock import lock_command
from build.commands.subcommands import Group
from build.errors import PipelineError, UsageError
from build.matrix import insert
from build.matrix.values import NAME, PATTERNS
from build.packages import index
from build.packages.distribution import Distribution
from build.packages.target import Target
from build.paths import Paths, repository, write_atomically
from build.scaffold import entry, script
from build.scaffold.entry import NewVersion
from build.scaffold.model import ModelImages, find_model, pinned
from build.scaffold.release import Release, choose
from build.system import console, state


@click.group("new", cls=Group)
def new() -> None:
    """Add a framework, or a version of one, to the matrix.

    It asks the package index, writes the entry, resolves all locks, and generates the files.
    """


@new.command("framework")
@click.option("--version", "wanted", metavar="VERSION", help="The version, such as 1.9.  [default: the newest]")
@click.option("--distribution", metavar="DIST", help="The distribution in the index.  [default: NAME]")
@click.option("--title", help="The name that people read.  [default: NAME]")
@click.option("--module", help="The name by which Python imports it.  [default: that of the distribution, with '_']")
@click.argument("name")
def new_framework(
    name: str, wanted: str | None, distribution: str | None, title: str | None, module: str | None
) -> None:
    """Add the framework NAME, which the index has as a distribution.

    It also writes the beginning of its scoring script: edit that, then build and verify.
    """
    paths = repository()
    with state.exclusive(paths, "new"):
        project = open_project(paths)
        _check_names(name, module)
        if name in project.matrix.frameworks:
            raise UsageError(
                f"the matrix has the framework '{name}'",
                where=project.loaded.where("frameworks", name),
                fix=f"add a version of it: nox -s new -- version {name} VERSION",
            )
        found = _distribution(distribution or name)
        bases = project.matrix.axes.base
        release = choose(found, {base: _target(project, base) for base in bases}, wanted)
        title = title or name
        is_other = paths.root != project.tool.root
        file = (paths.scoring if is_other else project.tool.scoring) / f"{name}.py"
        place = str(file.relative_to(paths.root))
        _say(release, f"frameworks.{name}")
        text = script.skeleton(title, module or found.name.replace("-", "_"), place)
        lines = ["", *entry.framework(name, title, release)]
        with _undone_on_failure(paths.matrix, file):
            _add(project, ("frameworks",), lines)
            if not file.exists():
                write_atomically(file, text)
            _lock(paths)
        _generate(paths)
    console.out.print(
        f"\n1. edit {place}\n2. nox -s build verify -- '{name}-{release.key}-*'", markup=False, highlight=False
    )


@new.command("version")
@click.argument("name")
@click.argument("wanted", metavar="VERSION")
def new_version(name: str, wanted: str) -> None:
    """Add VERSION of the framework NAME, after the model of its newest version."""
    paths = repository()
    with state.exclusive(paths, "new"):
        project = open_project(paths)
        of = _model(project, name)
        found = _distribution(of.model.distributions[0])
        targets = {image.base_name: _target(project, image.base_name) for image in of.images}
        release = choose(found, targets, wanted)
        versions = project.matrix.frameworks[name].versions
        if release.key in versions:
            raise UsageError(
                f"the matrix has {name} {release.key}",
                where=project.loaded.where("frameworks", name, "versions", release.key),
                fix=f"change its pins to {release.pin} there, then: nox -s lock generate",
            )
        _say(release, f'frameworks.{name}.versions."{release.key}"')
        bases = () if set(release.bases) == set(of.bases) else release.bases
        version = NewVersion(version=Version(release.version.public), day=release.day, bases=bases)
        with _undone_on_failure(paths.matrix):
            text = entry.with_version(project.loaded.file, _text(paths.matrix), name, of.model, version)
            write_atomically(paths.matrix, text)
            _check_pins(open_project(paths), name, release)
            _lock(paths)
        _generate(paths)
    console.out.print(f"\nnext: nox -s build verify -- '{name}-{release.key}-*'", markup=False, highlight=False)


def _check_names(name: str, module: str | None) -> None:
    if not re.fullmatch(NAME, name):
        raise UsageError(
            f"'{name}' cannot be the name of a framework: it is a part of image names",
            fix=f"write {PATTERNS[NAME]}; --distribution and --title take any name",
        )
    if module and not all(part.isidentifier() for part in module.split(".")):
        raise UsageError(f"'{module}' cannot be the name of a Python module", fix="give the name that code imports")


def _distribution(name: str) -> Distribution:
    """Return what the index has of a distribution.

    Raises:
        NetworkError: The index is not reached.
        UsageError: It does not have it.
    """
    console.step(f"asking the package index for {name}")
    configured = index.configured()
    found = configured.distribution(name)
    if not found.files and found.not_reached:
        raise configured.not_reached(found)
    if not found.files:
        raise UsageError(
            f"no index has a distribution '{name}'",
            where=", ".join(found.places),
            fix="give its name in the index: --distribution DIST",
        )
    return found


def _target(project: Project, base: str) -> Target:
    of = project.matrix.bases[base]
    return Target(python=of.python, glibc=of.glibc, exclude_newer=project.exclude_newer)


def _model(project: Project, name: str) -> ModelImages:
    """Return the newest version of a framework, and its images.

    Raises:
        UsageError: The matrix does not have the framework, or its newest version has no exact pin.
    """
    if name not in project.matrix.frameworks:
        raise UsageError(
            f"the matrix has no framework '{name}'",
            where=project.loaded.where("frameworks"),
            fix=f"add it: nox -s new -- framework {name}",
        )
    found = find_model(project.matrix, project.variants, name)
    if found is None:
        raise UsageError(
            f"the newest version of '{name}' pins no release that another one could be put in place of",
            where=project.loaded.where("frameworks", name, "versions"),
            fix="add the version by hand (CONTRIBUTING.md, 'Add a framework version')",
        )
    return found


def _say(release: Release, place: str) -> None:
    day = f", released {release.day.isoformat()}" if release.day else ""
    console.info(f"{place}: {release.pin}{day}, for {', '.join(release.bases)}")
    for base, why in release.misfits.items():
        console.info(f"not for {base}: {why}")


def _text(file: Path) -> str:
    """Return the content of a file with the line ends that it has."""
    return file.read_bytes().decode()


def _add(project: Project, keys: tuple[str, ...], lines: list[str]) -> None:
    file = project.paths.matrix
    write_atomically(file, insert.append(_text(file), project.loaded.root, keys, lines))


def _check_pins(project: Project, name: str, release: Release) -> None:
    """Check that all images of a new version pin its release: a pin may be written in a way that is not replaced."""
    images = [each for each in project.variants if each.framework == name and each.version == release.key]
    if not pinned(images, Version(release.version.public)):
        raise UsageError(
            f"the pins of the newest version could not be replaced by {release.pin}",
            where=project.loaded.where("frameworks", name, "versions", release.key),
            fix="add the version by hand (CONTRIBUTING.md, 'Add a framework version')",
        )


def _lock(paths: Paths) -> None:
    open_project(paths)  # an entry that the matrix does not allow is reported before minutes of resolving
    lock_command(paths, check=False, refresh_bases=False, all_or_nothing=True)


def _generate(paths: Paths) -> None:
    console.info(f"{len(generated_files.write(open_project(paths)))} files generated")


@contextlib.contextmanager
def _undone_on_failure(*files: Path) -> Iterator[None]:
    """Restore files if the body fails: what it has not locked must not be in the matrix."""
    before = {file: _text(file) if file.exists() else None for file in files}
    try:
        yield
    except BaseException as failure:
        for file, text in before.items():
            if text is None:
                file.unlink(missing_ok=True)
            else:
                write_atomically(file, text)
        if isinstance(failure, PipelineError):
            console.warn(f"nothing was added: {files[0].name} is as it was")
        raise
