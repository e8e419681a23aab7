"""A release from a folder to another one: what belongs to its base and to its record goes along."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from build.bases.rootfs_image import RootfsImage
from build.images.recipe import inputs_tag
from build.promote.layout_target import LayoutTarget
from build.promote.promote import Job, Promoted, promote
from build.publish import release as releases
from build.publish.origin import Origin
from build.publish.release import Commit, Release, ReleasedImage
from build.publish.targets import Rules
from build.registry.layout import Layout
from build.registry.manifests import EMPTY, EMPTY_CONTENT, MANIFEST, Manifest, descriptor, digest_of, to_manifest
from build.registry.places import Folder
from build.verify.reports import foundation_tag

IMAGE, BASE, RECORDS = "azureml/one", "azureml/base-test", "azureml/releases"
NUMBER, RECIPE = "20261123.v1", "a" * 64
PACKAGES = ("libc6=2.41-12",)
RESULT = foundation_tag("f" * 64, "0123456789abcdef")


class Filled:
    """A folder with a release: an image on a base, and something attached to the base and to the record."""

    def __init__(self, path: Path) -> None:
        self.folder = Folder(path=path)
        self.target = LayoutTarget(self.folder)
        with self.target.writing():
            self._fill()
            self.target.write_index()

    def _fill(self) -> None:
        rootfs = RootfsImage(base_name="test", lock="b" * 64, diff_id=digest_of(b"base"), packages=PACKAGES)
        self.base = self.put(BASE, rootfs.config(), b"base", rootfs.content_tag, rootfs.tag)
        labels = {"org.opencontainers.image.base.name": f"{BASE}:recipe-0", "inference-images.recipe": RECIPE}
        image = self.put(IMAGE, json.dumps({"config": {"Labels": labels}}).encode(), b"layer", "latest", NUMBER)
        self.attach(IMAGE, image, json.dumps({"debian": PACKAGES}).encode(), inputs_tag(RECIPE))
        released = ReleasedImage(name="one", repository=IMAGE, digest=image.digest, recipe=RECIPE, commit=Commit())
        release = Release(
            number=NUMBER,
            images=(released,),
            latest={IMAGE: image.digest},
            run="test",
            commit=Commit(),
            host="here",
            created="2026-11-23T00:00:00+00:00",
        )
        self.record, content = releases.artifact(release)
        self.upload(RECORDS, EMPTY_CONTENT, content)
        self.target.put_manifest(RECORDS, self.record)
        self.target.put_tag(RECORDS, NUMBER, self.record)
        self.result = self.attach(BASE, self.base, b"passed", RESULT)
        self.attach(BASE, self.result, b"signed")
        self.approval = self.attach(RECORDS, self.record, b"approved")
        other = RootfsImage(base_name="test", lock="c" * 64, diff_id=digest_of(b"other"), packages=("libc6=1",))
        self.other = self.put(BASE, other.config(), b"other", other.tag)
        self.attach(BASE, self.other, b"passed", f"{RESULT}0")

    def upload(self, repository: str, *contents: bytes) -> None:
        for content in contents:
            self.target.upload(repository, digest_of(content), len(content), [content])

    def put(self, repository: str, config: bytes, layer: bytes, *tags: str) -> Manifest:
        document = _document("application/vnd.oci.image.config.v1+json", config, layer)
        return self._write(repository, document, (config, layer), tags)

    def attach(self, repository: str, subject: Manifest, content: bytes, *tags: str) -> Manifest:
        document = _document(EMPTY, EMPTY_CONTENT, content)
        document["artifactType"] = "application/vnd.test"
        document["subject"] = descriptor(MANIFEST, subject.content)
        manifest = self._write(repository, document, (EMPTY_CONTENT, content), tags)
        self.target.list_attachments(repository, subject.digest, [manifest])
        return manifest

    def _write(
        self, repository: str, document: dict[str, Any], contents: tuple[bytes, ...], tags: tuple[str, ...]
    ) -> Manifest:
        manifest = to_manifest(document, MANIFEST)
        self.upload(repository, *contents)
        self.target.put_manifest(repository, manifest)
        for tag in tags:
            self.target.put_tag(repository, tag, manifest)
        return manifest


def _document(config_type: str, config: bytes, layer: bytes) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(config_type, config),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
    }


def run(source: Folder, target: Folder, *, latest: bool = True) -> Promoted:
    origin = Origin(run="test", host="here", commit=Commit(), root=Path("/"), clone="")
    job = Job(
        source=Layout(source),
        source_name="source",
        target=LayoutTarget(target),
        target_name="target",
        namespace="azureml",
        base_names=["test"],
        origin=origin,
        rules=Rules(latest=latest),
    )
    return promote("latest", job)


def test_what_is_attached_to_bases_and_to_the_record_is_copied(tmp_path: Path) -> None:
    filled, target = Filled(tmp_path / "source"), Folder(path=tmp_path / "target")
    done = run(filled.folder, target)
    assert done.attachments_sent == 4
    copy = Layout(target)
    assert set(copy.tags(BASE)) == set(Layout(filled.folder).tags(BASE)) - {f"{RESULT}0", f"lock-{'c' * 64}"}
    assert copy.digest(BASE, RESULT) == filled.result.digest
    assert copy.attachments(BASE, filled.base.digest) == [filled.result.digest]
    assert len(copy.attachments(BASE, filled.result.digest)) == 1
    assert copy.attachments(RECORDS, filled.record.digest) == [filled.approval.digest]
    assert not copy.has_blob(BASE, filled.other.digest), "a base that the release does not have"
    assert run(filled.folder, target).was_there


def test_what_is_attached_later_is_sent_by_the_next_run(tmp_path: Path) -> None:
    filled, target = Filled(tmp_path / "source"), Folder(path=tmp_path / "target")
    run(filled.folder, target)
    with filled.target.writing():
        filled.attach(BASE, filled.base, b"packages")
        filled.attach(RECORDS, filled.record, b"approved again")
        filled.target.write_index()
    done = run(filled.folder, target)
    assert (done.attachments_sent, done.attachments_there) == (2, 4)
    assert run(filled.folder, target).was_there


def test_a_result_that_the_target_has_stays(tmp_path: Path) -> None:
    first, second = Filled(tmp_path / "source"), Filled(tmp_path / "target")
    with second.target.writing():
        own = second.attach(BASE, second.base, b"passed here", RESULT)
        second.target.write_index()
    run(first.folder, second.folder)
    assert Layout(second.folder).digest(BASE, RESULT) == own.digest


def test_a_record_of_the_targets_own_gets_no_attachments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    filled, target = Filled(tmp_path / "source"), Folder(path=tmp_path / "target")
    run(filled.folder, target, latest=False)
    assert f"what is attached to the record of release {NUMBER} is not copied" in capsys.readouterr().err
    copy = Layout(target)
    assert copy.digest(RECORDS, NUMBER) not in (None, filled.record.digest)
    assert not copy.has_blob(RECORDS, filled.approval.digest)
    assert run(filled.folder, target, latest=False).was_there

    run(filled.folder, target)
    assert Layout(target).attachments(RECORDS, filled.record.digest) == [filled.approval.digest]
