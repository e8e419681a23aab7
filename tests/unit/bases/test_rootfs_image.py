"""The image of a root file system: what it says, and the way into an archive and back."""

from __future__ import annotations

import dataclasses
import datetime
import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest

from build.bases import published, published_note, rootfs, rootfs_image
from build.bases.facts import debian_packages
from build.bases.local import LocalBase, local_base
from build.bases.published_note import PublishedRootfs
from build.bases.rootfs_image import RootfsImage
from build.checkout.project import open_project
from build.locks import debian
from build.locks.debian import MadeRootfs
from build.matrix.origins import Bootstrapped
from build.matrix.sources import Base
from build.paths import Paths

FIXTURE = Path(__file__).resolve().parents[1] / "project"
NOW = datetime.datetime(2026, 11, 26, 22, 15, 7, tzinfo=datetime.UTC)
PACKAGES = ("libc6=2.36-9", "python3.11=3.11.2-6")


@pytest.fixture
def base(tmp_path: Path) -> LocalBase:
    matrix = {"title": "x", "os": "debian12", "python": "3.11", "glibc": "2.36", "bootstrap": {"suite": "bookworm"}}
    return LocalBase(name="one", base=Base.model_validate(matrix), paths=Paths(root=tmp_path))


def origin_of(base: LocalBase) -> Bootstrapped:
    assert isinstance(base.origin, Bootstrapped)
    return base.origin


def image_of(tar: Path, lock: str = "0" * 64) -> RootfsImage:
    return RootfsImage(base_name="one", lock=lock, diff_id=rootfs_image.diff_id_of(tar), packages=PACKAGES)


def test_an_image_says_what_it_was_made_from(tmp_path: Path) -> None:
    tar = tmp_path / "rootfs.tar"
    tar.write_bytes(b"content")
    image = image_of(tar)
    assert rootfs_image.from_config(json.loads(image.config())) == image


@pytest.mark.parametrize(
    "document",
    [
        None,
        {},
        {"config": {"Labels": None}, "rootfs": {"diff_ids": ["sha256:1"]}},
        {"config": {"Labels": {"inference-images.base": "one"}}, "rootfs": {"diff_ids": ["sha256:1"]}},
        {
            "config": {
                "Labels": {
                    "inference-images.base": "one",
                    "inference-images.lock": "0",
                    "inference-images.debian": "a=1 b",
                }
            },
            "rootfs": {"diff_ids": ["sha256:1"]},
        },
        {
            "config": {
                "Labels": {
                    "inference-images.base": "one",
                    "inference-images.lock": "0",
                    "inference-images.debian": "a=1",
                }
            },
            "rootfs": {"diff_ids": ["sha256:1", "sha256:2"]},
        },
    ],
    ids=["nothing", "empty", "no labels", "some labels", "a package without a version", "two layers"],
)
def test_what_is_not_such_an_image_is_told_apart(document: object) -> None:
    assert rootfs_image.from_config(document) is None


@pytest.mark.parametrize(
    "packages",
    [(), ("b=1", "a=1"), ("a=1", "a=1"), ("a=1", "b=1\x1b[2J"), ("a=1", "b")],
    ids=["none", "not sorted", "twice", "an escape code", "no version"],
)
def test_packages_that_no_root_file_system_has_are_not_believed(packages: tuple[str, ...]) -> None:
    image = RootfsImage(base_name="one", lock="0" * 64, diff_id="sha256:1", packages=packages)
    assert rootfs_image.from_config(json.loads(image.config())) is None


def test_an_archive_gives_back_every_byte(tmp_path: Path) -> None:
    tar, archive, back = tmp_path / "rootfs.tar", tmp_path / "image.tar", tmp_path / "back.tar"
    tar.write_bytes(b"not even a tar" * 1000)
    rootfs_image.write_archive(image_of(tar), tar, "team/base-one:lock-0", archive)
    rootfs_image.read_layer(archive, back)
    assert back.read_bytes() == tar.read_bytes()
    with tarfile.open(archive) as members:
        listed = members.extractfile("manifest.json")
        assert listed is not None
        assert json.loads(listed.read())[0]["RepoTags"] == ["team/base-one:lock-0"]
    assert [each.name for each in tmp_path.iterdir() if each.suffix == ".layer"] == [], "a temporary file is left"


