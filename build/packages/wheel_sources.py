"""Extra wheel sources: wheels that the default index does not have, fetched into a folder before they are needed.

pip does the fetching: it knows each company's proxies, certificates, credentials and wheel directories
already.  What lies in a directory wins over an index, so a wheelhouse works with no network.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from build.errors import PipelineError
from build.matrix.model import WheelSource
from build.paths import Paths
from build.variants.variant import Variant


class SourceNotReachedError(PipelineError):
    """No place of an extra wheel source has the wheel, or none is reached; rows that need it are left out."""

    exit_code = 6


def directories_in_pip_configuration() -> tuple[Path, ...]:
    """The wheel directories that pip's configuration and environment name (``find-links``)."""
    done = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    found: list[Path] = []
    for line in done.stdout.splitlines():
        key, _, value = line.partition("=")
        if key.rsplit(".", 1)[-1] == "find-links":
            for item in str(ast.literal_eval(value)).split():
                folder = Path(item.removeprefix("file://"))
                if folder.is_dir() and folder not in found:
                    found.append(folder)
    return tuple(found)


def needed(variant: Variant, versions: Mapping[str, str] | None = None) -> dict[str, list[str]]:
    """The requirements of a variant that come from extra wheel sources, by the source's name.

    Args:
        variant: The variant.
        versions: Of its lock, distribution → version: then just what was locked from a source, in that version.
    """
    result: dict[str, list[str]] = {}
    if versions is not None:
        for package, name in locked(variant, versions).items():
            result.setdefault(name, []).append(f"{package}=={versions[package]}")
        return result
    for name, source in variant.wheel_sources:
        packages = _packages(source)
        wanted = [text for text in variant.requirements if canonicalize_name(Requirement(text).name) in packages]
        if wanted:
            result[name] = wanted
    return result


def locked(variant: Variant, versions: Mapping[str, str]) -> dict[str, str]:
    """The distributions of a lock that come from extra wheel sources: name → source.

    Where a source may be replaced by the default index, a local version (``1.7.1+cpu``) tells the two apart: an
    index that the public shares has none (https://packaging.python.org/en/latest/specifications/version-specifiers/).
    """
    return {
        package: name
        for name, source in variant.wheel_sources
        for package in sorted(_packages(source) & versions.keys())
        if source.where_not_reached is None or "+" in versions[package]
    }


def replaced(variant: Variant, versions: Mapping[str, str]) -> tuple[str, ...]:
    """The distributions of a lock that the default index gave, because their wheel source was not reached."""
    from_sources = locked(variant, versions)
    named = {package for _, source in variant.wheel_sources for package in _packages(source)}
    return tuple(sorted(named & versions.keys() - from_sources.keys()))


def may_be_replaced(source: WheelSource, requirements: Sequence[str]) -> bool:
    """Whether the default index may give these requirements where a source does not.

    It may where the matrix says so and no local version (``+cpu``) is asked for, which no public index has.
    """
    return source.where_not_reached is not None and not any("+" in text for text in requirements)


def _packages(source: WheelSource) -> set[str]:
    return {canonicalize_name(package) for package in source.packages}


def folder(paths: Paths, source_name: str, image_name: str) -> Path:
    """Where the wheels lie that an image takes from a source."""
    return paths.wheels / source_name / image_name


def fetch(
    source_name: str,
    source: WheelSource,
    requirements: Sequence[str],
    *,
    paths: Paths,
    image_name: str,
    python: str,
    glibc: str,
) -> Path:
    """Bring the wheels into the state's folder.

    Args:
        source_name: The source's name in the matrix.
        source: Its index and directory.
        requirements: What to fetch, pinned exactly (``torch==2.13.0+cpu``).
        paths: The checkout.
        image_name: The image that they are for.
        python: Its Python's minor version.
        glibc: Its base's glibc.

    Returns:
        The folder, with just these wheels in it.

    Raises:
        SourceNotReachedError: Neither a directory nor the index gives them.
    """
    target = folder(paths, source_name, image_name)
    stamp = target / ".fetched"
    wanted = "\n".join(sorted(requirements)) + "\n"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return target
    directories = list(directories_in_pip_configuration())
    if source.directory is not None:
        directories.insert(0, paths.root / source.directory)
    attempts = [["--no-index", *(f"--find-links={item}" for item in directories)]] if directories else []
    if source.index is not None:
        attempts.append([f"--index-url={source.index}"])
    minor = int(glibc.split(".")[1])
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--retries=1"),
        *("--timeout=20", f"--python-version={python}", "--implementation=cp"),
        *(f"--platform=manylinux_2_{number}_x86_64" for number in range(minor, 4, -1)),
        *("--platform=manylinux2014_x86_64", "--platform=linux_x86_64", "--platform=any"),
    ]
    environment = {key: value for key, value in os.environ.items() if key not in _OTHER_PLACES}
    last = "it names no place"
    incoming = target.with_name(f".{target.name}.incoming")
    for places in attempts:
        shutil.rmtree(incoming, ignore_errors=True)
        incoming.mkdir(parents=True)
        done = subprocess.run(
            [*command, *places, f"--dest={incoming}", *requirements],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        if done.returncode == 0:
            (incoming / ".fetched").write_text(wanted, encoding="utf-8")
            shutil.rmtree(target, ignore_errors=True)
            incoming.rename(target)
            return target
        last = next((line for line in done.stderr.splitlines() if line.startswith("ERROR:")), done.stderr[-300:])
    shutil.rmtree(incoming, ignore_errors=True)
    raise SourceNotReachedError(
        f"the wheel source '{source_name}' does not give {', '.join(requirements)} for Python {python}",
        where=", ".join([str(item) for item in directories] + ([source.index] if source.index else [])),
        fix="name a directory that has the wheel in pip's configuration (pip config set global.find-links DIR), "
        f"or as wheel-sources.{source_name}.directory in matrix.yaml",
        details=last.strip(),
    )


#: Indexes and directories of the environment; only the places asked for count here.
_OTHER_PLACES = {"PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL", "PIP_NO_INDEX"}
