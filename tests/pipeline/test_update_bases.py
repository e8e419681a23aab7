"""`nox -s update -- --only bases` and `--only security`, with Debian's real archive and locks that are behind it."""

from __future__ import annotations

import json
import shutil

import pytest

from build.locks import debian, debian_archive
from build.matrix.origins import Bootstrapped
from tests.conftest import Checkout
from tests.pipeline.rows import BASE_NAME, PROJECT
from tests.pipeline.test_impossible_cells import bootstrap

pytestmark = [pytest.mark.network, pytest.mark.thorough]

MATRIX = f"""\
project: {{namespace: azureml, vendor: someone, exclude-newer: 2026-11-19, uv: "0.13.9"}}
server: {{title: Server, contract: [pip>=25]}}
axes: {{base: [{BASE_NAME}], device: [cpu]}}
bases:
  {BASE_NAME}:
    {{title: Debian, os: debian, python: "3.13", glibc: "2.40", bootstrap: {bootstrap(BASE_NAME)}}}
frameworks:
  minimal: {{title: Minimal, versions: {{n/a: {{}}}}}}
"""
ORIGIN = PROJECT.matrix.bases[BASE_NAME].origin


@pytest.fixture(scope="module")
def archive() -> dict[str, debian_archive.Available]:
    if shutil.which("mmdebstrap") is None:
        pytest.skip("mmdebstrap is not installed")
    assert isinstance(ORIGIN, Bootstrapped)
    names = [package.partition("=")[0] for package in debian.former(PROJECT.paths, BASE_NAME)]
    return debian_archive.fetch(ORIGIN.suite, names)


def record(checkout: Checkout, archive: dict[str, debian_archive.Available], old: str) -> None:
    """Write a matrix with one base, whose lock has today's packages except one, which is very old."""
    assert isinstance(ORIGIN, Bootstrapped)
    checkout.paths.matrix.write_text(MATRIX, encoding="utf-8")
    shutil.rmtree(checkout.paths.rootfs, ignore_errors=True)
    packages = {name: available.version for name, available in archive.items()} | {old: "0.0.1-1"}
    pins = [f"{name}={version}" for name, version in sorted(packages.items())]
    debian.record_base(checkout.paths, BASE_NAME, pins, ORIGIN)


def test_only_a_security_update_counts_as_one(checkout: Checkout, archive: dict[str, debian_archive.Available]) -> None:
    """A package that the security suite never had is no reason for `security`, but for `bases`."""
    with_fixes = [each for each in archive.values() if each.security is not None]
    if not with_fixes:
        pytest.skip("the security suite has no package of this base")
    without = next(each.name for each in archive.values() if each.security is None)
    record(checkout, archive, without)
    for command in ("lock", "generate"):
        done = checkout.run(command)
        assert done.code == 0, done.text
    done = checkout.run("update", "--check", "--only=security")
    assert done.code == 0, done.text
    assert "nothing to update" in done.out

    record(checkout, archive, with_fixes[-1].name)
    done = checkout.run("update", "--check", "--only=security", "--json")
    assert done.code == 1, done.text
    content = json.loads(done.out)
    (package,) = content["bases"][BASE_NAME]
    assert (package["name"], package["old"], package["new"]) == (with_fixes[-1].name, "0.0.1-1", with_fixes[-1].version)
    assert package["is_security"]
    assert all(cve.startswith("CVE-") for cve in package["cves"])
    assert len(content["rebuilt"]) == 1, "no image is built again on another base"


def test_the_changelogs_of_new_packages_are_read(archive: dict[str, debian_archive.Available]) -> None:
    """Over all its history, a library of the base has had fixes with CVE ids."""
    assert isinstance(ORIGIN, Bootstrapped)
    (name,) = [each for each in archive if each.startswith("libssl3")]
    package = debian_archive.newer([f"{name}=0.1-1"], archive)[0]
    logs = debian_archive.changelogs(ORIGIN.suite, [package])
    assert len(debian_archive.cves(logs[name], "0.1-1")) > 10
    assert debian_archive.cves(logs[name], package.new) == ()


def test_a_base_is_bootstrapped_and_recorded(checkout: Checkout, archive: dict[str, debian_archive.Available]) -> None:
    record(checkout, archive, next(iter(archive)))
    for command in ("lock", "generate"):
        assert checkout.run(command).code == 0
    done = checkout.run("update", "--only=bases")
    assert done.code == 0, done.text
    packages = [f"{name}={available.version}" for name, available in archive.items()]
    assert set(packages) <= set(debian.recorded(checkout.paths, BASE_NAME) or ())
    assert checkout.run("check").code == 0


def test_a_lifecycle_date_that_differs_from_debians_is_reported(
    checkout: Checkout, archive: dict[str, debian_archive.Available]
) -> None:
    record(checkout, archive, "apt")
    life = "lifecycle: {full-support: {until: 2027-08-09, source: a page of upstream}}"
    checkout.edit("matrix.yaml", "os: debian,", f"os: debian13, {life},")
    for command in ("lock", "generate"):
        done = checkout.run(command)
        assert done.code == 0, done.text
    done = checkout.run("update", "--check", "--only=bases")
    assert done.code == 1, done.text
    (line,) = [line for line in done.out.splitlines() if "distro-info-data" in line]
    assert "full support until: matrix 2027-08-09, distro-info-data 2028-" in line
