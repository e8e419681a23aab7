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
from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from build.errors import PipelineError
from build.matrix import WheelSource
from build.paths import Paths
from build.variants import Variant


class SourceNotReachedError(PipelineError):
    """No place of an extra wheel source has the wheel, or none is reached; rows that need it are left out."""

    exit_code = 6


def directories_in_pip_configuration() -> tuple[Path, ...]:
    """The wheel directories that pip's configuration and environment name (``find-links``)."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    found: list[Path] = []
    for line in done.stdout.splitlines():
        key, _, value = line.partition("=")
        if key.rsplit(".", 1)[-1] == "find-links":
            for item in str(ast.literal_eval(value)).split():
                folder = Path(item.removeprefix("file://"))
                if folder.is_dir() and folder not in found:
                    found.append(folder)
    return tuple(found)


def needed(variant: Variant) -> dict[str, list[str]]:
    """The requirements of a variant that come from extra wheel sources, by the source's name."""
    result: dict[str, list[str]] = {}
    for name, source in variant.wheel_sources:
        packages = {canonicalize_name(package) for package in source.packages}
        wanted = [text for text in variant.requirements if canonicalize_name(Requirement(text).name) in packages]
        if wanted:
            result[name] = wanted
    return result


def folder(paths: Paths, source_name: str, base_name: str) -> Path:
    """Where the fetched wheels of a source lie, for one base."""
    return paths.wheels / source_name / base_name


def fetch(
    source_name: str,
    source: WheelSource,
    requirements: Sequence[str],
    *,
    paths: Paths,
    base_name: str,
    python: str,
    glibc: str,
) -> Path:
    """Bring the wheels into the state's folder.

    Args:
        source_name: The source's name in the matrix.
        source: Its index and directory.
        requirements: What to fetch, pinned exactly (``torch==2.13.0+cpu``).
        paths: The checkout.
        base_name: The base whose Python they are for.
        python: Its minor version.
        glibc: Its glibc.

    Returns:
        The folder, with just these wheels in it.

    Raises:
        SourceNotReachedError: Neither a directory nor the index gives them.
    """
    target = folder(paths, source_name, base_name)
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
