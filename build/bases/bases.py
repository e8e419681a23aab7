"""Bases: root file systems bootstrapped from Debian's signed archive, and the tools of the builder stages.

Effects: mmdebstrap and uv run here, their results lie in ``.pipeline/``.  The set of Debian packages that a
base has is recorded in ``locks/<base>/debian.txt``; the archive moves on, so what a bootstrap gives is
compared with it, and the difference is shown.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from build.bases import prefix_archive
from build.bases.prefix_archive import Archive
from build.errors import DriftError, EngineError, NetworkError, PipelineError
from build.images import recipe
from build.images.recipe import Recipe
from build.locks import debian
from build.locks import lock as locks
from build.locks.lock import Lock
from build.matrix.model import Base, Bootstrap
from build.paths import Paths, ToolPaths, write_atomically
from build.system import state

#: The scripts that a base is completed with.
SCRIPTS = (
    "setup-base",
    "install-packages",
)
#: The programs of the start layer, beside the modules of ``server_start``.
START = ("start-server", "runsvdir")
#: The scripts that the builder stages run.
BUILDER_SCRIPTS = ("install-layer", "contested-files", "patch-layer", "compile-bytecode")
#: The scripts that make the stage that builds source-only packages.
COMPILER_SCRIPTS = ("setup-compiler", "install-packages", "strict-gcc")
#: The script that adds packages of the distribution to a base.
APT_SCRIPTS = ("install-packages",)
#: The script that GPU images run in a builder stage to link CUDA's libraries to where the loader looks.
CUDA_SCRIPT = "link-cuda"

#: Time of everything in a root file system (mmdebstrap is reproducible under a fixed SOURCE_DATE_EPOCH).
_EPOCH = "315532800"

#: What a slim base leaves out: docs (licences stay: Debian's policy and law ask for them), manuals, locales.
_LEFT_OUT = (
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
)


@dataclass(frozen=True, kw_only=True)
class Rootfs:
    """A bootstrapped root file system, as it lies in the state."""

    base_name: str
    #: The Debian packages in it, ``name=version``, sorted.
    packages: tuple[str, ...]


def arguments(bootstrap: Bootstrap, *, python: bool = True) -> list[str]:
    """mmdebstrap's arguments for a base; part of its recipe.

    Args:
        bootstrap: What is made.
        python: Whether Debian's Python is in it, which then gets its bytecode.
    """
    # Under SOURCE_DATE_EPOCH Debian's Python compiles bytecode that is checked by hash, which costs each start 0.3 to
    # 0.6 s: it is compiled again, checked by time, against the one time that the archive gives the files.
    bytecode = (
        'chroot "$1" find /usr/lib -path "/usr/lib/python3*" -name "*.py" -exec touch --date=@"$SOURCE_DATE_EPOCH" {} +'
        ' && chroot "$1" env -u SOURCE_DATE_EPOCH PYTHONHASHSEED=0 python3 -c'
        ' "import compileall, py_compile, sysconfig;'
        " assert compileall.compile_dir(sysconfig.get_path('stdlib'), quiet=1, force=True,"
        ' invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP)"'
    )
    # apt stays usable for those who extend an image, and keeps no caches, as in Debian's own container images.
    apt = (
        'printf \'APT::Keep-Downloaded-Packages "false";\\nAcquire::Languages "none";\\n\''
        ' > "$1/etc/apt/apt.conf.d/50container"'
    )
    leftovers = (
        'rm -rf "$1"/var/log/* "$1"/var/cache/debconf/*-old "$1"/var/lib/dpkg/*-old "$1"/var/cache/ldconfig/aux-cache'
        ' "$1"/etc/hostname "$1"/etc/resolv.conf'
    )
    return [
        "--variant=apt",
        f"--include={','.join(sorted(bootstrap.packages))}",
        '--aptopt=Apt::Install-Recommends "false"',
        *(f"--dpkgopt={option}" for option in _LEFT_OUT),
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        "--skip=output/mknod",
        *(f"--customize-hook={hook}" for hook in ((bytecode,) if python else ()) + (apt, leftovers)),
        bootstrap.suite,
    ]


def start_files(tool: ToolPaths) -> dict[str, str]:
    """The files of the start layer: path below ``image/start`` → text."""
    return {
        str(file.relative_to(tool.start)): file.read_text(encoding="utf-8")
        for file in sorted((*(tool.start / name for name in START), *tool.start.glob("server_start/*.py")))
    }


def present(paths: Paths, base_name: str, base: Base) -> Rootfs | None:
    """The root file system in the state, or None where it must be bootstrapped (anew)."""
    if base.bootstrap is None:
        return None
    known = state.read_json(paths.rootfs / base_name / "bootstrap.json")
    if not known or known.get("arguments") != arguments(base.bootstrap, python=base.prefix is None):
        return None
    if (
        known.get("recorded") != list(debian.recorded(paths, base_name) or ())
        or not rootfs_file(paths, base_name).is_file()
    ):
        return None
    return Rootfs(base_name=base_name, packages=tuple(known["packages"]))


def note_recorded(paths: Paths, base_name: str) -> None:
    """Note that the root file system in the state is the one its lock was just recorded from."""
    file = paths.rootfs / base_name / "bootstrap.json"
    known = state.read_json(file)
    if known:
        state.write_json(file, {**known, "recorded": list(debian.recorded(paths, base_name) or ())})


_ROOTFS = "rootfs.tar"


def rootfs_file(paths: Paths, base_name: str) -> Path:
    """Where a base's root file system lies, made or not."""
    return paths.rootfs / base_name / _ROOTFS


