"""The lock store: each lock is read once, and a missing one is an error only where it is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from build.errors import LockError
from build.locks import lock as locks
from build.locks.lock import Lock, LockedPackage
from build.locks.store import LockStore
from build.paths import Paths

PIP = LockedPackage(name="pip", version="25.0", sha256="a" * 64, filename="pip-25.0-py3-none-any.whl", size=1)
SERVER = Lock(
    title="server",
    python="3.11",
    platform="x86_64-manylinux_2_36",
    exclude_newer="2026-11-19",
    requirements=("pip>=25",),
    packages=(PIP,),
)


@pytest.fixture
def store(tmp_path: Path) -> LockStore:
    store = LockStore(paths=Paths(root=tmp_path))
    store.file("one", "server").parent.mkdir(parents=True)
    return store


def test_a_lock_is_read_once(store: LockStore) -> None:
    file = store.file("one", "server")
    file.write_text(locks.to_text(SERVER), encoding="utf-8")
    assert store.server("one") == SERVER
    file.unlink()
    assert store.server("one") is store.find("one", "server")


def test_a_missing_lock_names_the_command_that_makes_it(store: LockStore) -> None:
    assert store.find("one", "server") is None
    with pytest.raises(LockError) as failure:
        store.server("one")
    assert (failure.value.what, failure.value.where) == ("server has no lock", "locks/one/server.txt")
    assert failure.value.fix == "make it: nox -s lock"


def test_a_damaged_lock_is_an_error_each_time(store: LockStore) -> None:
    store.file("one", "server").write_text("numpy\n", encoding="utf-8")
    for _ in range(2):
        with pytest.raises(LockError, match="not a line of a lock"):
            store.find("one", "server")
    assert store.find_valid("one", "server") is None


def test_a_lock_that_is_not_text_is_named(store: LockStore) -> None:
    file = store.file("one", "server")
    file.write_bytes(b"\xff\xfe")

    with pytest.raises(LockError, match="the lock is not UTF-8") as failure:
        store.server("one")

    assert failure.value.where == str(file)
