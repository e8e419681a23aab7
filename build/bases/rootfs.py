"""Root file systems of Debian, bootstrapped from its signed archive with mmdebstrap.

Effects: ``bootstrap`` runs mmdebstrap and writes the result to ``.pipeline/rootfs/<base>``; ``present`` reads it.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from build.bases import bootstrap_failure
from build.bases.local import LocalBase
from build.errors import EngineError, PipelineError
from build.locks import debian, mmdebstrap
from build.matrix.origins import Bootstrapped, DistributionPython
from build.system import console, processes, run_folder, state

#: Time of everything in a root file system (mmdebstrap is reproducible under a fixed SOURCE_DATE_EPOCH).
_EPOCH = "315532800"

#: Debian's keys, of the package debian-archive-keyring of Debian and of Ubuntu.
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

#: A temporary folder that every user can open; a run's own is closed.
_FOR_EVERYONE = "/var/tmp"

#: Seconds before the second and the third attempt where a mirror is changing.
WAITS = (10.0, 30.0)

#: Files that a base leaves out: documentation but for licences, which Debian's policy and law require; locales.
_LEFT_OUT = (
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
)


@dataclass(frozen=True, kw_only=True)
class Rootfs:
    """A bootstrapped root file system in ``.pipeline/``."""

    #: The Debian packages in it, ``name=version``, sorted.
    packages: tuple[str, ...]


def arguments(origin: Bootstrapped) -> list[str]:
    """The arguments of mmdebstrap for a base, without the name of the result; part of the base's recipe."""
    # With SOURCE_DATE_EPOCH set, Debian's Python compiles bytecode that is checked by hash at each start: 0.3 to 0.6 s.
    # So it is compiled again, to be checked by the files' time, which is one and the same for all of them.
    bytecode = (
        'chroot "$1" find /usr/lib -path "/usr/lib/python3*" -name "*.py" -exec touch --date=@"$SOURCE_DATE_EPOCH" {} +'
        ' && chroot "$1" env -u SOURCE_DATE_EPOCH PYTHONHASHSEED=0 python3 -c'
        ' "import compileall, py_compile, sysconfig;'
        " assert compileall.compile_dir(sysconfig.get_path('stdlib'), quiet=1, force=True,"
        ' invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP)"'
    )
    # Users who extend an image can use apt; it keeps no caches, as in Debian's own container images.
    apt = (
        'printf \'APT::Keep-Downloaded-Packages "false";\\nAcquire::Languages "none";\\n\''
        ' > "$1/etc/apt/apt.conf.d/50container"'
    )
    # The backups of the lists of users would be deleted when the base image adds one: the classic image store notes a
    # deletion with the time of the build, so that its layer would differ each time.
    leftovers = (
        'rm -rf "$1"/var/log/* "$1"/var/cache/debconf/*-old "$1"/var/lib/dpkg/*-old "$1"/var/cache/ldconfig/aux-cache'
        ' "$1"/etc/passwd- "$1"/etc/group- "$1"/etc/shadow- "$1"/etc/gshadow- "$1"/etc/subuid- "$1"/etc/subgid-'
        ' "$1"/etc/.pwd.lock "$1"/etc/hostname "$1"/etc/resolv.conf'
    )
    hooks = (bytecode, apt, leftovers) if isinstance(origin.python, DistributionPython) else (apt, leftovers)
    return [
        "--variant=apt",
        *((f"--include={','.join(sorted(origin.packages))}",) if origin.packages else ()),
        '--aptopt=Apt::Install-Recommends "false"',
        *(f"--dpkgopt={option}" for option in _LEFT_OUT),
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        "--skip=output/mknod",
        *(f"--customize-hook={hook}" for hook in hooks),
        origin.suite,
    ]