def bootstrap(paths: Paths, base_name: str, base: Base, log: Path) -> Rootfs:
    """Make a root file system with mmdebstrap; about 20 seconds.

    Args:
        paths: The checkout.
        base_name: The base's name.
        base: Its definition, with ``bootstrap``.
        log: Where mmdebstrap's output goes.

    Raises:
        EngineError: mmdebstrap is not installed.
        NetworkError: The archive is not reached.
        PipelineError: mmdebstrap failed.
    """
    assert base.bootstrap is not None
    tool = shutil.which("mmdebstrap")
    if tool is None:
        raise EngineError(
            "mmdebstrap is not installed; it makes the Debian bases",
            fix="sudo apt-get install mmdebstrap debian-archive-keyring (on Debian or Ubuntu); "
            "elsewhere give the base an 'image' in matrix.yaml",
        )
    target = rootfs_file(paths, base_name)
    target.parent.mkdir(parents=True, exist_ok=True)
    incoming = target.with_suffix(".incoming.tar")
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [tool, *arguments(base.bootstrap, python=base.prefix is None), str(incoming)]
    try:
        with log.open("w", encoding="utf-8") as output:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "SOURCE_DATE_EPOCH": _EPOCH, "LC_ALL": "C"},
                check=False,
            )
        if done.returncode != 0:
            raise _explain(log, base_name)
        packages = installed(incoming)
        (target.parent / "bootstrap.json").unlink(missing_ok=True)  # never a new tar under the old list of packages
        incoming.replace(target)
    finally:
        incoming.unlink(missing_ok=True)
    state.write_json(
        paths.rootfs / base_name / "bootstrap.json",
        {
            "arguments": arguments(base.bootstrap, python=base.prefix is None),
            "packages": list(packages),
            "recorded": list(debian.recorded(paths, base_name) or ()),
        },
    )
    return Rootfs(base_name=base_name, packages=packages)


_NOT_REACHED = ("Could not resolve", "Could not connect", "Temporary failure", "Unable to connect")


def _explain(log: Path, base_name: str) -> PipelineError:
    text = log.read_text(encoding="utf-8", errors="replace")
    lines = [line for line in text.splitlines() if line.startswith(("E:", "Err:", "W:"))][-6:]
    details = "\n".join(lines) or text[-600:]
    if any(sign in text for sign in _NOT_REACHED):
        return NetworkError(
            "Debian's archive cannot be reached", fix="check the network, then run it again", details=details
        )
    if "No space left on device" in text:
        return PipelineError(
            "the disk is full", where=str(log.parent), fix="free some space, then run it again", details=details
        )
    return PipelineError(f"mmdebstrap failed for the base {base_name}", where=str(log), details=details)


def installed(tar: Path) -> tuple[str, ...]:
    """The Debian packages of a root file system, ``name=version``, from its dpkg status.

    Args:
        tar: The root file system.
    """
    with tarfile.open(tar) as archive:
        member = archive.extractfile("./var/lib/dpkg/status")
        assert member is not None
        text = member.read().decode()
    found = []
    for paragraph in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and line[0] != " ")
        if fields.get("Status", "").endswith(" installed"):
            found.append(f"{fields['Package']}={fields['Version']}")
    return tuple(sorted(found))


def check_locked(paths: Paths, rootfs: Rootfs) -> None:
    """Raise where a base is not what its lock says (``--locked``).

    Raises:
        DriftError: It differs.
    """
    lines = debian.drift(debian.recorded(paths, rootfs.base_name) or (), rootfs.packages)
    if lines:
        raise DriftError(
            f"the base {rootfs.base_name} differs from its lock in {len(lines)} Debian packages",
            where=str(debian.lock_file(paths, rootfs.base_name)),
            fix="take the change with: nox -s lock -- --bases; or build without --locked",
            details="\n".join(lines),
        )


def prefix(paths: Paths, base_name: str, base: Base) -> Archive | None:
    """The prefix of a base, found on this machine and made an archive; None where the base has none.

    Raises:
        PrefixNotFoundError: It is nowhere.
        PrefixError: What lies there is something else.
    """
    return prefix_archive.ensure(paths.rootfs / base_name, base.prefix, paths) if base.prefix else None


