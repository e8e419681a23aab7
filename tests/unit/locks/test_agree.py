"""Agreement: images of one base share versions where their pins allow it. uv resolves tiny wheels in a directory."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from build.checkout.project import open_project
from build.locks.agree import BaseResolution
from build.locks.lock import Lock
from build.locks.resolve import UnsatisfiableError
from build.packages.target import Target
from build.paths import Paths
from build.variants.variant import Variant

MATRIX = """\
project: {{namespace: azureml, vendor: someone, exclude-newer: 2026-11-19, uv: "0.13.9"}}
server: {{title: Server, contract: [server]}}
axes: {{base: [one], device: [cpu]}}
bases:
  one: {{title: Debian 12, os: debian12, python: "3.11", glibc: "2.36", bootstrap: {{suite: bookworm}}}}
frameworks:
  first: {{title: First, versions: {{"1": {{contract: [{first}]}}}}}}
  second: {{title: Second, versions: {{"1": {{contract: [{second}]}}}}}}
"""
FIRST, SECOND = "first-1-debian12-py311-cpu-inference", "second-1-debian12-py311-cpu-inference"


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of wheels, the only place that uv searches."""
    (tmp_path / "no-index").mkdir()
    monkeypatch.setenv("UV_DEFAULT_INDEX", (tmp_path / "no-index").as_uri())
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name, version, requires in (
        ("server", "1.0", "shared"),
        ("shared", "1.0", None),
        ("shared", "2.0", None),
        ("old", "1.0", "shared<2"),
        ("new", "1.0", "shared"),
    ):
        with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
            metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            metadata += f"Requires-Dist: {requires}\n" if requires else ""
            archive.writestr(f"{name}-{version}.dist-info/METADATA", metadata)
            archive.writestr(f"{name}-{version}.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            archive.writestr(f"{name}-{version}.dist-info/RECORD", "")
    return folder


def variants(tmp_path: Path, first: str, second: str) -> tuple[Variant, ...]:
    (tmp_path / "matrix.yaml").write_text(MATRIX.format(first=first, second=second), encoding="utf-8")
    return open_project(Paths(root=tmp_path)).variants


def resolved(
    images: tuple[Variant, ...], wheels: Path, preferred: dict[str, str] | None = None
) -> dict[str, Lock | UnsatisfiableError]:
    target = Target(python="3.11", glibc="2.36", exclude_newer="2026-11-19")
    return BaseResolution(
        variants=images, target=target, preferred=preferred or {}, wheel_directories=(wheels,)
    ).locks()


def shared_versions(results: dict[str, Lock | UnsatisfiableError]) -> dict[str, str]:
    return {title: lock.versions()["shared"] for title, lock in results.items() if isinstance(lock, Lock)}


def test_images_and_server_share_the_version_that_fits_all(tmp_path: Path, wheels: Path) -> None:
    results = resolved(variants(tmp_path, "old", "new"), wheels)
    assert shared_versions(results) == {"server": "1.0", FIRST: "1.0", SECOND: "1.0"}


def test_images_that_do_not_fit_together_have_locks_of_their_own(tmp_path: Path, wheels: Path) -> None:
    results = resolved(variants(tmp_path, "old", "'new', 'shared>=2'"), wheels)
    assert shared_versions(results) | {"server": ""} == {"server": "", FIRST: "1.0", SECOND: "2.0"}


def test_an_existing_version_is_chosen_again(tmp_path: Path, wheels: Path) -> None:
    images = variants(tmp_path, "new", "new")
    assert set(shared_versions(resolved(images, wheels)).values()) == {"2.0"}
    assert set(shared_versions(resolved(images, wheels, {"shared": "1.0"})).values()) == {"1.0"}


def test_only_the_images_without_a_solution_are_reported(tmp_path: Path, wheels: Path) -> None:
    results = resolved(variants(tmp_path, "'old', 'shared>=2'", "new"), wheels)
    assert list(results) == [FIRST]
    failure = results[FIRST]
    assert isinstance(failure, UnsatisfiableError)
    assert "shared<2" in (failure.details or "")
