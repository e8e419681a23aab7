"""Install the packages that this project's own engine needs, where they are missing."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from build.engine.apt_sources import FROM_TRIXIE, TARGETS_FORMAT, preferences, read_targets, trixie_source
from build.engine.buildx import find_buildx
from build.engine.model import MINIMUM_ENGINE, parse_version
from build.errors import EngineError, NetworkError
from build.paths import write_atomically
from build.system import console, processes

#: Not every user's PATH has the folders of system programs.
PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"))

_SOURCES = Path("/etc/apt/sources.list.d/inference-images.sources")
_PREFERENCES = Path("/etc/apt/preferences.d/inference-images")
_POLICY = Path("/usr/sbin/policy-rc.d")
#: The keys of Debian's archive.
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The machine's distribution, and the needed programs that it has."""

    #: ``ID`` and ``VERSION_ID`` of os-release(5): ``debian``, ``12``; Debian testing has no version.
    distribution: str
    version: str
    #: None where dockerd is not installed.
    dockerd: Version | None
    #: The installed ones of ``PROGRAMS``, and the keyring where it is installed.
    has: frozenset[str]
    #: A buildx that is new enough is installed.
    buildx: bool

    @property
    def supported(self) -> bool:
        return self.distribution in ("debian", "ubuntu")

    @property
    def needs_trixie(self) -> bool:
        return (self.distribution, self.version) == ("debian", "12")


#: Program → its package.
PROGRAMS = {
    "containerd": "containerd",
    "docker": "docker-cli",
    "iptables": "iptables",
    "mmdebstrap": "mmdebstrap",
}


def missing_packages(machine: Machine) -> tuple[str, ...]:
    """Return the packages to install, without those that the machine has in another form (Docker's docker-ce, say).

    Args:
        machine: From ``this_machine``.

    Returns:
        Their names in alphabetical order.
    """
    wanted = {package for program, package in PROGRAMS.items() if program not in machine.has}
    if machine.distribution == "ubuntu":
        wanted.discard("docker-cli")  # Ubuntu's docker.io has the client
    if machine.dockerd is None or machine.dockerd < MINIMUM_ENGINE:
        wanted |= {"docker.io", "containerd"}
    if not machine.buildx:
        wanted.add("docker-buildx")
    if str(KEYRING) not in machine.has:
        wanted.add("debian-archive-keyring")
    return tuple(sorted(wanted))


