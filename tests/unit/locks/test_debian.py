"""Debian packages: CUDA in the archive's index, and the recorded packages. The index is a part of Debian 12's."""

from __future__ import annotations

from pathlib import Path

import pytest

from build.errors import LockError
from build.locks import debian, debian_index, prefix_python
from build.locks import lock as locks
from build.matrix.origins import Bootstrapped, DebianPackages, DistributionPython
from build.matrix.sources import Base, Cuda
from build.paths import Paths
from build.variants.cuda_base_images import CudaBaseImage

#: The packages of Debian 12 (non-free) on 2026-11-25, shortened.
INDEX = debian_index.parse_index((Path(__file__).parents[1] / "data/debian12-non-free.txt").read_text("utf-8"))


def base(version: str, *packages: str) -> CudaBaseImage:
    return CudaBaseImage(
        name="debian12-py311-cuda",
        base_name="debian12-py311",
        base=Base.model_validate(
            {"title": "x", "os": "debian12", "python": "3.11", "glibc": "2.36", "bootstrap": {"suite": "bookworm"}}
        ),
        device="cuda",
        cuda=Cuda.model_validate({"version": version, "debian": list(packages)}),
        origin=DebianPackages(packages=packages),
    )


def test_packages_are_pinned_with_those_of_the_same_source_that_they_need() -> None:
    assert debian_index.pins(base("11.8.0", "libcusolver11"), INDEX, "matrix.yaml:1") == (
        "libcublas11=11.11.3.6~11.8.0-5~deb12u1",
        "libcublaslt11=11.11.3.6~11.8.0-5~deb12u1",
        "libcusolver11=11.4.1.48~11.8.0-5~deb12u1",
    )


def test_another_cuda_version_than_debian_has_lists_its_versions() -> None:
    with pytest.raises(LockError) as failure:
        debian_index.pins(base("12.4.1", "libcudart11.0"), INDEX, "matrix.yaml:84 (cuda.x.debian)")
    assert "Debian bookworm (non-free) has no CUDA 12.4.1: libcudart11.0 is 11.8.89~11.8.0-5" in failure.value.what
    assert "CUDA versions that it has: 11.8.0" in (failure.value.fix or "")
    assert failure.value.where == "matrix.yaml:84 (cuda.x.debian)"


def test_the_newest_version_counts_whatever_the_order() -> None:
    """An archive's security and update suites come in any order; Debian versions are not sorted as text."""
    versions = ("11.8.0-5~deb12u1", "11.8.0-10", "11.8.0-9")
    index = debian_index.parse_index("\n\n".join(f"Package: a\nVersion: {version}\n" for version in versions))
    assert index["a"].version == "11.8.0-10"


def test_a_package_that_debian_does_not_have_lists_similar_names() -> None:
    with pytest.raises(LockError) as failure:
        debian_index.pins(base("11.8.0", "libcudart12"), INDEX, "matrix.yaml:1")
    assert failure.value.what == "Debian bookworm (non-free) has no package 'libcudart12'"
    assert "libcudart11.0" in (failure.value.fix or "")


def test_each_reason_why_recorded_packages_are_stale() -> None:
    asked = ("libcudart11.0", "libcublas11")
    recorded = debian_index.pins(base("11.8.0", *asked), INDEX, "matrix.yaml:1")

    def stale(version: str, *packages: str, pins: tuple[str, ...] | None = recorded) -> list[str]:
        return list(debian.staleness(base(version, *packages), pins, asked))

    assert stale("11.8.0", *asked) == []
    assert stale("11.8.0", "libcudart11.0", pins=None) == ["the Debian packages with CUDA are not recorded"]
    assert stale("11.8.0", *asked, "libcufft10") == ["the Debian packages in the matrix have changed: +libcufft10"]
    assert stale("11.8.0", "libcudart11.0") == ["the Debian packages in the matrix have changed: -libcublas11"], (
        "it stays in the images"
    )
    assert stale("12.4.1", *asked) == [
        "it has libcudart11.0 of CUDA 11.8.0, but the matrix pins 12.4.1",
        "it has libcublas11 of CUDA 11.8.0, but the matrix pins 12.4.1",
    ]


def test_the_requested_names_are_recorded_with_the_packages(tmp_path: Path) -> None:
    paths = Paths(root=tmp_path)
    debian.record_cuda(paths, "one", ["a=1", "b=2"], ["a"])
    assert (debian.recorded(paths, "one"), debian.asked(paths, "one")) == (("a=1", "b=2"), ("a",))
    assert debian.asked(paths, "two") == ()


