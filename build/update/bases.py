"""The Debian packages of the bases: which ones the archive has in newer versions, and which of these are fixes.

Effects: runs mmdebstrap, which uses the network; writes nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from build.checkout.project import Project
from build.locks import debian, debian_archive
from build.locks.debian_archive import Newer
from build.matrix.origins import Bootstrapped


def find(project: Project, *, security_only: bool) -> dict[str, tuple[Newer, ...]]:
    """Return the bases of which the archive has newer packages: base → these, with the CVE ids that they fix.

    A base takes all that the archive has, or nothing: the archive keeps only the newest version of each package.

    Args:
        project: The project.
        security_only: Leave out the bases without a package that has a newer version in the security suite.

    Raises:
        EngineError: mmdebstrap is not installed.
        NetworkError: The archive is not reached.
        LockError: The lock of a base is damaged, so that it is unknown whether the base lacks a security update.
    """
    suites: dict[str, dict[str, tuple[str, ...]]] = {}
    for name, base in project.matrix.bases.items():
        if isinstance(base.origin, Bootstrapped):
            suites.setdefault(base.origin.suite, {})[name] = debian.recorded(project.paths, name) or ()
    found: dict[str, tuple[Newer, ...]] = {}
    for suite, bases in suites.items():
        names = {package.partition("=")[0] for packages in bases.values() for package in packages}
        archive = debian_archive.fetch(suite, names)
        newer = {name: debian_archive.newer(packages, archive) for name, packages in bases.items()}
        found |= _with_cves(suite, {name: packages for name, packages in newer.items() if packages})
    if security_only:
        return {name: newer for name, newer in found.items() if any(package.is_security for package in newer)}
    return found


def _with_cves(suite: str, bases: Mapping[str, tuple[Newer, ...]]) -> dict[str, tuple[Newer, ...]]:
    """Add the CVE ids to the packages with security updates.

    The packages of a source have the same changelog, but not all contain it: libstdc++6 has a link to another package.
    """
    fixed = {package.name: package for newer in bases.values() for package in newer if package.is_security}
    if not fixed:
        return dict(bases)
    logs = debian_archive.changelogs(suite, list(fixed.values()))
    by_source: dict[str, str] = {}
    for package in fixed.values():
        by_source[package.source] = by_source.get(package.source) or logs.get(package.name, "")
    return {
        name: tuple(
            dataclasses.replace(package, cves=debian_archive.cves(by_source[package.source], package.old))
            if package.is_security
            else package
            for package in newer
        )
        for name, newer in bases.items()
    }
