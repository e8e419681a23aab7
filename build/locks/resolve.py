"""Resolution: from a variant's requirements to its lock, by uv.

The images of one base are made to agree on shared packages: all their requirements are resolved together
first, and what that gives constrains each.  Where no set satisfies all, the ones that fit together agree.
"""

from __future__ import annotations

import functools
import re
import subprocess
import tempfile
import textwrap
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import uv
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

from build.errors import LockError, NetworkError, PipelineError
from build.locks import lock as locks
from build.locks.lock import Lock, LockedPackage
from build.packages.cuda import is_cuda
from build.variants.variant import CPU, Variant

#: The second numbers of the glibc that uv 0.13 knows as platforms (``x86_64-manylinux_2_36``).
_UV_KNOWS = (17, 28, *range(31, 41))
#: Resolutions side by side: they wait for the index more than they compute.
_AT_ONCE = 3


class UnsatisfiableError(LockError):
    """No set of packages satisfies the requirements; ``details`` has the resolver's reason."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """What wheels must fit: a Python, a glibc, a day; and what was chosen on that day before."""

    python: str
    glibc: str
    exclude_newer: str
    #: Distribution → version that is taken again where the requirements allow it: an index also changes what it
    #: had on a day (late mirrors, withdrawn releases), and an edit of one pin shall move what it must and no more.
    kept: Mapping[str, str] = field(default_factory=dict)


def resolve(
    requirements: Sequence[str],
    target: Target,
    *,
    constraints: Iterable[str] = (),
    without: Iterable[str] = (),
    wheel_directories: Sequence[Path | str] = (),
    offline: bool = False,
    only_wheels: bool = False,
    alone: bool = False,
) -> tuple[LockedPackage, ...]:
    """All packages that satisfy the requirements, sorted by name.

    Args:
        requirements: Requirement texts (PEP 508).
        target: What the wheels must fit.
        constraints: Versions to keep to where a package is needed at all.
        without: Distributions that are left out, whatever asks for them.
        wheel_directories: Extra wheels beside the index: directories, or pages of links to wheels (URLs).
        offline: Answer from uv's cache alone, which knows what was resolved a moment ago.
        only_wheels: Take no source; else what has no wheel for the target is built to learn what it needs.
        alone: Do not look at what the packages need.

    Raises:
        UnsatisfiableError: There is no such set.
        NetworkError: The index cannot be reached.
    """
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder, "requirements.in")
        wanted.write_text("\n".join(requirements) + "\n", encoding="utf-8")
        limits = Path(folder, "constraints.txt")
        limits.write_text("\n".join(constraints) + "\n", encoding="utf-8")
        output = Path(folder, "pylock.toml")
        if target.kept:  # uv keeps to what stands in the file that it writes
            output.write_text(_pylock(target.kept), encoding="utf-8")
        command = [
            *(uv.find_uv_bin(), "pip", "compile", str(wanted), "--quiet", "--no-header"),
            *("--constraints", str(limits)),
            *("--python-version", target.python, "--python-platform", _uv_platform(target.glibc)),
            *("--exclude-newer", f"{target.exclude_newer}T00:00:00Z"),
            *("--format", "pylock.toml", "--output-file", str(output)),
        ]
        for directory in wheel_directories:
            command += ["--find-links", str(directory)]
        if left_out := tuple(without):
            excludes = Path(folder, "excludes.txt")
            excludes.write_text("\n".join(left_out) + "\n", encoding="utf-8")
            command += ["--excludes", str(excludes)]
        if offline:
            command.append("--offline")
        if only_wheels:
            command += ["--only-binary", ":all:"]
        if alone:
            command.append("--no-deps")
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
        if done.returncode != 0:
            raise explain(done.stderr, requirements)
        packages = tomllib.loads(output.read_text(encoding="utf-8"))["packages"]
    tags = supported_tags(target.python, target.glibc)
    return tuple(sorted((_locked(package, tags) for package in packages), key=lambda package: package.name))


def _uv_platform(glibc: str) -> str:
    """The newest platform that uv knows of those whose wheels run with this glibc; what is named is best for locks."""
    minor = int(glibc.split(".")[1])
    return locks.platform(f"2.{max((known for known in _UV_KNOWS if known <= minor), default=_UV_KNOWS[0])}")


def _pylock(versions: Mapping[str, str]) -> str:
    """Versions in the format of pylock.toml (PEP 751), as far as uv reads it for preferences."""
    packages = (f'\n[[packages]]\nname = "{name}"\nversion = "{version}"\n' for name, version in versions.items())
    return 'lock-version = "1.0"\ncreated-by = "inference-images"\n' + "".join(packages)


def explain(stderr: str, requirements: Sequence[str]) -> PipelineError:
    """uv's words, shortly: what cannot be satisfied, or that the index was not reached."""
    text = " ".join(re.sub(r"[×╰─▶├│]+", " ", stderr).split())
    lowered = text.lower()
    if (
        any(
            sign in lowered
            for sign in (
                "failed to fetch",
                "error sending request",
                "dns error",
                "network",
                "tls handshake",
                "timed out",
            )
        )
        and "no solution found" not in lowered
    ):
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


