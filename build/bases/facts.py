"""The facts of a base that recipes need: its Debian packages, and the identity of its Python.

They are read here and nowhere else: from what the registry has for the base's lock, else from what this clone has
prepared, else from the lock.  Reading them changes nothing; no archive is packed, and no process starts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from build.bases import prefix_archive, rootfs
from build.bases.local import LocalBase, local_base
from build.bases.published_note import PublishedBases, noted
from build.checkout.project import Project
from build.errors import PipelineError
from build.locks import debian, prefix_python
from build.matrix.origins import Bootstrapped, DistributionPython, FromImage, PrefixPython, has_digest


@dataclass(frozen=True, kw_only=True)
class BaseFacts:
    """The contents of a base, as far as recipes need them."""

    #: The Debian packages, ``name=version``; empty for a base from an image, whose digest covers them.
    debian: tuple[str, ...]
    #: The exact Python: the version of Debian's package, the identity of the prefix, or the reference of the image.
    python: str


@dataclass(frozen=True, kw_only=True)
class UnknownBase:
    """A base whose facts are neither in this clone nor in its lock: its images have no recipe here."""

    name: str
    #: A sentence.
    why: str
    fix: str

    @property
    def failure(self) -> PipelineError:
        """As a failure of its images."""
        return PipelineError(self.why, fix=self.fix)


def without_digest(name: str, whose: str, reference: str, *, more: str = "") -> UnknownBase:
    """Return that a base image is unknown because the matrix names an image without a digest.

    Args:
        name: The base image.
        whose: What names it: ``the base ubuntu18.04``.
        reference: The image.
        more: Another way, at the end of the fix.
    """
    return UnknownBase(
        name=name,
        why=f"{whose} names its image without a digest, so it could be another image tomorrow",
        fix=f"find the digest with: docker buildx imagetools inspect {reference}; then write "
        f"{reference}@sha256:<the digest>{more}",
    )


def read_all(
    project: Project, base_names: Iterable[str], published: PublishedBases | None = None
) -> dict[str, BaseFacts | UnknownBase]:
    """The facts of these bases, by name; a base whose facts are not valid is unknown too.  See ``read``."""
    return {name: _read_or_unknown(local_base(project, name), published) for name in base_names}


def _read_or_unknown(local: LocalBase, published: PublishedBases | None) -> BaseFacts | UnknownBase:
    try:
        return read(local, published)
    except PipelineError as failure:
        where = f" ({failure.where})" if failure.where else ""
        return UnknownBase(name=local.name, why=f"{failure.what}{where}", fix=failure.fix or "")


def read(local: LocalBase, published: PublishedBases | None = None) -> BaseFacts | UnknownBase:
    """The facts of a base.

    Args:
        local: The base.
        published: What the registry has, of all bases that it was asked about; None: what was noted when it was asked
            last.

    Raises:
        LockError: A file of its lock is not readable.
        PipelineError: Its Debian packages have another Python than the matrix says.
    """
    match local.origin:
        case FromImage(reference=reference) if not has_digest(reference):
            return without_digest(local.name, f"the base {local.name}", reference)
        case _:
            packages = debian_packages(local, published)
    if packages is None:
        return UnknownBase(
            name=local.name,
            why=f"the Debian packages of the base {local.name} are not recorded in locks/{local.name}/debian.txt",
            fix="record them: nox -s lock",
        )
    match local.origin.python, local.origin:
        case PrefixPython() as wanted, _:
            python = prefix_identity(local, wanted)
            if python is None:
                return UnknownBase(
                    name=local.name,
                    why=f"the Python of the base {local.name} is not recorded in locks/{local.name}/python.txt",
                    fix=f"on a machine with CPython {wanted.version}, run: nox -s lock -- --bases",
                )
        case _, FromImage(reference=reference):
            python = reference
        case DistributionPython(minor=minor), Bootstrapped():
            python = debian_python(packages, minor)
    return BaseFacts(debian=packages, python=python)


def debian_packages(local: LocalBase, published: PublishedBases | None = None) -> tuple[str, ...] | None:
    """The Debian packages of a base, ``name=version``; none for an image, None where they are not known.

    Raises:
        LockError: Its lock is damaged.
    """
    match local.origin:
        case FromImage():
            return ()
        case Bootstrapped() as origin:
            there = noted(local, origin) if published is None else published.get(local.name)
            if there is not None:
                return there.image.packages
            prepared = rootfs.present(local)
            return debian.recorded(local.paths, local.name) if prepared is None else prepared.packages


def prefix_identity(local: LocalBase, wanted: PrefixPython) -> str | None:
    """The identity of a base's prefix: of the one that this clone has packed, else of the recorded one.

    Returns:
        ``3.12.1 sha256:…``; None where neither exists, or the recorded one is not the one wanted.
    """
    archive = prefix_archive.present(local.folder, wanted)
    if archive is not None:
        return archive.identity
    recorded = prefix_python.recorded(local.paths, local.name)
    if recorded is None:
        return None
    stale = prefix_python.staleness(recorded, version=wanted.version, edition=prefix_archive.EDITION)
    return recorded.identity if stale is None else None


def stale_python(local: LocalBase) -> list[str]:
    """Return why the recorded Python of a base does not belong to the matrix; empty where it does.

    It needs no prefix on this machine.

    Raises:
        LockError: The record is not readable.
    """
    match local.origin.python:
        case PrefixPython(version=version):
            recorded = prefix_python.recorded(local.paths, local.name)
            reason = prefix_python.staleness(recorded, version=version, edition=prefix_archive.EDITION)
            return [reason] if reason else []
        case DistributionPython():
            return []


def debian_python(packages: Iterable[str], minor: str) -> str:
    """Debian's version of a Python's package.

    Args:
        packages: The Debian packages of a base, ``name=version``.
        minor: The minor version of the Python: ``3.11``.

    Raises:
        PipelineError: The base does not have that Python.
    """
    versions = dict(item.split("=", 1) for item in packages)
    name = f"python{minor}"
    if name not in versions:
        raise PipelineError(
            f"the base has no {name}",
            where="matrix.yaml (bases)",
            fix=f"its suite's python3 is not {minor}: correct 'python', or take another suite",
        )
    return versions[name]
