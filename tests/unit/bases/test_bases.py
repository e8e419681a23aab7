"""Bases: their Debian packages, and what differs from the lock."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from build.bases import builder_context, facts, prepare, rootfs, uv_binary
from build.bases.local import LocalBase
from build.checkout.project import open_project
from build.errors import DriftError, PipelineError
from build.locks import debian
from build.matrix.origins import Bootstrapped, DistributionPython
from build.matrix.sources import Base
from build.paths import Paths
from tests.unit.fixture_project import copy_project

ORIGIN = Bootstrapped(suite="bookworm", packages=(), python=DistributionPython(minor="3.11"))
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
    assert rootfs.installed(tar) == ("libc6=2.36-9", "python3.11=3.11.2-6")


def local(root: Path, base: Base = BASE) -> LocalBase:
    return LocalBase(name="debian12-py311", base=base, paths=Paths(root=root))


def test_a_recorded_set_is_read_back_and_checked(tmp_path: Path) -> None:
    base = local(tmp_path)
    debian.record_base(base.paths, base.name, ["libc6=2.36-9"], ORIGIN)
    assert debian.recorded(base.paths, base.name) == ("libc6=2.36-9",)
    prepare.check_locked(base, ("libc6=2.36-9",))
    with pytest.raises(DriftError) as failure:
        prepare.check_locked(base, ("libc6=2.36-10",))
    assert failure.value.details == "libc6 2.36-9 -> 2.36-10"


def test_a_base_without_packages_of_its_own_can_be_bootstrapped() -> None:
    """mmdebstrap refuses an empty list."""
    assert not [argument for argument in rootfs.arguments(ORIGIN) if argument.startswith("--include")]
    more = rootfs.arguments(replace(ORIGIN, packages=("less", "curl")))
    assert "--include=curl,less" in more


def test_the_bootstrap_is_reproducible_in_its_arguments() -> None:
    origin = Bootstrapped(
        suite="bookworm", packages=("python3", "ca-certificates"), python=DistributionPython(minor="3.11")
    )
    arguments = rootfs.arguments(origin)
    assert "--include=ca-certificates,python3" in arguments, "sorted: the order in matrix.yaml changes nothing"
    assert arguments[-1] == "bookworm"


def test_the_builder_shares_the_bases_root_file_system_until_a_security_update(tmp_path: Path) -> None:
    """A shared one is sent to BuildKit once; an older one keeps the package layers in BuildKit's cache."""
    base = local(tmp_path)
    base.folder.mkdir(parents=True)
    assert not builder_context.shares_rootfs(base), "nothing is prepared yet"

    def bootstrapped(content: str, *packages: str) -> bool:
        incoming = base.rootfs_file.with_suffix(".incoming.tar")
        incoming.write_text(content)
        incoming.replace(base.rootfs_file)
        builder_context.prepare(base, facts.debian_python(packages, "3.11"))
        return builder_context.shares_rootfs(base)

    assert bootstrapped("first", "libc6=2.36-9", "python3.11=3.11.2-6")
    assert not bootstrapped("libc6 updated", "libc6=2.36-10", "python3.11=3.11.2-6")
    assert bootstrapped("Python updated", "libc6=2.36-10", "python3.11=3.11.2-7")
    image = base.base.model_copy(update={"bootstrap": None, "image": "debian:12"})
    assert not builder_context.shares_rootfs(replace(base, base=image)), (
        "the files of an earlier bootstrap do not count"
    )


def test_bases_are_prepared_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And each that fails has its own failure."""
    program = tmp_path / "bin/mmdebstrap"
    program.parent.mkdir()
    # It fails once another one runs.
    program.write_text(
        f"#!/bin/sh\ntouch {tmp_path}/runs.$$\nfor i in $(seq 100); do\n"
        f'  if [ "$(ls {tmp_path}/runs.* | wc -l)" = 2 ]; then echo "E: met"; exit 1; fi\n'
        "  sleep 0.05\ndone\necho E: alone\nexit 1\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.setattr(uv_binary, "prepare", lambda *_: None)
    project = open_project(copy_project(tmp_path / "project"))
    names = ["debian12-py311", "debian13-py313"]
    failures = prepare.prepare(project, names, locked=False, refresh=False)
    assert list(failures) == names
    for name, failure in failures.items():
        assert f"base {name}" in failure.what
        assert "E: met" in f"{failure.what} {failure.details}", "it was prepared alone"


def test_the_keys_that_the_machine_trusts_do_not_decide_about_the_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the option for that is no part of the recipe: bases that are recorded stay valid."""
    program = tmp_path / "bin/mmdebstrap"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/seen\nexit 1\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    keyring = tmp_path / "keys.gpg"
    monkeypatch.setattr(rootfs, "KEYRING", keyring)

    def options() -> list[str]:
        with pytest.raises(PipelineError):
            rootfs.bootstrap(local(tmp_path), ORIGIN, tmp_path / "log")
        return (tmp_path / "seen").read_text(encoding="utf-8").splitlines()

    assert not any(option.startswith("--keyring") for option in options()), "mmdebstrap refuses a file that is missing"
    keyring.touch()
    assert f"--keyring={keyring}" in options()
    assert not any("keyring" in argument for argument in rootfs.arguments(ORIGIN))