@pytest.mark.parametrize(
    ("suite", "packages", "reasons"),
    [
        ("bookworm", ("python3", "tzdata"), []),
        ("bookworm", ("tzdata", "python3"), []),
        ("bookworm", ("less", "python3", "tzdata"), ["the Debian packages in the matrix have changed: +less"]),
        ("bookworm", ("python3",), ["the Debian packages in the matrix have changed: -tzdata"]),
        (
            "bookworm",
            ("python3", "tzdata-legacy"),
            ["the Debian packages in the matrix have changed: +tzdata-legacy, -tzdata"],
        ),
        ("trixie", ("python3", "tzdata"), ["the suite in the matrix has changed: bookworm -> trixie"]),
    ],
    ids=["same", "another order", "added", "removed", "replaced", "another suite"],
)
def test_a_base_is_stale_where_the_matrix_asks_for_other_packages(
    tmp_path: Path, suite: str, packages: tuple[str, ...], reasons: list[str]
) -> None:
    paths = Paths(root=tmp_path)
    before, now = (
        Bootstrapped(suite=of, packages=names, python=DistributionPython(minor="3.11"))
        for of, names in (("bookworm", ("python3", "tzdata")), (suite, packages))
    )
    assert debian.stale_base(paths, "one", now) == ["the base's Debian packages are not recorded"]
    debian.record_base(paths, "one", ["libc6=2.36-9", "python3=3.11"], before)
    assert debian.recorded(paths, "one") == ("libc6=2.36-9", "python3=3.11")
    assert debian.stale_base(paths, "one", now) == reasons


def test_drift_names_each_package_with_both_versions() -> None:
    assert debian.drift(["a=1", "b=1", "c=1"], ["a=2", "c=1", "d=1"]) == ["a 1 -> 2", "b 1 -> (none)", "d (none) -> 1"]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("libc6=2.36-9\n", "", "the file was edited"),
        ("libc6=2.36-9\n", "libc6=2.36-9\nlibc6=2.36-10\n", "the file was edited"),
        ("# content: ", "# was: ", "the file was edited"),
        ("libc6=2.36-9", "libc6", "not a Debian package with its version"),
    ],
)
def test_a_lock_that_was_edited_is_damaged_and_can_be_replaced(tmp_path: Path, old: str, new: str, what: str) -> None:
    paths = Paths(root=tmp_path)
    origin = Bootstrapped(suite="bookworm", packages=("python3",), python=DistributionPython(minor="3.11"))
    debian.record_base(paths, "one", ["libc6=2.36-9", "python3=3.11"], origin)
    file = debian.lock_file(paths, "one")
    file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(LockError, match=what):
        debian.stale_base(paths, "one", origin)
    assert debian.former(paths, "one") == ()


def test_a_lock_without_its_suite_is_stale(tmp_path: Path) -> None:
    paths = Paths(root=tmp_path)
    origin = Bootstrapped(suite="bookworm", packages=("python3",), python=DistributionPython(minor="3.11"))
    debian.record_base(paths, "one", ["python3=3.11"], origin)
    file = debian.lock_file(paths, "one")
    file.write_text(file.read_text(encoding="utf-8").replace("# suite: bookworm\n", ""), encoding="utf-8")
    assert debian.stale_base(paths, "one", origin) == ["the suite in the matrix has changed: (none) -> bookworm"]


@pytest.mark.parametrize("kind", ["not UTF-8", "a folder", "a link to itself"])
def test_a_lock_that_cannot_be_read_is_damaged(tmp_path: Path, kind: str) -> None:
    paths = Paths(root=tmp_path)
    for file in (debian.lock_file(paths, "one"), prefix_python.lock_file(paths, "one"), tmp_path / "locks/one/x.txt"):
        file.parent.mkdir(parents=True, exist_ok=True)
        match kind:
            case "not UTF-8":
                file.write_bytes(b"\xff")
            case "a folder":
                file.mkdir()
            case _:
                file.symlink_to(file)
    for read in (
        lambda: debian.recorded(paths, "one"),
        lambda: prefix_python.recorded(paths, "one"),
        lambda: locks.read(tmp_path / "locks/one/x.txt"),
    ):
        with pytest.raises(LockError):
            read()
