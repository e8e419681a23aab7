"""The packages that an engine of this project's own needs: which of them are missing, and installing them."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from build.engine import find as engine_find
from build.errors import EngineError, NetworkError
from build.paths import write_atomically
from build.system import console

#: Programs of a system's own folders are not on every user's PATH.
PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"))

_SOURCES = Path("/etc/apt/sources.list.d/inference-images.sources")
_PREFERENCES = Path("/etc/apt/preferences.d/inference-images")
_POLICY = Path("/usr/sbin/policy-rc.d")
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
#: Debian 12's docker.io is 20.10 and has no buildx.  These of Debian 13 need no newer libc than Debian 12's
#: (runc does, so it stays Debian 12's).
_FROM_TRIXIE = ("docker.io", "docker-cli", "docker-buildx", "containerd")
_TRIXIE = "trixie"


# ---- what to install -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What matters here of the machine: its distribution and what it already has."""

    #: ``ID`` and ``VERSION_ID`` of os-release(5): ``debian``, ``12``; Debian testing has no version.
    distribution: str
    version: str
    #: First two numbers of ``dockerd --version``; None where there is no dockerd.
    dockerd: tuple[int, int] | None
    #: Programs and files that are here, of ``PROGRAMS`` and the keyring.
    has: frozenset[str]
    #: A buildx that is new enough is here.
    buildx: bool

    @property
    def supported(self) -> bool:
        return self.distribution in ("debian", "ubuntu")

    @property
    def needs_trixie(self) -> bool:
        return (self.distribution, self.version) == ("debian", "12")


#: Program → the package that has it.
PROGRAMS = {
    "containerd": "containerd",
    "docker": "docker-cli",
    "iptables": "iptables",
    "mmdebstrap": "mmdebstrap",
}


def missing_packages(machine: Machine) -> tuple[str, ...]:
    """The packages to install, none that the machine has in another form (Docker's own docker-ce, say).

    Args:
        machine: From ``this_machine``.

    Returns:
        Names, in alphabetical order.
    """
    wanted = {package for program, package in PROGRAMS.items() if program not in machine.has}
    if machine.distribution == "ubuntu":
        wanted.discard("docker-cli")  # there docker.io carries the client
    if machine.dockerd is None or machine.dockerd < engine_find.MINIMUM_ENGINE:
        wanted |= {"docker.io", "containerd"}
    if not machine.buildx:
        wanted.add("docker-buildx")
    if str(_KEYRING) not in machine.has:
        wanted.add("debian-archive-keyring")
    return tuple(sorted(wanted))


