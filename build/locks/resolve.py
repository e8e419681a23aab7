"""Resolution: from requirements to the exact files of a lock, by uv.

Effects: runs uv, which uses the network and its own cache.
"""

from __future__ import annotations

import datetime
import re
import tempfile
import textwrap
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import uv
from packaging.tags import Tag
from packaging.utils import canonicalize_name, parse_wheel_filename

from build.errors import LockError, NetworkError, PipelineError
from build.locks import lock as locks
from build.locks.lock import Lock, LockedPackage
from build.packages import uv_failures
from build.packages.index import configured
from build.packages.target import Target, glibc_minor, supported_tags
from build.packages.uv_environment import environment
from build.system import processes

#: The minor versions of glibc for which uv 0.13 has a platform (``x86_64-manylinux_2_36``).
_UV_PLATFORMS = (17, 28, *range(31, 41))
#: Parts of uv's messages when an index is not reached.
_NOT_REACHED = ("failed to fetch", "error sending request", "dns error", "network", "tls handshake", "timed out")
_NO_SOLUTION = "no solution found"


class UnsatisfiableError(LockError):
    """No set of packages satisfies the requirements; ``details`` has the resolver's reason."""


def resolve(
    requirements: Sequence[str],
    target: Target,
    *,
    preferred: Mapping[str, str] | None = None,
    constraints: Iterable[str] = (),
    without: Iterable[str] = (),
    wheel_directories: Sequence[Path | str] = (),
    offline: bool = False,
    only_wheels: bool = False,
    dependencies: bool = True,
) -> tuple[LockedPackage, ...]:
    """Return all packages that satisfy the requirements, sorted by name.

    Args:
        requirements: Requirement texts (PEP 508).
        target: What the wheels must fit.
        preferred: Distribution → version that is chosen again if the requirements allow it. What an index had on a
            day can change (late mirrors, yanked releases); an edit of one pin must not change unrelated packages.
        constraints: Versions that packages must have, if they are needed at all.
        without: Distributions that are left out, whatever requires them.
        wheel_directories: Wheels in addition to the index: directories, or pages of links to wheels (URLs).
        offline: Use only uv's cache, which has the answers of the last few minutes.
        only_wheels: Ignore source archives. Otherwise a package without a wheel for the target is built, to learn
            its requirements.
        dependencies: Include what the packages require.

    Raises:
        UnsatisfiableError: There is no such set.
        NetworkError: The index cannot be reached.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "pylock.toml")
        if preferred:  # uv prefers the versions in the file that it overwrites
            output.write_text(_pylock(preferred), encoding="utf-8")
        command = [
            *(uv.find_uv_bin(), "pip", "compile", _write(folder, "requirements.in", requirements)),
            *("--quiet", "--no-header", "--format", "pylock.toml", "--output-file", str(output)),
            *("--constraints", _write(folder, "constraints.txt", constraints)),
            *("--excludes", _write(folder, "excludes.txt", without)),
            *("--python-version", target.python, "--python-platform", _uv_platform(target.glibc)),
            *("--exclude-newer", f"{target.exclude_newer}T00:00:00Z"),
            *(f"--find-links={directory}" for directory in wheel_directories),
            *(("--offline",) if offline else ()),
            *(("--only-binary", ":all:") if only_wheels else ()),
            *(() if dependencies else ("--no-deps",)),
        ]
        done = processes.run(command, cwd=Path(folder), environment=environment())
        if done.returncode != 0:
            raise explain(done.stderr, requirements, configured().indexes)
        packages = tomllib.loads(output.read_text(encoding="utf-8"))["packages"]
    tags = supported_tags(target.python, target.glibc)
    return tuple(sorted((_locked(package, tags) for package in packages), key=lambda package: package.name))


def lock(
    title: str, requirements: tuple[str, ...], target: Target, *, preferred: Mapping[str, str] | None = None
) -> Lock:
    """Return a lock of requirements that need not agree with other locks; see ``resolve``.

    Raises:
        UnsatisfiableError: No set of packages satisfies the requirements.
        NetworkError: The index cannot be reached.
    """
    packages = resolve(requirements, target, preferred=preferred)
    return Lock(
        title=title,
        python=target.python,
        platform=locks.platform(target.glibc),
        exclude_newer=target.exclude_newer,
        newest=locks.newest(packages),
        requirements=requirements,
        packages=packages,
    )


def _write(folder: str, name: str, lines: Iterable[str]) -> str:
    """Write one of uv's input files and return its path."""
    file = Path(folder, name)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(file)


