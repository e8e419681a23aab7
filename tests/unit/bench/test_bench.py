"""The benchmark's own arithmetic and edits: no engine."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from bench import limit as bench_limit
from bench import plan as bench_plan
from bench import report as bench_report
from bench.registry import take_inventory
from bench.report import Image, Inventory, Limit, Measure, Side
from build.errors import UsageError
from build.locks import lock as locks
from build.locks.lock import Lock, LockedPackage
from build.paths import repository
from build.registry.manifests import Manifest


def measure(seconds: float, pushed: int = 0) -> Measure:
    return Measure(build=seconds, push=0.0, total=seconds, pushed=pushed)


def side(cold: float, unchanged: float, pin: float, base: float, *, unique: int, summed: int) -> Side:
    return Side(
        phases={
            "cold": measure(cold, summed),
            "unchanged": measure(unchanged),
            "pin": measure(pin),
            "base": measure(base),
        },
        unique=unique,
        summed=summed,
        images={},
        layers=10,
        layers_kept=9,
        peak_memory=50_000_000,
    )


LIMIT = Limit(install=4.0, bytecode=14.0, zstd=2.0, gzip=9.0, packages=60, size=1, zstd_size=1, gzip_size=1)
PLAIN = side(200, 10, 60, 200, unique=400, summed=500)


def reached(ours: Side, limit: Limit | None = LIMIT) -> dict[str, bool]:
    return {row.phase: row.reached for row in bench_report.rows(PLAIN, ours, limit) if row.reached is not None}


def test_all_targets_reached_exactly_at_their_bounds() -> None:
    table = bench_report.rows(PLAIN, side(40, 1.99, 6, 20, unique=225, summed=300), LIMIT)
    assert bench_report.verdict(table) == "all 6 targets reached"


def test_each_missed_target_is_named() -> None:
    table = bench_report.rows(PLAIN, side(40.1, 2.0, 6.1, 20.1, unique=226, summed=300), LIMIT)
    verdict = bench_report.verdict(table)
    assert verdict.startswith("0 of 6 targets reached; missed: ")
    for words in ("cold, build", "machine's limit", "nothing changed", "one pin", "base changed", "unique bytes"):
        assert words in verdict


def test_one_side_alone_gives_figures_and_no_ratio() -> None:
    table = bench_report.rows(None, side(40, 1, 6, 20, unique=225, summed=300), None)
    cold = next(row for row in table if row.phase == "cold, build and push")
    assert (cold.plain, cold.ratio, cold.reached) == ("-", "-", None)
    assert cold.ours.startswith("40.0 s")


def test_limit_without_zstd_is_the_stricter() -> None:
    without = Limit(install=4.0, bytecode=14.0, zstd=None, gzip=9.0, packages=1, size=1, zstd_size=None, gzip_size=1)
    assert without.total == 18.0 < LIMIT.total


@pytest.mark.parametrize(
    ("only", "builds", "sides"),
    [
        ((), ("cold", "unchanged", "pin", "base"), ("ours", "plain")),
        (("limit",), (), ("ours", "plain")),
        (("pin",), ("cold", "pin"), ("ours", "plain")),
        (("plain", "unchanged"), ("cold", "unchanged"), ("plain",)),
        (("ours",), ("cold", "unchanged", "pin", "base"), ("ours",)),
    ],
)
def test_only_chooses_phases_and_sides(only: tuple[str, ...], builds: tuple[str, ...], sides: tuple[str, ...]) -> None:
    choice = bench_report.choose(only)
    assert (choice.builds, choice.sides) == (builds, sides)


def test_only_refuses_what_it_does_not_know_and_names_what_there_is() -> None:
    with pytest.raises(UsageError) as failure:
        bench_report.choose(["colder"])
    assert "colder" in failure.value.what
    assert "cold, unchanged" in str(failure.value.fix)


def test_bytes_pushed_counts_a_blob_once_and_only_where_it_is_new() -> None:
    assert bench_report.new_bytes({"a": 1}, {"a": 1, "b": 20, "c": 300}) == 320


def test_family_bytes_and_kept_layers() -> None:
    before = Inventory(
        images={
            "x": Image(blobs={"config1": 1, "base": 10, "numpy": 100}, layers=("base", "numpy")),
            "y": Image(blobs={"config2": 2, "base": 10}, layers=("base",)),
        }
    )
    after = Inventory(images={"x": Image(blobs={}, layers=("base2", "numpy")), "y": Image(blobs={}, layers=("base2",))})
    assert (before.unique, before.summed) == (113, 123)
    assert bench_report.layers_kept(before, after) == (3, 1)


class _Contents:
    """A registry with one repository, an index and two manifests."""

    def __init__(self, manifests: dict[str, dict[str, Any]]) -> None:
        self._manifests = manifests

    def repositories(self) -> list[str]:
        return ["plain/x"]

    def tags(self, repository: str) -> list[str]:
        return ["latest"]

    def manifest(self, repository: str, reference: str) -> Manifest:
        name = "index" if reference == "latest" else reference
        return Manifest(digest=name, media_type="", content=json.dumps(self._manifests[name]).encode())


def test_an_inventory_goes_through_indexes_and_keeps_attestations_out_of_the_family() -> None:
    image = {"config": {"digest": "c", "size": 5}, "layers": [{"digest": "l", "size": 50}]}
    attestation = {"config": {"digest": "ac", "size": 3}, "layers": [{"digest": "al", "size": 30}]}
    index = {
        "manifests": [
            {"digest": "m1", "platform": {"architecture": "amd64"}},
            {"digest": "m2", "platform": {"architecture": "unknown"}},
        ]
    }
    manifests: dict[str, dict[str, Any]] = {"index": index, "m1": image, "m2": attestation}
    found = take_inventory(_Contents(manifests))
    sizes = {name: len(json.dumps(document)) for name, document in manifests.items()}
    assert found.images == {"plain/x": Image(blobs={"c": 5, "l": 50}, layers=("l",))}
    assert found.everything == {**sizes, "c": 5, "l": 50, "ac": 3, "al": 30}


def _package(name: str, version: str) -> LockedPackage:
    return LockedPackage(name=name, version=version, sha256="0" * 64, filename="", size=None)


def _lock(*packages: LockedPackage) -> Lock:
    return Lock(title="x", python="3.11", platform="p", exclude_newer="2026-01-01", requirements=(), packages=packages)


def test_the_plain_requirements_have_the_locks_versions() -> None:
    assert bench_plan.requirements(_lock(_package("a", "1"), _package("b", "2.0"))) == "a==1\nb==2.0\n"


def test_the_limit_installs_a_shared_package_once() -> None:
    shared = _package("numpy", "2")
    found = bench_limit.union([_lock(shared, _package("a", "1")), _lock(shared, _package("b", "1"))])
    assert [package.name for package in found] == ["a", "b", "numpy"]


def test_gzip_gives_the_bytes_of_what_it_compressed(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"a" * 9_000_000)
    assert 0 < bench_limit.gzip(tmp_path / "x") < 100_000


def test_a_changed_root_file_system_has_one_more_file_and_its_hard_link_has_not(tmp_path: Path) -> None:
    tar = tmp_path / "rootfs.tar"
    with tarfile.open(tar, "w") as archive:
        entry = tarfile.TarInfo("./etc/hosts")
        entry.size = 3
        archive.addfile(entry, io.BytesIO(b"abc"))
    (tmp_path / "builder.tar").hardlink_to(tar)
    bench_plan.change_tar(tar)
    with tarfile.open(tar) as archive:
        assert archive.getnames() == ["./etc/hosts", bench_plan.BASE_FILE]
    with tarfile.open(tmp_path / "builder.tar") as archive:
        assert archive.getnames() == ["./etc/hosts"]


def test_a_copy_of_the_checkout_has_its_files_and_not_its_state(tmp_path: Path) -> None:
    copy = bench_plan.copy_checkout(repository(), tmp_path / "copy")
    assert copy.matrix.read_bytes() == repository().matrix.read_bytes()
    assert locks.read(locks.path(copy.locks, ".", "tools")) is not None
    assert (copy.root / "bench" / "side.py").is_file()
    assert not copy.state.exists()
