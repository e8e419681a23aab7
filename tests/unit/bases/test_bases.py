"""Bases: their Debian packages, and what differs from the lock."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from build.bases import bases
from build.errors import DriftError, PipelineError
from build.locks import debian
from build.matrix.model import Base, Bootstrap
from build.paths import Paths

STATUS = """Package: libc6
Status: install ok installed
Version: 2.36-9
Description: x
 more: of it

Package: gone
Status: deinstall ok config-files
Version: 1

Package: python3.11
Status: install ok installed
Version: 3.11.2-6
"""
BASE = Base.model_validate(
    {"title": "Debian 12", "os": "debian12", "python": "3.11", "glibc": "2.36", "bootstrap": {"suite": "bookworm"}}
)


def test_installed_packages_are_read_from_dpkgs_status(tmp_path: Path) -> None:
    tar = tmp_path / "rootfs.tar"
    with tarfile.open(tar, "w") as archive:
        entry = tarfile.TarInfo("./var/lib/dpkg/status")
        entry.size = len(STATUS)
        archive.addfile(entry, io.BytesIO(STATUS.encode()))
    assert bases.installed(tar) == ("libc6=2.36-9", "python3.11=3.11.2-6")


def test_a_recorded_set_is_read_back_and_checked(tmp_path: Path) -> None:
    paths = Paths(root=tmp_path)
    debian.record(paths, "debian12-py311", ["libc6=2.36-9"])
    assert debian.recorded(paths, "debian12-py311") == ("libc6=2.36-9",)
    bases.check_locked(paths, bases.Rootfs(base_name="debian12-py311", packages=("libc6=2.36-9",)))
    with pytest.raises(DriftError) as failure:
        bases.check_locked(paths, bases.Rootfs(base_name="debian12-py311", packages=("libc6=2.36-10",)))
    assert failure.value.details == "libc6 2.36-9 -> 2.36-10"


def test_the_exact_python_is_debians_version_or_the_images_reference(tmp_path: Path) -> None:
    paths = Paths(root=tmp_path)
    assert bases.python_version(paths, "debian12-py311", BASE, ["python3.11=3.11.2-6"]) == "3.11.2-6"
    image = BASE.model_copy(update={"bootstrap": None, "image": "registry.example/python@sha256:" + "a" * 64})
    assert bases.python_version(paths, "mirror", image, []) == image.image


def test_a_suite_with_another_python_is_told(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"has no python3\.11"):
        bases.python_version(Paths(root=tmp_path), "debian12-py311", BASE, ["python3.13=3.13.5-2"])


def test_the_bootstrap_is_reproducible_in_its_arguments() -> None:
    packages = ["python3", "ca-certificates"]
    arguments = bases.arguments(Bootstrap.model_validate({"suite": "bookworm", "packages": packages}))
    assert "--include=ca-certificates,python3" in arguments, "sorted: the order in matrix.yaml changes nothing"
    assert arguments[-1] == "bookworm"


def test_the_builder_shares_the_bases_root_file_system_until_a_security_update(tmp_path: Path) -> None:
    """What is shared is sent to BuildKit once; what stays behind keeps the package layers in its cache."""
    paths = Paths(root=tmp_path)
    tar = paths.rootfs / "debian12-py311" / "rootfs.tar"
    tar.parent.mkdir(parents=True)
    assert not bases.is_builders_too(paths, "debian12-py311"), "there is none yet"

    def bootstrapped(content: str, *packages: str) -> bool:
        incoming = tar.with_suffix(".incoming.tar")
        incoming.write_text(content)
        incoming.replace(tar)
        rootfs = bases.Rootfs(base_name="debian12-py311", packages=packages)
        bases.prepare_builder(paths, "debian12-py311", rootfs, BASE)
        return bases.is_builders_too(paths, "debian12-py311")

    assert bootstrapped("first", "libc6=2.36-9", "python3.11=3.11.2-6")
    assert not bootstrapped("libc6 updated", "libc6=2.36-10", "python3.11=3.11.2-6")
    assert bootstrapped("Python updated", "libc6=2.36-10", "python3.11=3.11.2-7")
