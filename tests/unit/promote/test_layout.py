"""A folder with an OCI image layout: what it refuses, and what a failed write leaves."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from build.errors import BusyError, PipelineError, UsageError
from build.promote.layout_target import LayoutTarget
from build.registry.checked import WrongContentError, checked
from build.registry.failures import DamagedContentError
from build.registry.layout import Layout
from build.registry.manifests import INDEX, MANIFEST, digest_of, to_manifest
from build.registry.places import Folder

REPOSITORY = "azureml/one"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(path=tmp_path / "layout")


def written(folder: Folder) -> Path:
    """Write a layout with one tag."""
    target = LayoutTarget(folder)
    with target.writing():
        manifest = to_manifest({"schemaVersion": 2}, MANIFEST)
        target.put_manifest(REPOSITORY, manifest)
        target.put_tag(REPOSITORY, "latest", manifest)
        target.write_index()
    return folder.path


def test_what_was_written_is_read(folder: Folder) -> None:
    written(folder)
    layout = Layout(folder)
    found = layout.find_manifest(REPOSITORY, "latest")
    assert found == to_manifest({"schemaVersion": 2}, MANIFEST)
    assert layout.tags(REPOSITORY) == ["latest"]
    assert layout.tags("azureml/other") == []
    assert layout.find_manifest(REPOSITORY, "other") is None
    assert layout.find_blob(REPOSITORY, digest_of(b"nothing")) is None


def test_the_type_of_a_manifest_that_does_not_name_it(folder: Folder) -> None:
    index = to_manifest({"schemaVersion": 2, "manifests": []}, "")
    with (target := LayoutTarget(folder)).writing():
        target.put_manifest(REPOSITORY, index)
    found = target.find_manifest(REPOSITORY, index.digest)
    assert found and found.media_type == INDEX


def test_tags_are_there_when_the_index_is_written_and_not_before(folder: Folder) -> None:
    written(folder)
    target, manifest = LayoutTarget(folder), to_manifest({"schemaVersion": 2, "new": True}, MANIFEST)
    with target.writing():
        target.put_manifest(REPOSITORY, manifest)
        target.put_tag(REPOSITORY, "new", manifest)
    assert Layout(folder).tags(REPOSITORY) == ["latest"]
    with target.writing():
        target.write_index()
    assert Layout(folder).tags(REPOSITORY) == ["latest", "new"]


def test_a_broken_upload_leaves_nothing(folder: Folder) -> None:
    target, content = LayoutTarget(folder), b"content"

    def pieces() -> Iterator[bytes]:
        yield content
        raise WrongContentError("broken")

    with pytest.raises(WrongContentError), target.writing():
        target.upload(REPOSITORY, digest_of(content), 100, pieces())
    assert not target.has_blob(REPOSITORY, digest_of(content))
    assert {path.name for path in folder.path.rglob("*")} == {"oci-layout", "blobs", "sha256"}


def test_a_full_disk_is_one_message(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    target = LayoutTarget(folder)
    with target.writing():
        monkeypatch.setattr("build.promote.layout_target.tempfile.mkstemp", lambda **_: (_full(), "/dev/full"))
        with pytest.raises(PipelineError, match="the disk is full") as failure:
            target.upload(REPOSITORY, digest_of(b"x"), 1, [b"x"])
    assert failure.value.where == str(folder.path)


def _full() -> int:
    """A file on which every write fails because the disk is full (full(4))."""
    return os.open("/dev/full", os.O_WRONLY)


def test_one_run_at_a_time_writes(folder: Folder) -> None:
    path = written(folder)
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(BusyError, match="another run writes to this folder"), LayoutTarget(folder).writing():
            pass
    finally:
        os.close(handle)


def test_a_run_that_waited_sees_what_the_other_one_wrote(folder: Folder) -> None:
    target = LayoutTarget(folder)
    written(folder)
    with target.writing():
        assert target.tags(REPOSITORY) == ["latest"]


def test_a_damaged_content_is_named(folder: Folder) -> None:
    path = written(folder)
    (blob,) = (path / "blobs/sha256").iterdir()
    blob.write_bytes(b"{}")
    with pytest.raises(DamagedContentError, match=blob.name[:12]):
        Layout(folder).find_manifest(REPOSITORY, "latest")


def test_a_digest_is_no_path(folder: Folder) -> None:
    path = written(folder)
    index = json.loads((path / "index.json").read_text())
    index["manifests"][0]["digest"] = "sha256:../../../../etc/passwd"
    (path / "index.json").write_text(json.dumps(index))
    with pytest.raises(DamagedContentError):
        Layout(folder).find_manifest(REPOSITORY, "latest")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"readme": "x"}, "has no OCI image layout"),
        ({"oci-layout": "x"}, "has no OCI image layout that can be read"),
        ({"oci-layout": '{"imageLayoutVersion": "2.0.0"}'}, "its version is 2.0.0"),
        ({"oci-layout": '{"imageLayoutVersion": "1.0.0"}', "index.json": "{}"}, "it has no list of manifests"),
    ],
)
def test_another_folder_is_refused_and_left_as_it_is(folder: Folder, files: dict[str, str], words: str) -> None:
    folder.path.mkdir()
    for name, content in files.items():
        (folder.path / name).write_text(content)
    for kind in (Layout, LayoutTarget):
        with pytest.raises(UsageError, match=words):
            kind(folder)
    assert {path.name for path in folder.path.iterdir()} == set(files)


def test_a_folder_that_does_not_exist(folder: Folder) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        Layout(folder)
    LayoutTarget(folder)
    assert not folder.path.exists()


@pytest.mark.parametrize("pieces", [[b"content"], [b"con", b"", b"tent"], [b"co", b"ntent"]])
def test_the_last_piece_comes_when_all_are_right(pieces: list[bytes]) -> None:
    assert b"".join(checked(pieces, digest_of(b"content"), 7)) == b"content"


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ([b"con", b"text"], "the content has the digest"),
        ([b"con"], "3 bytes instead of 7"),
        ([], "0 bytes instead of 7"),
        ([b"content", b"s"], "more than 7 bytes"),
    ],
)
def test_a_wrong_content_is_never_whole(pieces: list[bytes], words: str) -> None:
    passed = []
    with pytest.raises(WrongContentError, match=words):
        for piece in checked(pieces, digest_of(b"content"), 7):
            passed.append(piece)
    assert len(b"".join(passed)) < 7


def test_an_empty_blob() -> None:
    assert list(checked([], digest_of(b""), 0)) == []