def prepare_builder(paths: Paths, base_name: str, rootfs: Rootfs | None, base: Base) -> None:
    """Keep the root file system, and the prefix, that the builder stage stands on.

    They stay the same while Python stays the same, so that a security update of Debian leaves the package
    layers in the engine's cache (``build.images.recipe.builder`` says why that is right).
    """
    names = [] if rootfs is None else [_ROOTFS]
    names += [] if base.prefix is None else [prefix_archive.RUNTIME, prefix_archive.HEADERS]
    if not names:
        return
    target = paths.state / "builder" / base_name
    version = python_version(paths, base_name, base, rootfs.packages if rootfs else ())
    stamp = target / "python.txt"
    there = all((target / name).is_file() for name in names)
    if there and stamp.is_file() and stamp.read_text(encoding="utf-8") == version:
        return
    target.mkdir(parents=True, exist_ok=True)
    for name in names:
        source, incoming = paths.rootfs / base_name / name, target / f"incoming-{name}"
        incoming.unlink(missing_ok=True)
        try:
            incoming.hardlink_to(source)
        except OSError:
            shutil.copy2(source, incoming)
        incoming.replace(target / name)
    write_atomically(stamp, version)


def is_builders_too(paths: Paths, base_name: str) -> bool:
    """Whether the builder stage stands on the very root file system of the base: then one copy serves both."""
    try:
        return rootfs_file(paths, base_name).samefile(paths.state / "builder" / base_name / _ROOTFS)
    except FileNotFoundError:
        return False


def python_version(paths: Paths, base_name: str, base: Base, packages: Sequence[str]) -> str:
    """The exact Python of a base: Debian's version of its interpreter's package, its prefix, or the image.

    Args:
        paths: The checkout.
        base_name: The base's name.
        base: Its definition.
        packages: The Debian packages in it, ``name=version``; empty for an ``image`` base.
    """
    archive = prefix(paths, base_name, base)
    if archive is not None:
        return archive.identity
    if base.image is not None:
        return base.image
    versions = dict(item.split("=", 1) for item in packages)
    name = f"python{base.python}"
    if name not in versions:
        raise PipelineError(
            f"the base has no {name}",
            where="matrix.yaml (bases)",
            fix=f"its suite's python3 is not {base.python}: correct 'python', or take another suite",
        )
    return versions[name]


def prepare_tools(paths: Paths, lock: Lock) -> None:
    """Install the Linux uv of ``locks/tools.txt`` into the state; it works on any host, as a build context.

    Raises:
        NetworkError: The index is not reached.
    """
    import uv

    from build.locks.resolve import explain

    stamp = paths.tools / "tools.txt"
    text = locks.to_text(lock)
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == text and (paths.tools / "bin" / "uv").is_file():
        return
    shutil.rmtree(paths.tools, ignore_errors=True)
    paths.tools.mkdir(parents=True)
    wanted = paths.tools / "requirements.txt"
    wanted.write_text("".join(f"{package.requirement}\n" for package in lock.packages), encoding="utf-8")
    command = [
        *(uv.find_uv_bin(), "pip", "install", "--quiet", "--target", str(paths.tools), "--no-deps", "--require-hashes"),
        *("--python-platform", lock.platform, "--python-version", lock.python, "--python", sys.executable),
        *("--requirement", str(wanted)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        failure = explain(done.stderr, [package.requirement for package in lock.packages])
        if isinstance(failure, NetworkError):
            raise failure
        raise PipelineError("uv could not be installed for the builder", details=done.stderr[-800:])
    write_atomically(stamp, text)


def recipe_of(tool: ToolPaths, paths: Paths, base_name: str, base: Base, packages: Sequence[str]) -> Recipe:
    """The recipe of a base with these Debian packages in it."""
    archive = prefix(paths, base_name, base)
    return recipe.base(
        dockerfile=(paths.dockerfiles / "bases" / base_name / "Dockerfile").read_text(encoding="utf-8"),
        scripts={name: (tool.scripts / name).read_text(encoding="utf-8") for name in SCRIPTS},
        start=start_files(tool),
        bootstrap=arguments(base.bootstrap, python=base.prefix is None) if base.bootstrap else (),
        packages=packages,
        prefix=archive.identity if archive else None,
    )


def builder_recipe(
    tool: ToolPaths, paths: Paths, base_name: str, base: Base, packages: Sequence[str], tools: Lock
) -> Recipe:
    """The recipe of the builder stage of a base."""
    return recipe.builder(
        dockerfile=(paths.dockerfiles / "bases" / base_name / "builder.Dockerfile").read_text(encoding="utf-8"),
        scripts={name: (tool.scripts / name).read_text(encoding="utf-8") for name in BUILDER_SCRIPTS},
        uv=tools.packages[0].sha256,
        python=python_version(paths, base_name, base, packages),
    )


def compiler_recipe(tool: ToolPaths, paths: Paths, base_name: str, build_requirements: str) -> Recipe:
    """The recipe of the stage of a base that builds source-only packages with these requirements."""
    return recipe.compiler(
        dockerfile=(paths.dockerfiles / "bases" / base_name / "compiler.Dockerfile").read_text(encoding="utf-8"),
        scripts={name: (tool.scripts / name).read_text(encoding="utf-8") for name in COMPILER_SCRIPTS},
        build_requirements=build_requirements,
    )