def _uv_platform(glibc: str) -> str:
    """Return the newest of uv's platforms whose wheels run with this glibc."""
    minor = glibc_minor(glibc)
    return locks.platform(f"2.{max((known for known in _UV_PLATFORMS if known <= minor), default=_UV_PLATFORMS[0])}")


def _pylock(versions: Mapping[str, str]) -> str:
    """Return versions in the format of pylock.toml (PEP 751), as far as uv reads it for preferences."""
    packages = (f'\n[[packages]]\nname = "{name}"\nversion = "{version}"\n' for name, version in versions.items())
    return 'lock-version = "1.0"\ncreated-by = "inference-images"\n' + "".join(packages)


def explain(stderr: str, requirements: Sequence[str], indexes: Sequence[str] = ()) -> PipelineError:
    """Return uv's failure as an error: the index was not reached, or no set of packages satisfies the requirements.

    Args:
        stderr: uv's standard error.
        requirements: The requirements that were resolved.
        indexes: The indexes that were searched, possibly with user and password.
    """
    reason = uv_failures.explain(stderr, indexes, locked=False)
    if reason is not None:
        return NetworkError(reason.what, fix=reason.fix, details=stderr.strip()[-600:])
    text = " ".join(re.sub(r"[×╰─▶├│]+", " ", stderr).split())
    lowered = text.lower()
    if _NO_SOLUTION not in lowered and any(sign in lowered for sign in _NOT_REACHED):
        return NetworkError(
            "the package index cannot be reached",
            fix="check the network, the proxy's variables and SSL_CERT_FILE, then run it again",
            details=text[-600:],
        )
    text = re.sub(r"^.*?No solution found when resolving dependencies:?\s*(cause:\s*)?", "", text)
    text = re.sub(r"\s*hint:.*$", "", text) if len(text) > 900 else text
    return UnsatisfiableError(
        "no set of packages satisfies " + ", ".join(requirements),
        details="\n".join(textwrap.wrap(text[:1200], 110, break_on_hyphens=False)),
    )


def _locked(package: dict[str, object], tags: Sequence[Tag]) -> LockedPackage:
    """Return one package of a pylock.toml (PEP 751), reduced to the one file that will be installed."""
    name, version = str(package["name"]), str(package.get("version", ""))
    wheels, sdist = package.get("wheels", []), package.get("sdist")
    assert isinstance(wheels, list)
    chosen = _best_wheel(wheels, tags) or sdist
    if not isinstance(chosen, dict):
        raise UnsatisfiableError(f"{name} {version} has neither a wheel for this platform nor a source archive")
    size, uploaded = chosen.get("size"), chosen.get("upload-time")
    return LockedPackage(
        name=canonicalize_name(name),
        version=version,
        sha256=str(chosen["hashes"]["sha256"]),
        filename=_filename(chosen),
        size=int(size) if isinstance(size, int) else None,
        uploaded=uploaded if isinstance(uploaded, datetime.datetime) else None,
        url=str(chosen.get("url") or chosen.get("path") or "") or None,
    )


def _best_wheel(wheels: Sequence[dict[str, object]], tags: Sequence[Tag]) -> dict[str, object] | None:
    """Return the wheel that an installer with these tags, best first, would take; the first of several equally good."""
    rank = {tag: index for index, tag in enumerate(tags)}
    best: tuple[int, dict[str, object]] | None = None
    for wheel in wheels:
        ranks = [rank[tag] for tag in parse_wheel_filename(_filename(wheel))[3] if tag in rank]
        if ranks and (best is None or min(ranks) < best[0]):
            best = (min(ranks), wheel)
    return best[1] if best else None


def _filename(file: Mapping[str, object]) -> str:
    name = str(file.get("name") or str(file.get("url") or file.get("path")).rsplit("/", 1)[-1])
    return name.replace("%2B", "+")
