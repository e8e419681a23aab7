"""The search for secrets of the pipeline tests, which finds nothing where all is well."""

from __future__ import annotations

import base64
import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from urllib.parse import quote

import pytest

from tests.pipeline.leaks import Leaks
from tests.pipeline.registries import Running

SECRET = "index/password@4711"
LEAKS = Leaks.of("index%2Fpassword%404711")


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        f"https://user:{quote(SECRET, safe='')}@h.example",
        f"https://user:{quote(SECRET, safe='').lower()}@h.example",
        json.dumps({"password": SECRET}),
        json.dumps({"password": SECRET}).replace("/", "\\/"),
        *(base64.b64encode(f"{before}{SECRET} after".encode()).decode() for before in ("", "u", "u:", "usr")),
        base64.urlsafe_b64encode(f"?>?{SECRET}".encode()).decode(),
    ],
)
def test_each_spelling_is_found(text: str) -> None:
    assert LEAKS.find(f"before {text} after".encode()) == [SECRET]


def test_another_text_is_none() -> None:
    assert LEAKS.find(f"{SECRET[:-1]} {base64.b64encode(SECRET[:-2].encode()).decode()}".encode()) == []


def test_files_of_a_folder_are_searched_but_for_those_that_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "a/b").mkdir(parents=True)
    (folder / "a/b/log").write_text(f"x {SECRET}\n")
    (folder / "a/log.gz").write_bytes(gzip.compress(SECRET.encode()))
    (folder / "a/own").write_text(SECRET)
    (folder / "a/other").write_bytes(bytes(64))
    found = LEAKS.find_in_folder(folder, but=iter([folder / "a/own"]))
    assert sorted(found) == [f"{folder}/a/b/log: {SECRET}", f"{folder}/a/log.gz: {SECRET}"]


def test_a_folder_without_files_was_not_searched(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "gone"):
        with pytest.raises(AssertionError, match="has no files"):
            LEAKS.find_in_folder(folder)


def registry_with(files: Mapping[str, bytes], log: bytes = b"") -> Running:
    """A registry whose storage has these files, and one folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        folder = tarfile.TarInfo("registry")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, content in files.items():
            member = tarfile.TarInfo(f"registry/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    container = SimpleNamespace(logs=lambda: log, get_archive=lambda _: ([buffer.getvalue()], {}))
    return cast("Running", SimpleNamespace(container=container))


def test_a_registry_is_searched_in_its_log_and_in_the_paths_and_contents_of_its_files(tmp_path: Path) -> None:
    files = {"layer": gzip.compress(SECRET.encode()), quote(SECRET, safe=""): b"x", "manifest": b"{}"}
    found = LEAKS.find_in_registry(registry_with(files, SECRET.encode()), tmp_path)
    assert found == [f"{place}: {SECRET}" for place in ("log", "registry/layer", f"registry/{quote(SECRET, safe='')}")]
    assert LEAKS.find_in_registry(registry_with({"manifest": b"{}"}), tmp_path) == []


def test_a_registry_without_files_was_not_searched(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="has no files"):
        LEAKS.find_in_registry(registry_with({}), tmp_path)
