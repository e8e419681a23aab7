"""When a snapshot archive that failed is tried again; mmdebstrap is a script that fails."""

from __future__ import annotations

import dataclasses
import datetime
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build.bases import from_snapshot, prepare, rootfs
from build.bases.local import LocalBase
from build.errors import DriftError
from build.locks import debian
from build.matrix.origins import Bootstrapped
from build.matrix.sources import Base
from build.paths import Paths

TODAY = ("tzdata=2",)
LOCKED = ("tzdata=1",)


def base(folder: Path, url: str = "http://127.0.0.1:9/{archive}/{time}") -> LocalBase:
    snapshot = {"snapshot": {"url": url}} if url else {}
    document: dict[str, Any] = {"title": "Debian 12", "os": "debian12", "python": "3.11", "glibc": "2.36"}
    document |= {"bootstrap": {"suite": "bookworm", **snapshot}, "prefix": {"version": "3.11.2"}}
    return LocalBase(name="a-base", base=Base.model_validate(document), paths=Paths(root=folder))


def origin(local: LocalBase) -> Bootstrapped:
    assert isinstance(local.origin, Bootstrapped)
    return local.origin


@pytest.fixture
def local(tmp_path: Path) -> LocalBase:
    """A base with a root file system of today, and a lock of before."""
    local = base(tmp_path)
    made = debian.MadeRootfs(
        diff_id="sha256:0", arguments=("none",), time=datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
    )
    debian.record_base(local.paths, local.name, list(LOCKED), origin(local), made)
    local.rootfs_file.parent.mkdir(parents=True)
    content = b"deb http://archive.example/debian bookworm main\n"
    member = tarfile.TarInfo("./etc/apt/sources.list")
    member.size = len(content)
    incoming = tmp_path / "made.tar"
    with tarfile.open(incoming, "w") as archive:
        archive.addfile(member, io.BytesIO(content))
    rootfs.place(local, origin(local), incoming, TODAY)
    return local


@pytest.fixture
def attempts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[LocalBase], int]:
    """Prepare a base, and return how often mmdebstrap was started for it."""
    started = tmp_path / "started"
    program = tmp_path / "bin" / "mmdebstrap"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho x >>{started}\necho 'E: no such archive'\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")

    def run(local: LocalBase) -> int:
        started.write_text("")
        tree = prepare.root_file_system(local, origin(local), locked=False, refresh=False, store=None)
        assert tree.packages == TODAY
        return len(started.read_text().split())

    return run


def note(local: LocalBase, tried: object) -> None:
    """Replace what is noted of the last attempt."""
    record = json.loads(local.bootstrap_record.read_text(encoding="utf-8"))
    local.bootstrap_record.write_text(json.dumps({**record, "snapshot": tried}), encoding="utf-8")


def noted(local: LocalBase) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(local.bootstrap_record.read_text(encoding="utf-8"))["snapshot"]
    return found


def hours_later(local: LocalBase, hours: int) -> None:
    """Let hours pass since the archive was tried."""
    time = datetime.datetime.fromisoformat(noted(local)["time"]) - datetime.timedelta(hours=hours)
    note(local, {**noted(local), "time": time.isoformat()})


def test_it_is_tried_again_but_not_twice_in_a_build(
    local: LocalBase, attempts: Callable[[LocalBase], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert attempts(local) == 1
    assert "the base a-base is not made from the snapshot" in " ".join(capsys.readouterr().err.split())
    assert attempts(local) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "a-base differs from its lock in 1 Debian package, which its snapshot archive did not give" in said
    hours_later(local, 1)
    assert attempts(local) == 1


def test_a_clock_that_went_backwards_does_not_put_it_off(
    local: LocalBase, attempts: Callable[[LocalBase], int]
) -> None:
    assert attempts(local) == 1
    hours_later(local, -1000)
    assert attempts(local) == 1


@pytest.mark.parametrize("time", [None, "yesterday", "2026-11-27T12:00:00"])
def test_a_damaged_note_counts_as_none(time: object, local: LocalBase, attempts: Callable[[LocalBase], int]) -> None:
    assert attempts(local) == 1
    for damaged in ({**noted(local), "time": time}, {"archive": noted(local)["archive"]}, "damaged", None):
        note(local, damaged)
        assert attempts(local) == 1


def test_an_attempt_that_is_interrupted_is_no_failure_of_the_archive(
    local: LocalBase, attempts: Callable[[LocalBase], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(rootfs, "bootstrap_from", interrupted)
        attempts(local)
    assert attempts(local) == 1


def test_a_base_that_is_not_as_locked_names_the_command_that_tries_its_snapshot_again(local: LocalBase) -> None:
    """With `--locked` no image on it is built, so that a build does not try it."""
    with pytest.raises(DriftError) as caught:
        prepare.check_locked(local, TODAY)
    assert str(caught.value.fix).startswith("try its snapshot archive again: nox -s bases -- --base a-base; or take")
    from_snapshot.keep_refreshed(local)
    with pytest.raises(DriftError) as caught:
        prepare.check_locked(local, TODAY)
    assert "snapshot" not in str(caught.value.fix)


def test_another_archive_is_tried_at_once(local: LocalBase, attempts: Callable[[LocalBase], int]) -> None:
    assert attempts(local) == 1
    other = dataclasses.replace(local, base=base(local.paths.root, "http://127.0.0.1:8/{archive}/{time}").base)
    assert attempts(other) == 1
    assert attempts(dataclasses.replace(local, base=base(local.paths.root, "").base)) == 0


def test_packages_that_were_asked_for_stay(local: LocalBase, attempts: Callable[[LocalBase], int]) -> None:
    """Otherwise `--refresh-bases` would last until the next build."""
    from_snapshot.keep_refreshed(local)
    assert attempts(local) == 0


def test_a_base_with_the_packages_of_its_lock_needs_no_snapshot(local: LocalBase) -> None:
    assert from_snapshot.again(local, origin(local), rootfs.Rootfs(packages=LOCKED)) is None
    assert "snapshot" not in json.loads(local.bootstrap_record.read_text(encoding="utf-8"))