def this_machine() -> Machine:
    """Look at this machine: its distribution and its programs."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    has = {program for program in PROGRAMS if shutil.which(program, path=PATH)}
    if KEYRING.exists():
        has.add(str(KEYRING))
    dockerd = shutil.which("dockerd", path=PATH)
    version = None
    if dockerd:
        version = parse_version(processes.run([dockerd, "--version"]).stdout)
    try:
        find_buildx()
        buildx = True
    except EngineError:
        buildx = False
    return Machine(
        distribution=release.get("ID", sys.platform),
        version=release.get("VERSION_ID", ""),
        dockerd=version,
        has=frozenset(has),
        buildx=buildx,
    )


def install(machine: Machine) -> tuple[str, ...]:
    """Install the missing packages.  On Debian 12, Docker comes from Debian 13 by a pin.

    Args:
        machine: From ``this_machine``.

    Returns:
        The packages that apt was asked for; none where nothing was missing.

    Raises:
        EngineError: Not root, not Debian or Ubuntu, or apt fails.
        NetworkError: The archive cannot be reached.
    """
    packages = missing_packages(machine)
    if not packages:
        return ()
    by_hand = "start a Docker engine 23 or newer with buildx (https://docs.docker.com/engine/install/)"
    if not machine.supported:
        raise EngineError(
            "no Docker engine answers here, and only on Debian or Ubuntu can one be installed",
            where=machine.distribution,
            fix=by_hand + "; bases also need mmdebstrap and debian-archive-keyring",
        )
    if os.geteuid() != 0:
        trixie = ", on Debian 12 Docker's from the suite trixie" if machine.needs_trixie else ""
        raise EngineError(
            "no Docker engine answers here, and only root can install and start one",
            fix=f"run this command as root; or {by_hand}; the packages are: {' '.join(packages)}{trixie}",
        )
    if shutil.which("apt-get") is None:
        raise EngineError("apt-get is missing", fix=by_hand)
    console.step(f"installing {', '.join(packages)}")
    # A source that cannot be reached and is not needed must not stop the work; the installation shows what is missing.
    update = _apt("update")
    with contextlib.ExitStack() as undo:
        if machine.needs_trixie and set(packages) & set(FROM_TRIXIE):
            _add_trixie(undo, update.stderr)
        _install(packages, update.stderr)
        undo.pop_all()
    return packages


def add_package(package: str, *, what: str) -> None:
    """Install one more package of the distribution, for a program that only some commands need.

    Args:
        package: Its name in Debian and Ubuntu.
        what: What it is, for the messages.

    Raises:
        EngineError: Not root, no apt-get, or apt fails.
        NetworkError: The archive cannot be reached.
    """
    by_hand = f"apt-get install {package}"
    if shutil.which("apt-get", path=PATH) is None:
        raise EngineError(f"{what} ({package}) is missing, and it can be installed only on Debian or Ubuntu")
    if os.geteuid() != 0:
        raise EngineError(f"{what} ({package}) is missing, and only root can install it", fix=f"as root: {by_hand}")
    console.step(f"installing {package}")
    _install([package], _apt("update").stderr)


def _install(packages: Sequence[str], update_errors: str) -> None:
    """Run apt-get install, without starting services.

    Args:
        packages: Names.
        update_errors: Standard error of the last apt-get update.
    """
    with no_service_starts(_POLICY):
        done = _apt("install", "--yes", "--no-install-recommends", *packages)
    if done.returncode != 0:
        raise _apt_failure(packages, update_errors + done.stderr)


#: apt's messages about an archive that it cannot reach.
_UNREACHABLE = re.compile(
    r"Could not resolve|Temporary failure resolving|Could not connect|Connection (?:failed|timed out)"
)


def _add_trixie(undo: contextlib.ExitStack, update_errors: str) -> None:
    """Add the suite and the pin to apt.

    Args:
        undo: Gets the steps that remove them.
        update_errors: Standard error of the last apt-get update.
    """
    listed = processes.run(["apt-get", "indextargets", "--format", TARGETS_FORMAT])
    targets = [target for target in read_targets(listed.stdout) if not target.entry.startswith(f"{_SOURCES}:")]
    if not targets and _UNREACHABLE.search(update_errors):
        # A machine that never fetched a list, and no network: apt knows no index.
        raise _apt_failure(FROM_TRIXIE, update_errors)
    source = trixie_source(targets, lambda path: path.read_text(encoding="utf-8"))
    undo.callback(_PREFERENCES.unlink, missing_ok=True)
    write_atomically(_PREFERENCES, preferences(added_source=source is not None))
    if source is None:
        return
    undo.callback(_SOURCES.unlink, missing_ok=True)
    write_atomically(_SOURCES, source)
    only = (
        "-o",
        f"Dir::Etc::SourceList={_SOURCES}",
        "-o",
        "Dir::Etc::SourceParts=-",
        "-o",
        "APT::Get::List-Cleanup=0",
    )
    done = _apt("update", *only)
    if done.returncode != 0:
        raise _apt_failure(FROM_TRIXIE, done.stderr)


def _apt(*arguments: str) -> subprocess.CompletedProcess[str]:
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", "PATH": PATH}
    return processes.run(["apt-get", "-q", "-o", "DPkg::Lock::Timeout=120", *arguments], environment=quiet)


def _apt_failure(packages: Sequence[str], errors: str) -> EngineError | NetworkError:
    lines = list(dict.fromkeys(line for line in errors.splitlines() if line.startswith(("E:", "W:", "dpkg:"))))
    details = "\n".join(lines[-8:])
    if _UNREACHABLE.search(errors):
        details = "\n".join([line for line in lines if _UNREACHABLE.search(line)][:3])
        return NetworkError(
            "the distribution's package archive cannot be reached",
            fix="check the network (apt-get update shows more), then run this command again",
            details=details,
        )
    if "Unable to locate package" in errors or "has no installation candidate" in errors:
        return EngineError(
            f"apt does not know all of: {' '.join(packages)}",
            fix="on Ubuntu enable the component universe; then run apt-get update and this command again",
            details=details,
        )
    return EngineError(
        f"apt could not install {' '.join(packages)}",
        fix=f"see what `apt-get install {' '.join(packages)}` reports, fix that, then run this command again",
        details=details or "\n".join(errors.splitlines()[-8:]),
    )


@contextlib.contextmanager
def no_service_starts(policy: Path) -> Iterator[None]:
    """Keep packages from starting services while they are installed (invoke-rc.d(8), ``policy-rc.d``).

    Args:
        policy: The policy's file; an existing one is the machine's own and is kept.
    """
    mark = "# inference-images, while it installs packages: start no service."
    with contextlib.suppress(FileNotFoundError, UnicodeDecodeError):
        if mark not in policy.read_text(encoding="utf-8"):
            yield
            return
    write_atomically(policy, f"#!/bin/sh\n{mark}\nexit 101\n")
    try:
        policy.chmod(0o755)
        yield
    finally:
        policy.unlink(missing_ok=True)