def test_a_layer_that_is_not_compressed_is_read_too(tmp_path: Path) -> None:
    archive, back = archive_with(tmp_path / "image.tar", b"content"), tmp_path / "back.tar"
    rootfs_image.read_layer(archive, back)
    assert back.read_bytes() == b"content"


def archive_with(target: Path, layer: bytes) -> Path:
    """Write the archive of an image with one layer, as older engines do."""
    with tarfile.open(target, "w") as members:
        for name, content in (("layer.tar", layer), ("manifest.json", b'[{"Layers": ["layer.tar"]}]')):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            members.addfile(member, io.BytesIO(content))
    return target


@pytest.mark.parametrize("content", [b"", b"no archive"], ids=["empty", "another file"])
def test_what_is_not_an_archive_is_a_value_error(tmp_path: Path, content: bytes) -> None:
    archive = tmp_path / "image.tar"
    archive.write_bytes(content)
    with pytest.raises(ValueError, match="not the archive of a root file system"):
        rootfs_image.read_layer(archive, tmp_path / "back.tar")


@pytest.mark.parametrize("kept", [5, 30, -1], ids=["a cut head", "a cut layer", "a damaged layer"])
def test_a_damaged_layer_is_a_value_error(tmp_path: Path, kept: int) -> None:
    packed = gzip.compress(b"content" * 100, mtime=0)
    layer = packed[:kept] if kept > 0 else packed[:12] + b"\xff" * 20 + packed[32:]
    archive = archive_with(tmp_path / "image.tar", layer)
    with pytest.raises(ValueError, match="not the archive of a root file system"):
        rootfs_image.read_layer(archive, tmp_path / "back.tar")


@pytest.mark.parametrize("content", [b"", b"no tar", None], ids=["empty", "another file", "a tar without dpkg"])
def test_what_is_not_a_root_file_system_is_a_value_error(tmp_path: Path, content: bytes | None) -> None:
    tar = tmp_path / "rootfs.tar"
    if content is None:
        tarfile.open(tar, "w").close()
    else:
        tar.write_bytes(content)
    with pytest.raises(ValueError, match="not a root file system of Debian"):
        rootfs.installed(tar)


def test_each_thing_that_a_root_file_system_is_made_from_gives_another_lock(base: LocalBase) -> None:
    origin = origin_of(base)
    assert rootfs_image.lock_of(base, origin) is None, "nothing is recorded"
    debian.record_base(base.paths, base.name, PACKAGES, origin)
    first = rootfs_image.lock_of(base, origin)
    debian.record_base(base.paths, base.name, PACKAGES[:1], origin)
    fewer = rootfs_image.lock_of(base, origin)
    made = MadeRootfs(diff_id="sha256:1", arguments=tuple(rootfs.arguments(origin)), time=NOW)
    debian.record_base(base.paths, base.name, PACKAGES, origin, made)
    with_content = rootfs_image.lock_of(base, origin)
    another_suite = Bootstrapped(suite="trixie", packages=(), python=origin.python)
    assert len({first, fewer, with_content, rootfs_image.lock_of(base, another_suite)}) == 4


def test_the_recorded_content_counts_only_for_the_arguments_that_it_was_made_with(base: LocalBase) -> None:
    made = MadeRootfs(diff_id="sha256:1", arguments=("--variant=apt", "bookworm"), time=NOW)
    debian.record_base(base.paths, base.name, PACKAGES, origin_of(base), made)
    assert debian.recorded(base.paths, base.name) == PACKAGES
    assert debian.recorded_rootfs(base.paths, base.name, made.arguments) == "sha256:1"
    assert debian.recorded_rootfs(base.paths, base.name, ("--variant=apt", "trixie")) is None
    debian.record_base(base.paths, base.name, PACKAGES, origin_of(base))
    assert debian.recorded_rootfs(base.paths, base.name, made.arguments) is None