@functools.cache
def supported_tags(python: str, glibc: str) -> tuple[Tag, ...]:
    """The wheel tags that a CPython takes on x86-64 Linux, best first.

    Args:
        python: Its minor version: ``3.11``.
        glibc: Its glibc: ``2.36``.
    """
    version = tuple(int(part) for part in python.split("."))
    minor = int(glibc.split(".")[1])
    platforms = [f"manylinux_2_{number}_x86_64" for number in range(minor, 4, -1)]
    # The old names of three of them (PEP 600).
    for number, name in ((17, "manylinux2014_x86_64"), (12, "manylinux2010_x86_64"), (5, "manylinux1_x86_64")):
        if number <= minor:
            platforms.insert(platforms.index(f"manylinux_2_{number}_x86_64") + 1, name)
    platforms.append("linux_x86_64")
    interpreter = f"cp{version[0]}{version[1]}"
    return (*cpython_tags(version, platforms=platforms), *compatible_tags(version, interpreter, platforms))


def _locked(package: dict[str, object], tags: Sequence[Tag]) -> LockedPackage:
    """One package of a pylock.toml (PEP 751), reduced to the one file that will be installed."""
    name, version = str(package["name"]), str(package.get("version", ""))
    rank = {tag: index for index, tag in enumerate(tags)}
    best: tuple[int, dict[str, object], str] | None = None
    wheels = package.get("wheels", [])
    assert isinstance(wheels, list)
    for wheel in wheels:
        filename = str(wheel.get("name") or str(wheel.get("url") or wheel.get("path")).rsplit("/", 1)[-1])
        filename = filename.replace("%2B", "+")
        fits = [rank[tag] for tag in parse_wheel_filename(filename)[3] if tag in rank]
        if fits and (best is None or min(fits) < best[0]):
            best = (min(fits), wheel, filename)
    if best is not None:
        _, chosen, filename = best
    elif isinstance(package.get("sdist"), dict):
        chosen = package["sdist"]  # type: ignore[assignment]
        filename = str(chosen.get("name") or str(chosen.get("url") or chosen.get("path")).rsplit("/", 1)[-1])
    else:
        raise UnsatisfiableError(f"{name} {version} has neither a wheel for this platform nor a source archive")
    hashes = chosen["hashes"]
    assert isinstance(hashes, dict)
    size = chosen.get("size")
    return LockedPackage(
        name=canonicalize_name(name),
        version=version,
        sha256=str(hashes["sha256"]),
        filename=filename,
        size=int(size) if isinstance(size, int) else None,
        url=str(chosen.get("url") or chosen.get("path") or "") or None,
    )