def host_options(keyring: Path) -> list[str]:
    """The options of mmdebstrap with which the root file system is the same on each machine; no part of its recipe.

    If the apt of a machine does not trust all keys of Debian, mmdebstrap names their file in apt's sources in the root
    file system (``signed-by``), and these are other bytes. Ubuntu's apt does not trust them, and Debian's may not.

    Args:
        keyring: The file with Debian's keys; where it is missing, mmdebstrap does not name it either.
    """
    return [f"--keyring={keyring}"] if keyring.is_file() else []


def present(local: LocalBase) -> Rootfs | None:
    """The root file system of a base in this clone; None where it must be bootstrapped, for the first time or again."""
    if not isinstance(local.origin, Bootstrapped):
        return None
    known = state.read_json(local.bootstrap_record)
    if not known or known.get("arguments") != arguments(local.origin):
        return None
    if known.get("recorded") != _recorded(local) or not local.rootfs_file.is_file():
        return None
    return Rootfs(packages=tuple(known["packages"]))


def note_recorded(local: LocalBase) -> None:
    """Note that the lock of a base was just recorded from the root file system in this clone."""
    known = state.read_json(local.bootstrap_record)
    if known:
        state.write_json(local.bootstrap_record, {**known, "recorded": _recorded(local)})


def forget(local: LocalBase) -> None:
    """Have the root file system of a base made again."""
    local.bootstrap_record.unlink(missing_ok=True)


def _recorded(local: LocalBase) -> list[str]:
    return list(debian.former(local.paths, local.name))


def bootstrap(local: LocalBase, origin: Bootstrapped, log: Path) -> Rootfs:
    """Make the root file system of a base from Debian's archive of today, with mmdebstrap; about 20 seconds.

    Args:
        local: The base.
        origin: What it is made from.
        log: The file for the output of mmdebstrap.

    Raises:
        EngineError: mmdebstrap is not installed.
        NetworkError: The archive cannot be reached, or its mirror stays between two states.
        PipelineError: mmdebstrap failed.
    """
    with _made(local, arguments(origin), (), log) as tar:
        return place(local, origin, tar, installed(tar))


def bootstrap_from(
    local: LocalBase, origin: Bootstrapped, sources: Sequence[str], packages: Sequence[str], log: Path
) -> Rootfs | None:
    """Make the root file system of a base from other sources, to have packages that the archive no longer has.

    The result is the same, byte for byte, as it was when the archive had them: apt's sources in it are the usual ones.

    Args:
        local: The base; this clone has a root file system of it.
        origin: What it is made from.
        sources: Lines of apt's sources.
        packages: The packages that it must have, ``name=version``, sorted.
        log: The file for the output of mmdebstrap.

    Returns:
        None where it has other packages: then this clone keeps what it has.

    Raises:
        EngineError: mmdebstrap is not installed.
        NetworkError: The archive cannot be reached, or its mirror stays between two states.
        PipelineError: mmdebstrap failed.
    """
    with run_folder.scratch(local.folder, ".sources-") as folder:
        usual = folder / "sources.list"
        usual.write_text(usual_sources(local), encoding="utf-8")
        *options, suite = arguments(origin)
        hook = f"--customize-hook=upload {shlex.quote(str(usual))} /etc/apt/sources.list"
        with _made(local, [*options, hook, suite], sources, log) as tar:
            return place(local, origin, tar, packages) if installed(tar) == tuple(packages) else None


def usual_sources(local: LocalBase) -> str:
    """Return apt's sources in the root file system that this clone has."""
    with tarfile.open(local.rootfs_file) as archive:
        member = archive.extractfile("./etc/apt/sources.list")
        return member.read().decode() if member else ""


@contextlib.contextmanager
def readable(keyring: Path | None) -> Iterator[Path | None]:
    """Give a copy of a file with keys that apt can read: it does so as another user, for whom a home may be closed.

    Args:
        keyring: The file; None gives None.

    Raises:
        PipelineError: It cannot be read.
    """
    if keyring is None:
        yield None
        return
    with tempfile.TemporaryDirectory(dir=_FOR_EVERYONE, prefix="inference-images-") as folder:
        copy = Path(folder) / f"keys{keyring.suffix}"  # apt's sources have no way to write a space
        try:
            shutil.copyfile(keyring, copy)
        except OSError as failure:
            raise PipelineError(
                f"the keys of the snapshot archive cannot be read: {failure.strerror}",
                where=str(keyring),
                fix="correct 'keyring' in matrix.yaml (bases, bootstrap, snapshot)",
            ) from failure
        Path(folder).chmod(0o755)
        copy.chmod(0o644)
        yield copy