def test_what_the_registry_has_counts_until_the_lock_changes(base: LocalBase, tmp_path: Path) -> None:
    origin = origin_of(base)
    debian.record_base(base.paths, base.name, PACKAGES, origin)
    lock = rootfs_image.lock_of(base, origin)
    assert lock is not None
    image = RootfsImage(base_name="one", lock=lock, diff_id="sha256:1", packages=("libc6=2.36-10",))
    there = PublishedRootfs(image=image, digest="sha256:2")
    assert debian_packages(base) == PACKAGES
    assert debian_packages(base, {"one": there}) == ("libc6=2.36-10",)
    published_note.write(base, there)
    assert debian_packages(base) == ("libc6=2.36-10",)
    assert debian_packages(base, {}) == PACKAGES, "the registry was asked, and has none"
    debian.record_base(base.paths, base.name, PACKAGES[1:], origin)
    assert debian_packages(base) == PACKAGES[1:]


def test_a_registry_that_does_not_answer_leaves_what_was_noted(tmp_path: Path) -> None:
    project = open_project(Paths(root=FIXTURE))
    name = next(name for name, each in project.matrix.bases.items() if isinstance(each.origin, Bootstrapped))
    here = dataclasses.replace(project, paths=Paths(root=tmp_path))
    local = local_base(here, name)
    origin = origin_of(local)
    debian.record_base(local.paths, name, PACKAGES, origin)
    lock = rootfs_image.lock_of(local, origin)
    assert lock is not None
    image = RootfsImage(base_name=name, lock=lock, diff_id="sha256:1", packages=("libc6=2.36-10",))
    there = {name: PublishedRootfs(image=image, digest="sha256:2")}
    assert published.settle(here, [name], there, again=False) == there
    assert published.settle(here, [name], None, again=False) == there
    assert published.settle(here, [name], None, again=True) == {}, "it is bootstrapped again"
    published.settle(here, [name], there, again=False)
    assert published.settle(here, [name], {}, again=False) == {}, "the registry has none any more"
    assert published.settle(here, [name], None, again=False) == {}


def test_packages_that_are_recorded_again_keep_their_time(base: LocalBase) -> None:
    origin = origin_of(base)
    made = MadeRootfs(diff_id="sha256:1", arguments=("bookworm",), time=NOW)
    later = dataclasses.replace(made, time=NOW + datetime.timedelta(days=1))
    assert debian.recorded_at(base.paths, base.name) is None
    debian.record_base(base.paths, base.name, PACKAGES, origin, made)
    first = debian.lock_file(base.paths, base.name).read_text(encoding="utf-8")
    debian.record_base(base.paths, base.name, PACKAGES, origin, later)
    assert debian.lock_file(base.paths, base.name).read_text(encoding="utf-8") == first
    assert debian.recorded_at(base.paths, base.name) == NOW
    debian.record_base(base.paths, base.name, PACKAGES[1:], origin, later)
    assert debian.recorded_at(base.paths, base.name) == later.time


@pytest.mark.parametrize("damage", ["[]", "{", '{"lock": "LOCK"}', '{"lock": "LOCK", "diff_id": "x", "packages": 7}'])
def test_a_damaged_note_is_no_note(base: LocalBase, damage: str) -> None:
    debian.record_base(base.paths, base.name, PACKAGES, origin_of(base))
    base.folder.mkdir(parents=True)
    text = damage.replace("LOCK", rootfs_image.lock_of(base, origin_of(base)) or "")
    base.published_note.write_text(text, encoding="utf-8")
    assert debian_packages(base) == PACKAGES