def lock_base(
    variants: Sequence[Variant], target: Target, *, wheel_directories: Sequence[Path] = ()
) -> dict[str, Lock | UnsatisfiableError]:
    """The locks of all images of one base, and of its server, by title.

    Where the requirements of some images have no solution, the result is these images' errors and no lock: a
    matrix is locked as a whole or not at all.

    Raises:
        NetworkError: The index cannot be reached.
    """
    if not variants:
        return {}
    wanted: dict[str, tuple[str, ...]] = {locks.SERVER: variants[0].server_contract}
    wanted |= {variant.name: variant.requirements for variant in variants}
    left_out = {variant.name: variant.left_out for variant in variants}

    def alone(title: str) -> UnsatisfiableError | None:
        try:
            resolve(wanted[title], target, without=left_out.get(title, ()), wheel_directories=wheel_directories)
        except UnsatisfiableError as failure:
            return failure
        return None

    try:
        constraints = _together([_beside_cuda(item) for item in wanted.values()], target, wheel_directories)
    except UnsatisfiableError:
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            failures = zip(wanted, pool.map(alone, wanted), strict=True)
            broken = {title: failure for title, failure in failures if failure is not None}
        if broken:
            return dict(broken)
        constraints = _agree(variants, target, wheel_directories)

    def one(title: str) -> Lock | UnsatisfiableError:
        without = left_out.get(title, ())
        # An image that could not join the others keeps to them where it can: first all but its own pins give way, then
        # each package that cannot. The first attempt needs no network where all agree: its pins were just looked up.
        soft = replace(target, kept={**target.kept, **dict(item.split("==", 1) for item in constraints)})
        attempts: tuple[tuple[Sequence[str], Target, bool], ...] = (
            (constraints, target, True),
            (constraints, target, False),
            (_without_own(constraints, wanted[title]), target, False),
            ((), soft, False),
        )
        failure: PipelineError | None = None
        for limits, preferring, offline in attempts:
            try:
                packages = resolve(
                    wanted[title],
                    preferring,
                    constraints=limits,
                    without=without,
                    wheel_directories=wheel_directories,
                    offline=offline,
                )
                break
            except (UnsatisfiableError, NetworkError) as reason:
                if isinstance(reason, NetworkError) and not offline:
                    raise
                failure = reason
        else:
            assert isinstance(failure, UnsatisfiableError)
            return failure
        return Lock(
            title=title,
            python=target.python,
            platform=locks.platform(target.glibc),
            exclude_newer=target.exclude_newer,
            requirements=wanted[title],
            without=without,
            packages=packages,
        )

    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        made = dict(zip(wanted, pool.map(one, wanted), strict=True))
    broken = {title: result for title, result in made.items() if isinstance(result, UnsatisfiableError)}
    return dict(broken) if broken else made


def _beside_cuda(requirements: Sequence[str]) -> list[str]:
    """Without the pins of CUDA itself: images agree on all else, and on CUDA those with the same pins do anyway."""
    return [text for text in requirements if not is_cuda(Requirement(text).name)]


def _together(
    requirement_sets: Sequence[Sequence[str]], target: Target, wheel_directories: Sequence[Path]
) -> tuple[str, ...]:
    """The versions that satisfy all sets at once, as constraints (``numpy==2.4.6``)."""
    union = sorted({item for requirements in requirement_sets for item in requirements})
    packages = resolve(union, target, wheel_directories=wheel_directories)
    return tuple(f"{package.name}=={package.version}" for package in packages if not is_cuda(package.name))


def _agree(variants: Sequence[Variant], target: Target, wheel_directories: Sequence[Path]) -> tuple[str, ...]:
    """As ``_together``, of images that fit together; two versions of one framework do not.

    The last version of each framework (the newest, as a matrix is written) agrees with those of the others; an older
    one follows where it can.  Where even they do not fit, the largest set that does, taken in order, images without
    a GPU before those with one: a framework may be newer there.
    """
    newest = {(variant.device != CPU, variant.framework): _beside_cuda(variant.requirements) for variant in variants}
    ordered = [newest[key] for key in sorted(newest, key=lambda key: key[0])]
    of_cpu = [requirements for (gpu, _), requirements in newest.items() if not gpu]
    fitting: list[Sequence[str]] = []
    pinned: tuple[str, ...] = ()
    for several in (ordered, of_cpu):
        try:
            pinned = _together(several, target, wheel_directories)
        except UnsatisfiableError:
            continue
        fitting = list(several)
        break
    for requirements in ordered:
        if requirements in fitting:
            continue
        try:
            pinned = _together([*fitting, requirements], target, wheel_directories)
        except UnsatisfiableError:
            continue
        fitting.append(requirements)
    return pinned


def _without_own(constraints: Sequence[str], requirements: Sequence[str]) -> list[str]:
    own = {canonicalize_name(re.split(r"[^A-Za-z0-9._-]", item, maxsplit=1)[0]) for item in requirements}
    return [item for item in constraints if item.split("==")[0] not in own]
