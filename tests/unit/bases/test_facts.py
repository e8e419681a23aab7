"""The facts of a base: from this clone, else from its lock; what is in neither is unknown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from build.bases import facts, prefix_archive, rootfs
from build.bases.facts import BaseFacts, UnknownBase
from build.bases.local import LocalBase
from build.bases.prefix_files import HEADERS, RUNTIME
from build.errors import LockError, PipelineError
from build.locks import debian, prefix_python
from build.locks.prefix_python import RecordedPython
from build.matrix.origins import Bootstrapped, DistributionPython
from build.matrix.sources import Base
from build.paths import Paths
from build.system import state

BOOTSTRAPPED = {"title": "x", "os": "debian12", "python": "3.11", "glibc": "2.36", "bootstrap": {"suite": "bookworm"}}
WITH_PREFIX = {**BOOTSTRAPPED, "python": "3.12", "prefix": {"version": "3.12.1"}}
IMAGE = "registry.example/python@sha256:" + "a" * 64
ORIGIN = Bootstrapped(suite="bookworm", packages=(), python=DistributionPython(minor="3.11"))
RECORDED = RecordedPython(version="3.12.1", edition=prefix_archive.EDITION, sha256="b" * 64)


def local(root: Path, description: Mapping[str, object]) -> LocalBase:
    return LocalBase(name="one", base=Base.model_validate(description), paths=Paths(root=root))


def bootstrapped(base: LocalBase, *packages: str) -> None:
    """Leave what a bootstrap leaves in this clone."""
    assert isinstance(base.origin, Bootstrapped)
    base.folder.mkdir(parents=True)
    base.rootfs_file.touch()
    recorded = list(debian.recorded(base.paths, base.name) or ())
    record = {"arguments": rootfs.arguments(base.origin), "packages": list(packages), "recorded": recorded}
    state.write_json(base.bootstrap_record, record)


def test_packages_and_python_come_from_the_lock_where_nothing_is_bootstrapped(tmp_path: Path) -> None:
    base = local(tmp_path, BOOTSTRAPPED)
    debian.record_base(base.paths, base.name, ["libc6=2.36-9", "python3.11=3.11.2-6"], ORIGIN)
    assert facts.read(base) == BaseFacts(debian=("libc6=2.36-9", "python3.11=3.11.2-6"), python="3.11.2-6")


def test_what_this_clone_bootstrapped_counts_more_than_the_lock(tmp_path: Path) -> None:
    base = local(tmp_path, BOOTSTRAPPED)
    debian.record_base(base.paths, base.name, ["python3.11=3.11.2-6"], ORIGIN)
    bootstrapped(base, "python3.11=3.11.2-7")
    assert facts.read(base) == BaseFacts(debian=("python3.11=3.11.2-7",), python="3.11.2-7")


def test_an_image_is_its_reference(tmp_path: Path) -> None:
    base = local(tmp_path, {**BOOTSTRAPPED, "bootstrap": None, "image": IMAGE})
    assert facts.read(base) == BaseFacts(debian=(), python=IMAGE)


def test_a_suite_with_another_python_fails(tmp_path: Path) -> None:
    base = local(tmp_path, BOOTSTRAPPED)
    debian.record_base(base.paths, base.name, ["python3.13=3.13.5-2"], ORIGIN)
    with pytest.raises(PipelineError, match=r"has no python3\.11"):
        facts.read(base)


def test_the_identity_of_a_prefix_comes_from_the_lock(tmp_path: Path) -> None:
    base = local(tmp_path, WITH_PREFIX)
    debian.record_base(base.paths, base.name, ["libc6=2.36-9"], ORIGIN)
    prefix_python.record(base.paths, base.name, RECORDED)
    assert facts.read(base) == BaseFacts(debian=("libc6=2.36-9",), python=f"3.12.1 sha256:{'b' * 64}")


def test_the_prefix_that_this_clone_packed_counts_more_than_the_lock(tmp_path: Path) -> None:
    base = local(tmp_path, WITH_PREFIX)
    debian.record_base(base.paths, base.name, ["libc6=2.36-9"], ORIGIN)
    prefix_python.record(base.paths, base.name, RECORDED)
    base.folder.mkdir(parents=True)
    for name in (RUNTIME, HEADERS):
        (base.folder / name).touch()
    packed = {
        "wanted": {"edition": prefix_archive.EDITION, "version": "3.12.1", "directory": None},
        "interpreter": {"path": "/nowhere/bin/python3.12", "size": 1, "mtime": 1},
        "digest": "c" * 64,
        "needs": {},
        "glibc": None,
    }
    state.write_json(base.folder / "prefix.json", packed)
    assert facts.read(base) == BaseFacts(debian=("libc6=2.36-9",), python=f"3.12.1 sha256:{'c' * 64}")


@pytest.mark.parametrize(
    ("recorded", "stale"),
    [
        (None, "CPython 3.12.1 is not recorded"),
        (RecordedPython(version="3.12.0", edition=prefix_archive.EDITION, sha256="b" * 64), "3.12.0 is recorded"),
        (RecordedPython(version="3.12.1", edition=0, sha256="b" * 64), "edition 0"),
    ],
    ids=["missing", "another version", "another layout"],
)
def test_without_a_record_of_its_python_a_base_is_unknown(
    tmp_path: Path, recorded: RecordedPython | None, stale: str
) -> None:
    base = local(tmp_path, WITH_PREFIX)
    debian.record_base(base.paths, base.name, ["libc6=2.36-9"], ORIGIN)
    if recorded:
        prefix_python.record(base.paths, base.name, recorded)
    known = facts.read(base)
    assert isinstance(known, UnknownBase)
    assert known.why == "the Python of the base one is not recorded in locks/one/python.txt"
    assert "3.12.1" in known.fix and "nox -s lock -- --bases" in known.fix
    assert stale in str(facts.stale_python(base))


def test_without_a_record_of_its_packages_a_base_is_unknown(tmp_path: Path) -> None:
    known = facts.read(local(tmp_path, BOOTSTRAPPED))
    assert isinstance(known, UnknownBase)
    assert known.why == "the Debian packages of the base one are not recorded in locks/one/debian.txt"


def test_only_a_base_with_a_prefix_has_a_python_to_record(tmp_path: Path) -> None:
    assert facts.stale_python(local(tmp_path, BOOTSTRAPPED)) == []


def test_a_damaged_record_is_an_error_with_the_command_that_makes_it_again(tmp_path: Path) -> None:
    base = local(tmp_path, WITH_PREFIX)
    prefix_python.record(base.paths, base.name, RECORDED)
    file = prefix_python.lock_file(base.paths, base.name)
    file.write_text(file.read_text(encoding="utf-8").replace("edition 1", "edition one"), encoding="utf-8")
    with pytest.raises(LockError) as failure:
        prefix_python.recorded(base.paths, base.name)
    assert failure.value.where == "locks/one/python.txt"
    assert "nox -s lock -- --bases" in str(failure.value.fix)
