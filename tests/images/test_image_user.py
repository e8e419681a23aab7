"""The user dockeruser, and what belongs to it."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.depends("base")
def test_dockeruser_exists(host: Any) -> None:
    user = host.user("dockeruser")
    actual = (user.uid, user.gid, user.home)
    assert actual == (1000, 1000, "/home/dockeruser"), f"uid, gid and home of dockeruser are {actual}"


@pytest.mark.depends("base")
def test_container_runs_as_dockeruser(seen: dict[str, Any]) -> None:
    actual = (seen["uid"], seen["gid"], seen["home"])
    assert actual == (1000, 1000, "/home/dockeruser"), f"uid, gid and home of the process are {actual}"


def test_folders_belong_to_dockeruser(files: dict[str, Any]) -> None:
    """Including all files in them: `pip install` must be able to replace any of them."""
    foreign = [entry for entries in files["foreign"].values() for entry in entries]
    assert not foreign, f"not owned by 1000:1000: {', '.join(foreign[:3])}"


def test_folders_are_writable(seen: dict[str, Any], owned: tuple[str, ...]) -> None:
    read_only = sorted(set(owned) - set(seen["writable"]))
    assert not read_only, f"dockeruser cannot write to {', '.join(read_only)}"