@contextlib.contextmanager
def _made(local: LocalBase, options: Sequence[str], sources: Sequence[str], log: Path) -> Iterator[Path]:
    """Run mmdebstrap, and give its result, which is removed afterwards unless it was moved."""
    tool = shutil.which("mmdebstrap")
    if tool is None:
        raise EngineError(
            "mmdebstrap is not installed; it bootstraps the Debian bases",
            fix="sudo apt-get install mmdebstrap debian-archive-keyring (on Debian or Ubuntu); "
            "elsewhere give the base an 'image' in matrix.yaml",
        )
    target = local.rootfs_file
    target.parent.mkdir(parents=True, exist_ok=True)
    incoming = target.with_suffix(".incoming.tar")
    log.parent.mkdir(parents=True, exist_ok=True)
    with run_folder.noted("path", str(incoming)), mmdebstrap.access() as access:
        usual = [*access.options, *access.kept_options, *host_options(KEYRING)]
        command = [tool, *usual, *options, str(incoming), *sources]
        try:
            environment = {**access.environment, "SOURCE_DATE_EPOCH": _EPOCH, "LC_ALL": "C"}
            _run(command, environment, log, local.name)
            yield incoming
        finally:
            incoming.unlink(missing_ok=True)


def place(local: LocalBase, origin: Bootstrapped, tar: Path, packages: Sequence[str]) -> Rootfs:
    """Make a tar the root file system of a base in this clone.

    Args:
        local: The base.
        origin: What it was made from.
        tar: The tar, on the same file system; it is moved.
        packages: The Debian packages in it.
    """
    local.bootstrap_record.unlink(missing_ok=True)  # a new tar never has the old list of packages
    tar.replace(local.rootfs_file)
    made = {"arguments": arguments(origin), "packages": list(packages), "recorded": _recorded(local)}
    state.write_json(local.bootstrap_record, made)
    return Rootfs(packages=tuple(packages))


def _run(command: Sequence[str], environment: Mapping[str, str], log: Path, base_name: str) -> None:
    """Run mmdebstrap; again, after a wait, where a mirror was changing while it read it."""
    for wait in (*WAITS, None):
        with log.open("w", encoding="utf-8") as output:
            code = processes.run_logged(command, output, environment=environment)
        if code == 0:
            return
        text = log.read_text(encoding="utf-8", errors="replace")
        if wait is None or not bootstrap_failure.changes_now(text):
            raise bootstrap_failure.explain(text, base_name, log)
        name = bootstrap_failure.mirror(text) or "of Debian's archive"
        console.warn(f"the mirror {name} is between two states of the archive: trying again in {wait:.0f} s")
        time.sleep(wait)


def installed(tar: Path) -> tuple[str, ...]:
    """The Debian packages of a root file system, from dpkg's status file.

    Args:
        tar: The root file system.

    Returns:
        ``name=version``, sorted.

    Raises:
        ValueError: It is not a root file system of Debian.
    """

    from debian.deb822 import Deb822  # here: `check` imports this module, and reads no root file system

    try:
        with tarfile.open(tar) as archive:
            status = archive.extractfile("./var/lib/dpkg/status")
            if status is None:
                raise ValueError("its list of Debian packages is not a file")
            paragraphs = list(Deb822.iter_paragraphs(status.read().decode(), use_apt_pkg=False))
        return tuple(
            sorted(
                f"{each['Package']}={each['Version']}" for each in paragraphs if each["Status"].endswith(" installed")
            )
        )
    except (tarfile.TarError, KeyError) as failure:
        raise ValueError(f"not a root file system of Debian: {failure}") from failure