def this_machine() -> Machine:
    """Look at the machine this runs on."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    has = {program for program in PROGRAMS if shutil.which(program, path=PATH)}
    if _KEYRING.exists():
        has.add(str(_KEYRING))
    dockerd = shutil.which("dockerd", path=PATH)
    version = None
    if dockerd:
        said = subprocess.run([dockerd, "--version"], capture_output=True, text=True, check=False)
        version = engine_find.parse_version(said.stdout)
    try:
        engine_find.buildx()
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


@dataclass(frozen=True, kw_only=True)
class AptTarget:
    """One index that apt knows of."""

    #: ``/etc/apt/sources.list.d/debian.sources:1``: the file, and the stanza or line in it, counted from 1.
    entry: str
    uri: str
    release: str
    codename: str
    component: str


#: What ``read_targets`` reads: ``apt-get indextargets --format`` (apt-get(8); fields: apt's
#: acquire-additional-files documentation).
TARGETS_FORMAT = "$(CREATED_BY)|$(SOURCESENTRY)|$(REPO_URI)|$(RELEASE)|$(CODENAME)|$(COMPONENT)"


def read_targets(text: str) -> tuple[AptTarget, ...]:
    """The package indexes in the output of ``apt-get indextargets`` in ``TARGETS_FORMAT``."""
    found = []
    for line in text.splitlines():
        kind, *values = line.split("|")
        if kind == "Packages" and len(values) == 5:
            entry, uri, release, codename, component = values
            # A field that apt does not know yet (no list fetched) stays as it stands in the format.
            codename = "" if codename.startswith("$(") else codename
            found.append(AptTarget(entry=entry, uri=uri, release=release, codename=codename, component=component))
    return tuple(found)


def trixie_source(targets: Sequence[AptTarget], read: Callable[[Path], str]) -> str | None:
    """The apt source for Debian 13 from the mirror that the machine's Debian 12 comes from.

    Args:
        targets: What apt knows of.
        read: Gives a file's text.

    Returns:
        The content of a ``.sources`` file (sources.list(5)), None where apt has that suite already.

    Raises:
        EngineError: apt has no Debian 12.
    """
    main = [target for target in targets if target.component == "main"]
    if any(_TRIXIE in (target.release, target.codename) for target in main):
        return None
    for target in main:
        if "bookworm" in (target.release, target.codename):
            signed = _signed_by(target.entry, read)
            return (
                "# Written by inference-images: Docker for Debian 12 (see preferences.d/inference-images).\n"
                f"Types: deb\nURIs: {target.uri}\nSuites: {_TRIXIE}\nComponents: main\n" + signed
            )
    raise EngineError(
        "apt has no source for Debian 12 (bookworm main), so there is no mirror to take Docker from",
        where="/etc/apt/sources.list.d",
        fix="install a Docker engine 23 or newer with buildx, or mend apt's sources and run it again",
    )


def _signed_by(entry: str, read: Callable[[Path], str]) -> str:
    """The ``Signed-By`` field of a source, ready for a ``.sources`` file; empty where it has none."""
    name, _, number = entry.rpartition(":")
    with contextlib.suppress(OSError, ValueError, IndexError):
        text = read(Path(name))
        if name.endswith(".sources"):
            stanzas = [part for part in re.split(r"\n\s*\n", text) if re.search(r"^URIs:", part, re.M | re.I)]
            # The value may go on in lines that begin with a space: a key written out.
            match = re.search(r"^Signed-By:.*\n?(?:[ \t].*\n?)*", stanzas[int(number) - 1], re.M | re.I)
            return match[0].rstrip("\n") + "\n" if match else ""
        match = re.search(r"\bsigned-by=([^\s\]]+)", text.splitlines()[int(number) - 1], re.I)
        return f"Signed-By: {match[1]}\n" if match else ""
    return ""


def preferences(*, added_source: bool) -> str:
    """The content of apt's pin: of Debian 13 these packages and nothing else (apt_preferences(5)).

    Args:
        added_source: The suite comes from our own source.  Where the machine had it already, its other
            packages are left as they are.
    """
    rest = f"Package: *\nPin: release n={_TRIXIE}\nPin-Priority: -10\n\n" if added_source else ""
    return (
        "Explanation: Written by inference-images: Docker and buildx for Debian 12.\n"
        f"{rest}Package: {' '.join(_FROM_TRIXIE)}\nPin: release n={_TRIXIE}\nPin-Priority: 700\n"
    )


# ---- installing ------------------------------------------------------------------------------------------


def install(machine: Machine) -> tuple[str, ...]:
    """Install what is missing.  On Debian 12, Docker comes from Debian 13 by a pin.

    Args:
        machine: From ``this_machine``.

    Returns:
        The packages asked of apt, none where nothing was missing.

    Raises:
        EngineError: Not root, not Debian or Ubuntu, or apt fails.
        NetworkError: The archive is out of reach.
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
    # A source that is out of reach and not needed here must not stop the work: what is missing shows below.
    update = _apt("update")
    with contextlib.ExitStack() as undo:
        if machine.needs_trixie and set(packages) & set(_FROM_TRIXIE):
            _add_trixie(undo, update.stderr)
        with no_service_starts(_POLICY):
            done = _apt("install", "--yes", "--no-install-recommends", *packages)
        if done.returncode != 0:
            raise _apt_failure(packages, update.stderr + done.stderr)
        undo.pop_all()
    return packages


#: What apt says of an archive that it cannot reach.
_UNREACHABLE = re.compile(
    r"Could not resolve|Temporary failure resolving|Could not connect|Connection (?:failed|timed out)"
)


def _add_trixie(undo: contextlib.ExitStack, said: str) -> None:
    """Give apt the suite and the pin; ``undo`` takes them away; ``said``: by the last apt-get update."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", TARGETS_FORMAT], capture_output=True, text=True, check=False
    )
    targets = [target for target in read_targets(listed.stdout) if not target.entry.startswith(f"{_SOURCES}:")]
    if not targets and _UNREACHABLE.search(said):
        # A machine that never fetched a list, and no network: apt knows of nothing.
        raise _apt_failure(_FROM_TRIXIE, said)
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
        raise _apt_failure(_FROM_TRIXIE, done.stderr)


def _apt(*arguments: str) -> subprocess.CompletedProcess[str]:
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", "PATH": PATH}
    return subprocess.run(
        ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=120", *arguments],
        env=quiet, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip


def _apt_failure(packages: Sequence[str], said: str) -> EngineError | NetworkError:
    lines = list(dict.fromkeys(line for line in said.splitlines() if line.startswith(("E:", "W:", "dpkg:"))))
    details = "\n".join(lines[-8:])
    if _UNREACHABLE.search(said):
        details = "\n".join([line for line in lines if _UNREACHABLE.search(line)][:3])
        return NetworkError(
            "the distribution's package archive is out of reach",
            fix="check the network (apt-get update says more) and run it again",
            details=details,
        )
    if "Unable to locate package" in said or "has no installation candidate" in said:
        return EngineError(
            f"apt does not know all of: {' '.join(packages)}",
            fix="on Ubuntu enable the component universe; then apt-get update, and run it again",
            details=details,
        )
    return EngineError(
        f"apt could not install {' '.join(packages)}",
        fix=f"see what `apt-get install {' '.join(packages)}` says, mend that, and run it again",
        details=details or "\n".join(said.splitlines()[-8:]),
    )


@contextlib.contextmanager
def no_service_starts(policy: Path) -> Iterator[None]:
    """Keep packages from starting their services while they are installed (invoke-rc.d(8), ``policy-rc.d``).

    Args:
        policy: Where the policy lies; one that is there already is the machine's own and stays.
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
