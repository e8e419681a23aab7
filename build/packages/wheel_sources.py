"""Extra wheel sources: wheels that the default index does not have, fetched into a folder before they are needed.

pip fetches them: it knows the proxies, certificates, credentials and wheel directories of a company already.  A
directory takes precedence over an index, so a wheelhouse needs no network.

Effects: ``fetch`` and ``directories_in_pip_configuration`` run pip; the rest is pure.
"""

from __future__ import annotations

import ast
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from packaging.utils import canonicalize_name

from build.errors import PipelineError
from build.matrix.sources import WheelSource
from build.packages.target import glibc_minor
from build.paths import Paths
from build.platforms import LINUX_AMD64
from build.requirements import distribution_name
from build.system import processes
from build.variants.variant import Variant

#: Variables that add indexes and directories to pip; a source is searched only where the matrix or pip's files say.
_OTHER_PLACES = {"PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL", "PIP_NO_INDEX"}
#: The oldest glibc (its minor version) with a manylinux tag.
_OLDEST_GLIBC = 5
#: The file in a folder of fetched wheels that lists their requirements.
STAMP = ".fetched"


class SourceNotReachedError(PipelineError):
    """An extra wheel source has no such wheel, or is not reached; images that need it are left out."""

    exit_code = 6


def directories_in_pip_configuration() -> tuple[Path, ...]:
    """Return the wheel directories (``find-links``) in pip's configuration files and environment variables."""
    done = processes.run([sys.executable, "-m", "pip", "config", "list"])
    directories: list[Path] = []
    for line in done.stdout.splitlines():
        key, _, value = line.partition("=")
        if key.rsplit(".", 1)[-1] == "find-links":
            for item in str(ast.literal_eval(value)).split():
                folder = Path(item.removeprefix("file://"))
                if folder.is_dir() and folder not in directories:
                    directories.append(folder)
    return tuple(directories)


def needed(variant: Variant, versions: Mapping[str, str] | None = None) -> dict[str, list[str]]:
    """Return what an image takes from extra wheel sources: source name → requirements.

    Args:
        variant: The image.
        versions: The versions in its lock, by distribution: then the result is what was locked from a source, in the
            locked versions. None: what its requirements ask of a source.
    """
    result: dict[str, list[str]] = {}
    if versions is not None:
        for package, name in locked(variant, versions).items():
            result.setdefault(name, []).append(f"{package}=={versions[package]}")
        return result
    for name, source in variant.wheel_sources:
        packages = _packages(source)
        wanted = [text for text in variant.requirements if distribution_name(text) in packages]
        if wanted:
            result[name] = wanted
    return result


def locked(variant: Variant, versions: Mapping[str, str]) -> dict[str, str]:
    """Return the distributions of a lock that come from extra wheel sources: distribution → source name.

    If the default index may replace a source, a local version (``1.7.1+cpu``) tells the two apart: public indexes have
    none (https://packaging.python.org/en/latest/specifications/version-specifiers/).
    """
    return {
        package: name
        for name, source in variant.wheel_sources
        for package in sorted(_packages(source) & versions.keys())
        if source.where_not_reached is None or "+" in versions[package]
    }


def replaced(variant: Variant, versions: Mapping[str, str]) -> tuple[str, ...]:
    """Return the distributions of a lock that come from the default index because their source was not reached."""
    from_sources = locked(variant, versions)
    named = {package for _, source in variant.wheel_sources for package in _packages(source)}
    return tuple(sorted(named & versions.keys() - from_sources.keys()))


def may_be_replaced(source: WheelSource, requirements: Sequence[str]) -> bool:
    """Tell whether the default index may replace a source for these requirements.

    It may if the matrix allows it and no local version (``+cpu``), which no public index has, is required.
    """
    return source.where_not_reached is not None and not any("+" in text for text in requirements)


def _packages(source: WheelSource) -> set[str]:
    return {canonicalize_name(package) for package in source.packages}


def folder(paths: Paths, source_name: str, image_name: str) -> Path:
    """Return the folder of the wheels that an image takes from a source, whether or not it exists."""
    return paths.wheels / source_name / image_name


def fetch(paths: Paths, variant: Variant, source_name: str, requirements: Sequence[str]) -> Path:
    """Download the wheels that an image takes from one source; do nothing if they are there.

    Args:
        paths: The project.
        variant: The image.
        source_name: The source's name in the matrix.
        requirements: What to download, pinned exactly (``torch==2.13.0+cpu``).

    Returns:
        The folder, which has only these wheels.

    Raises:
        SourceNotReachedError: No directory and no index has them, or the index is not reached.
    """
    source = dict(variant.wheel_sources)[source_name]
    target = folder(paths, source_name, variant.name)
    stamp = target / STAMP
    wanted = "\n".join(sorted(requirements)) + "\n"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return target
    directories = list(directories_in_pip_configuration())
    if source.directory is not None:
        directories.insert(0, paths.root / source.directory)
    incoming = target.with_name(f".{target.name}.incoming")
    reason = "the source has no directory and no index"
    try:
        for places in _places(source, directories):
            shutil.rmtree(incoming, ignore_errors=True)
            incoming.mkdir(parents=True)
            problem = _download(variant, requirements, places, incoming)
            if problem is None:
                (incoming / STAMP).write_text(wanted, encoding="utf-8")
                shutil.rmtree(target, ignore_errors=True)
                incoming.rename(target)
                return target
            reason = problem
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
    raise SourceNotReachedError(
        f"the wheel source '{source_name}' does not have {', '.join(requirements)} for Python {variant.base.python}",
        where=", ".join([str(item) for item in directories] + ([source.index] if source.index else [])),
        fix="name a directory that has the wheel in pip's configuration (pip config set global.find-links DIR), "
        f"or as wheel-sources.{source_name}.directory in matrix.yaml",
        details=reason,
    )


def _places(source: WheelSource, directories: Sequence[Path]) -> Iterator[list[str]]:
    """Yield pip's options for each attempt: first only the directories, then the index."""
    if directories:
        yield ["--no-index", *(f"--find-links={item}" for item in directories)]
    if source.index is not None:
        yield [f"--index-url={source.index}"]


def _download(variant: Variant, requirements: Sequence[str], places: Sequence[str], target: Path) -> str | None:
    """Download wheels for an image's Python and glibc with pip; return pip's error, or None if it succeeded."""
    base = variant.base
    done = processes.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"),
            *("--retries=1", "--timeout=20", f"--python-version={base.python}", "--implementation=cp"),
            *(
                f"--platform={LINUX_AMD64.manylinux(minor)}"
                for minor in range(glibc_minor(base.glibc), _OLDEST_GLIBC - 1, -1)
            ),
            *(
                f"--platform=manylinux2014_{LINUX_AMD64.machine}",
                f"--platform={LINUX_AMD64.linux_tag}",
                "--platform=any",
            ),
            *(*places, f"--dest={target}", *requirements),
        ],
        environment={key: value for key, value in os.environ.items() if key not in _OTHER_PLACES},
    )
    if done.returncode == 0:
        return None
    errors = (line for line in done.stderr.splitlines() if line.startswith("ERROR:"))
    return next(errors, done.stderr[-300:]).strip()
