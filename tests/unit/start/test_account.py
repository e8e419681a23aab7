"""The name and the home of users that /etc/passwd does not have."""

from __future__ import annotations

import getpass
import os
import socket
from pathlib import Path

import pytest

from tests.unit.start.start_modules import module

#: No account has this number.
UNKNOWN = 987654321


def prepared(environment: dict[str, str], user: int) -> dict[str, str]:
    """Return the variables after the start has found a home."""
    assert module("account").prepare(environment, user) == ""
    return environment


def test_an_unknown_user_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = prepared({"HOME": str(tmp_path)}, UNKNOWN)
    assert environment == {"HOME": str(tmp_path), "USER": f"user{UNKNOWN}", "LOGNAME": f"user{UNKNOWN}"}
    monkeypatch.setenv("LOGNAME", environment["LOGNAME"])
    assert getpass.getuser() == f"user{UNKNOWN}"


def test_the_users_own_name_stays(tmp_path: Path) -> None:
    for name in ("LOGNAME", "USER", "USERNAME"):
        given = {"HOME": str(tmp_path), name: "me"}
        assert prepared(dict(given), UNKNOWN) == given


def test_an_account_needs_no_name(tmp_path: Path) -> None:
    assert prepared({"HOME": str(tmp_path)}, os.getuid()) == {"HOME": str(tmp_path)}


def not_writable(tmp_path: Path) -> str:
    """Return a path that is no folder and cannot become one, even for root."""
    (tmp_path / "file").touch()
    return str(tmp_path / "file" / "home")


def test_a_home_that_is_not_writable_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    environment = {"HOME": not_writable(tmp_path), "TMPDIR": str(tmp_path / "tmp"), "USER": "me"}
    home = Path(prepared(environment, os.getuid())["HOME"])
    # Neither two containers nor two users share it, and no other user can write to it.
    assert home == tmp_path / "tmp" / f"home-{socket.gethostname()}-{os.getuid()}"
    assert home.stat().st_mode & 0o777 == 0o700
    # After a restart it is the same one, with its caches.
    (home / "cache").touch()
    again = {**environment, "HOME": not_writable(tmp_path)}
    assert Path(prepared(again, os.getuid())["HOME"]) == home
    assert (home / "cache").exists()


def test_a_home_that_does_not_exist_is_created(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    assert prepared({"HOME": str(home), "USER": "me"}, os.getuid())["HOME"] == str(home)
    assert home.is_dir()


@pytest.mark.parametrize("made", ["by another user", "writable by all", "a link"])
def test_a_folder_that_others_control_is_no_home(tmp_path: Path, made: str, monkeypatch: pytest.MonkeyPatch) -> None:
    account = module("account")
    monkeypatch.setattr(account, "_temporary_folders", lambda _: [str(tmp_path)])
    user = UNKNOWN if made == "by another user" else os.getuid()
    folder = tmp_path / f"home-{socket.gethostname()}-{user}"
    if made == "a link":
        (tmp_path / "elsewhere").mkdir()
        folder.symlink_to(tmp_path / "elsewhere")
    else:
        folder.mkdir()
        folder.chmod(0o777 if made == "writable by all" else 0o700)
    environment = {"HOME": not_writable(tmp_path), "USER": "me"}
    line = account.prepare(environment, user)
    assert line.startswith(f"neither {environment['HOME']} nor a temporary folder is writable")
    assert environment["HOME"] == not_writable(tmp_path)


def test_without_any_writable_folder_nothing_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = module("account")
    monkeypatch.setattr(account, "_temporary_folders", lambda _: [not_writable(tmp_path)])
    before = {"HOME": not_writable(tmp_path), "USER": "me"}
    environment = dict(before)
    line = account.prepare(environment, os.getuid())
    assert environment == before
    assert "\n" not in line
    assert "mount a folder at /tmp" in line
