"""The index of Debian's archive: the versions of CUDA's packages in it, and which packages they need.

Effects: ``fetch_index`` and ``from_archive`` run mmdebstrap, which uses the network; the rest is pure.
"""

from __future__ import annotations

import difflib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from debian.deb822 import Packages
from debian.debian_support import Version as DebianVersion
from packaging.version import Version

from build.errors import EngineError, LockError, NetworkError
from build.locks import mmdebstrap
from build.locks.debian import TOOLKIT
from build.system import processes
from build.variants.cuda_base_images import COMPONENT, CudaBaseImage

#: Prints what the archive of a bootstrap has. mmdebstrap sets the variable; ``$1`` is the root file system.
_PRINT_PACKAGES = 'APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-cache dumpavail > "$1/available"'


@dataclass(frozen=True, kw_only=True)
class DebianPackage:
    """One entry of an archive's index."""

    name: str
    version: str
    #: The packages that it needs in exactly one version: those built from the same source.
    needs: tuple[str, ...]

    @property
    def toolkit(self) -> str | None:
        """The version of the CUDA toolkit that it belongs to."""
        match = TOOLKIT.search(self.version)
        return match[1] if match else None


def fetch_index(suite: str) -> str:
    """Return the index of a suite's packages in the component ``non-free``, as apt prints it.

    Args:
        suite: The Debian suite: ``bookworm``.

    Raises:
        EngineError: mmdebstrap is not installed.
        NetworkError: The archive is not reached, or has no such suite.
    """
    elsewhere = "elsewhere take CUDA from wheels ('packages') or from an image ('images') in matrix.yaml"
    return from_archive(suite, _PRINT_PACKAGES, f"--components={COMPONENT}", elsewhere=elsewhere)


def from_archive(suite: str, hook: str, *options: str, elsewhere: str) -> str:
    """Return what a shell command finds out about a suite of Debian's archive; about 2 seconds.

    mmdebstrap reads the archive's index for it, from the mirror that it also bootstraps bases from, and with the
    archive's signature checked: no address of an archive is known here.

    Args:
        suite: The Debian suite: ``bookworm``.
        hook: The command. It runs on this machine; ``$MMDEBSTRAP_APT_CONFIG`` is apt's configuration for the archive,
            and what it writes to ``$1/available`` is the result.
        options: Further options of mmdebstrap.
        elsewhere: What to do where there is no mmdebstrap, for the message.

    Raises:
        EngineError: mmdebstrap is not installed.
        NetworkError: The archive is not reached, or has no such suite.
    """
    program = shutil.which("mmdebstrap")
    if program is None:
        raise EngineError(
            "mmdebstrap is not installed; it reads the list of packages from Debian's archive",
            fix=f"sudo apt-get install mmdebstrap debian-archive-keyring (on Debian or Ubuntu); {elsewhere}",
        )
    with tempfile.TemporaryDirectory() as folder, mmdebstrap.access() as access:
        file = Path(folder, "available")
        done = processes.run(
            [
                *(program, "--variant=custom", *options, *access.options),
                *(f"--customize-hook={hook}", f"--customize-hook=download available {file}"),
                *(suite, "/dev/null"),
            ],
            environment=access.environment,
            merge_output=True,
        )
        if done.returncode != 0:
            errors = [
                line.strip() for line in done.stdout.splitlines() if line.strip().startswith(("E:", "Err:", "W:"))
            ]
            raise NetworkError(
                f"mmdebstrap cannot read the packages of Debian {suite}",
                fix="check the network and the suite's name, then run it again",
                details="\n".join(errors[-6:]) or done.stdout[-600:],
            )
        return file.read_text(encoding="utf-8", errors="replace")


def parse_index(text: str) -> dict[str, DebianPackage]:
    """Return the packages of an index by name, each in its newest version."""
    newest: dict[str, DebianPackage] = {}
    for paragraph in Packages.iter_paragraphs(text, use_apt_pkg=False):
        package = DebianPackage(
            name=paragraph["Package"], version=paragraph["Version"], needs=tuple(_exact_needs(paragraph))
        )
        known = newest.get(package.name)
        if known is None or DebianVersion(known.version) < DebianVersion(package.version):
            newest[package.name] = package
    return newest


def _exact_needs(paragraph: Packages) -> Iterator[str]:
    for alternatives in paragraph.relations["depends"] or ():
        version = alternatives[0].get("version")
        if version and version[0] == "=":
            yield str(alternatives[0]["name"])


def pins(base: CudaBaseImage, index: Mapping[str, DebianPackage], where: str) -> tuple[str, ...]:
    """Return the Debian packages of a base's CUDA and those of the same source that they need, as ``name=version``.

    Args:
        base: The base.
        index: The archive's packages.
        where: The place of the CUDA version in the matrix, for messages.

    Raises:
        LockError: The archive has no such package, or it belongs to another toolkit than the matrix pins.
    """
    chosen: dict[str, DebianPackage] = {}
    waiting = list(base.cuda.debian)
    while waiting:
        name = waiting.pop(0)
        package = index.get(name)
        if package is None:
            near = difflib.get_close_matches(name, index, n=4, cutoff=0.5)
            raise LockError(
                f"Debian {base.suite} ({COMPONENT}) has no package '{name}'",
                where=where,
                fix=f"similar names: {', '.join(near) or 'none'}; "
                f"CUDA versions that it has: {', '.join(_toolkits(index)) or 'none'}",
            )
        if package.toolkit is not None and package.toolkit != base.cuda.version:
            raise LockError(
                f"Debian {base.suite} ({COMPONENT}) has no CUDA {base.cuda.version}: {name} is {package.version}",
                where=where,
                fix=f"CUDA versions that it has: {', '.join(_toolkits(index))}; pin one of them, take CUDA from wheels "
                "('packages') or from an image ('images'), or another suite",
            )
        chosen[name] = package
        waiting += [need for need in package.needs if need in index and need not in chosen]
    return tuple(f"{name}={chosen[name].version}" for name in sorted(chosen))


def _toolkits(index: Mapping[str, DebianPackage]) -> list[str]:
    cudart = [package for name, package in index.items() if name.startswith("libcudart")]
    return sorted({package.toolkit for package in cudart if package.toolkit}, key=Version)
