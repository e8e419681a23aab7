"""Answers of the resolver that are refused: a source although there are wheels. The index is a local directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from build.checkout.project import open_project
from build.feasibility.cells import built_from_source
from build.feasibility.facts import Facts
from build.locks.lock import LockedPackage
from build.paths import Paths

MATRIX = """\
project: {namespace: azureml, vendor: someone, exclude-newer: 2026-11-19, uv: "0.13.9"}
server: {title: Server, contract: [pip>=25]}
axes: {base: [one], device: [cpu]}
bases:
  one: {title: Debian 12, os: debian12, python: "3.11", glibc: "2.36", bootstrap: {suite: bookworm}}
frameworks:
  example:
    title: Example
    versions:
      "1":
        contract: [demo>=1, pure>=1]
"""
FILES = {
    "demo": ["demo-1.0-py3-none-any.whl", "demo-2.0-cp39-cp39-manylinux_2_28_x86_64.whl", "demo-2.0.tar.gz"],
    "pure": ["pure-1.0.tar.gz"],
    "other": ["other-1.0-cp39-cp39-manylinux_2_28_x86_64.whl", "other-1.0.tar.gz"],
}


@pytest.fixture
def facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Facts:
    for name, files in FILES.items():
        folder = tmp_path / "index" / name
        folder.mkdir(parents=True)
        (folder / "index.html").write_text("".join(f'<a href="{file}">{file}</a>' for file in files))
    monkeypatch.setenv("UV_DEFAULT_INDEX", (tmp_path / "index").as_uri())
    (tmp_path / "matrix.yaml").write_text(MATRIX, encoding="utf-8")
    facts = Facts(open_project(Paths(root=tmp_path)))
    facts.prepare()
    return facts


def source(name: str, version: str) -> LockedPackage:
    return LockedPackage(name=name, version=version, sha256="a" * 64, filename=f"{name}-{version}.tar.gz", size=1)


def test_a_pin_with_wheels_for_other_pythons_is_not_built(facts: Facts) -> None:
    """The resolver chooses the newest version; the one to pin is older and has a wheel."""
    (variant,) = facts.project.variants
    (finding,) = built_from_source(facts, variant, [source("demo", "2.0")])
    assert finding.says == "demo 2.0 has no wheel for Python 3.11 (only for 3.9)"
    assert finding.instead == ("1.0",)


def test_packages_that_never_had_wheels_or_have_no_pin_are_built(facts: Facts) -> None:
    (variant,) = facts.project.variants
    assert built_from_source(facts, variant, [source("pure", "1.0"), source("other", "1.0")]) == ()
