"""`nox -s promote`: a release from a real registry to others, and through a folder."""

from __future__ import annotations

import dataclasses
import re
import shutil
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker import DockerClient

from build.bases import published
from build.builder import image_recipes
from build.builder.existing import find_built
from build.checkout.project import open_project
from build.errors import PipelineError, RegistryError
from build.promote.layout_target import LayoutTarget
from build.publish import records
from build.publish import release as releases
from build.publish.bases import BasesOf
from build.publish.foundations import fetch_results
from build.publish.targets import Rules
from build.registry.address import Registry
from build.registry.client import Client
from build.registry.manifests import (
    EMPTY,
    EMPTY_CONTENT,
    INDEX,
    MANIFEST,
    Manifest,
    descriptor,
    subject_of,
    to_manifest,
)
from build.registry.places import Folder
from build.registry.transfer import TransferClient
from tests.conftest import Checkout, copy_checkout, interrupt, wait_until
from tests.pipeline.promoting import (
    BASE_REPOSITORY,
    PACKAGES,
    RELEASES,
    all_content,
    all_tags,
    attach,
    check_layout,
    promote,
    put_base,
    release,
)
from tests.pipeline.registries import (
    MONDAY,
    REPOSITORIES,
    TUESDAY,
    Running,
    as_json,
    random_layer,
    running,
)
from tests.pipeline.rows import MINIMAL
from tests.registry_proxy import Effect, Fault, Proxy, delay, registry_proxy, status
from tests.unit.http_servers import Answer, Request, Respond

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("short_wait")]

IMAGES = ("azureml/one", "azureml/two")
ALL = (*IMAGES, BASE_REPOSITORY, RELEASES)
MONDAYS, TUESDAYS = "20261123.v1", "20261124.v1"
#: For commands that must not need an engine.
NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}


@pytest.fixture(scope="module")
def source(engine_client: DockerClient, registry_image: str) -> Iterator[Running]:
    """A registry with two releases of two images, which share a layer."""
    with running(engine_client, registry_image) as registry, pytest.MonkeyPatch.context() as patch:
        patch.setattr("build.publish.writes.SETTLE", 0.05)
        shared = random_layer(50_000)
        for day in (MONDAY, TUESDAY):
            images = {name: [shared, random_layer(200_000)] for name in ("one", "two")}
            release(engine_client, registry.registry, images, day)
        yield registry


@pytest.fixture(scope="module")
def other(engine_client: DockerClient, registry_image: str) -> Iterator[Running]:
    with running(engine_client, registry_image) as registry:
        yield registry


@pytest.fixture
def there(other: Running) -> Running:
    """Another registry, with a namespace for each test: what one test sends is in no repository of the next."""
    namespace = f"test-{uuid.uuid4().hex[:8]}"
    return dataclasses.replace(other, registry=dataclasses.replace(other.registry, namespace=namespace))


def through(proxy: Proxy, there: Running) -> Registry:
    """The namespace of a test as it is reached through a proxy."""
    return dataclasses.replace(there.registry, host=proxy.registry.host)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    root = tmp_path_factory.mktemp("promote") / "repository"
    root.mkdir()
    yield copy_checkout(root)
    shutil.rmtree(root, ignore_errors=True)


def latest(registry: Running) -> list[str | None]:
    return [registry.tag(repository, "latest") for repository in IMAGES]


def released(source: Running, number: str) -> list[str | None]:
    return [source.tag(repository, number) for repository in IMAGES]


def is_finished(registry: Running) -> bool:
    with Client(registry.registry) as client:
        return not records.read(client, RELEASES).differences


def test_a_release_gets_to_another_registry_with_the_same_digests(source: Running, there: Running) -> None:
    done = promote("latest", source.registry, there.registry)

    of_release = {name: digest for name, digest in all_tags(source.registry, ALL).items() if MONDAYS not in name}
    promoted = all_tags(there.registry, ALL)
    assert done.number == TUESDAYS
    assert promoted.items() <= of_release.items()
    for repository in IMAGES:
        tags = set(there.tags(repository))
        assert {"latest", TUESDAYS} <= tags
        assert {tag.partition("-")[0] for tag in tags if "-" in tag} == {"recipe", "inputs", "verified", "sha256"}
        content = all_content(source.registry, repository, TUESDAYS)
        assert all_content(there.registry, repository, TUESDAYS) == content
        assert len(content) == 11, "the image with 3 blobs; recipe, report and signature with 1 each; the empty blob"
    assert there.tags(BASE_REPOSITORY) == source.tags(BASE_REPOSITORY)
    assert is_finished(there)
    with Client(there.registry) as client:
        assert records.last_release(client, RELEASES)
    assert done.images == tuple(
        f"{there.registry.reference(repository, TUESDAYS)}@{digest}"
        for repository, digest in zip(IMAGES, released(source, TUESDAYS), strict=True)
    )


def test_what_is_shared_is_sent_once_and_a_second_run_sends_nothing(source: Running, there: Running) -> None:
    before = there.uploads()
    first = promote("latest", source.registry, there.registry)
    uploads, lock = there.uploads(), there.tag(RELEASES, "lock")

    second = promote("latest", source.registry, there.registry)

    content = {each for name in IMAGES for each in all_content(there.registry, name, TUESDAYS)}
    manifests = {image.partition("@")[2] for image in first.images}
    assert first.blobs_sent == uploads - before
    # Their configuration and 2 layers each, one of which is shared; the same for the base; 3 documents, 2 of which they
    # share, and the empty configuration.
    assert first.blobs_sent == 5 + 2 + 5, content - manifests
    assert first.blobs_mounted == 4
    assert second.was_there
    assert (second.blobs_sent, second.blobs_mounted, second.blobs_there) == (0, 0, first.blobs_sent)
    assert there.uploads() == uploads
    assert lock is not None, "the first run did not take the lock"
    assert there.tag(RELEASES, "lock") == lock, "the lock was taken for nothing"


def test_a_registry_that_does_not_mount_gets_blobs_sent(source: Running, there: Running) -> None:
    with registry_proxy(there.port, Fault(kind="mount", effect=status(405, "no"), times=1)) as proxy:
        done = promote("latest", source.registry, through(proxy, there))
    assert done.blobs_mounted == 0
    assert done.blobs_sent == 12 + 4
    assert all_content(there.registry, IMAGES[1], "latest") == all_content(source.registry, IMAGES[1], "latest")


def test_a_release_before_the_last_one_and_then_the_last_one(source: Running, there: Running) -> None:
    promote(MONDAYS, source.registry, there.registry)
    assert latest(there) == released(source, MONDAYS)

    done = promote(TUESDAYS, source.registry, there.registry)

    assert done.blobs_there >= 6
    assert latest(there) == released(source, TUESDAYS)
    assert released(there, MONDAYS) == released(source, MONDAYS)
    assert is_finished(there)


def test_an_older_release_is_refused_and_goes_back_if_it_is_allowed(source: Running, there: Running) -> None:
    promote(TUESDAYS, source.registry, there.registry)
    with pytest.raises(RegistryError, match=f"the target has a newer release: {TUESDAYS}") as refused:
        promote(MONDAYS, source.registry, there.registry)
    assert "--allow-older" in str(refused.value.fix)
    assert latest(there) == released(source, TUESDAYS)

    back = promote(MONDAYS, source.registry, there.registry, rules=Rules(allow_older=True))

    assert latest(there) == released(source, MONDAYS)
    assert released(there, back.number) == released(there, MONDAYS) == released(source, MONDAYS)
    assert is_finished(there)
    assert promote(MONDAYS, source.registry, there.registry).was_there, "the target goes back again and again"


def test_an_older_release_with_the_images_of_the_last_one_gets_its_own_record(source: Running, there: Running) -> None:
    promote(TUESDAYS, source.registry, there.registry)
    back = promote(MONDAYS, source.registry, there.registry, rules=Rules(allow_older=True))
    third = dataclasses.replace(there.registry, namespace=f"{there.registry.namespace}-third")
    promote(back.number, there.registry, third)
    with TransferClient(third) as client:
        assert client.tags(RELEASES).count(MONDAYS) == 0

        done = promote(MONDAYS, source.registry, third)

        assert client.digest(RELEASES, MONDAYS) == source.tag(RELEASES, MONDAYS)
        assert [client.digest(repository, MONDAYS) for repository in IMAGES] == released(source, MONDAYS)
        assert not records.read(client, RELEASES).differences
    assert (done.release, done.number, done.was_there) == (MONDAYS, back.number, False)
    assert promote(MONDAYS, source.registry, third).was_there


def test_each_refused_attachment_is_named_and_all_others_are_copied(
    source: Running, there: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    image = IMAGES[0]
    with TransferClient(source.registry) as client:
        (report,) = [tag for tag in all_tags(source.registry, [image]) if is_report_of(client, tag, TUESDAYS)]
        refused = str(client.digest(image, report.partition(":")[2]))
        (of_report,) = client.attachments(image, refused)
    fault = Fault(kind="attachment", effect=status(400, "no tests here", error="MANIFEST_INVALID"), path=refused)
    with registry_proxy(there.port, fault) as proxy:
        done = promote("latest", source.registry, through(proxy, there))

    assert [each.reference for each in done.attachments_refused] == [
        f"{source.registry.reference(image, digest)}" for digest in (refused, of_report)
    ]
    assert [each.reason for each in done.attachments_refused] == [
        "MANIFEST_INVALID: no tests here",
        "what it is attached to was refused",
    ]
    assert (done.attachments_sent, done.attachments_there) == (4, 0)
    there_tags = {tag: digest for tag, digest in all_tags(there.registry, IMAGES).items() if ":sha256-" not in tag}
    of_release = {tag: digest for tag, digest in all_tags(source.registry, IMAGES).items() if tag in there_tags}
    assert there_tags == of_release and report not in there_tags
    assert len([tag for tag in there_tags if ":inputs-" in tag]) == 2, "attachments after the refused one"
    assert all_content(there.registry, IMAGES[1], "latest") == all_content(source.registry, IMAGES[1], "latest")
    assert "does not accept 2 of 6 attachments" in capsys.readouterr().err
    assert is_finished(there) and latest(there) == released(source, TUESDAYS)

    again = promote("latest", source.registry, there.registry)
    assert (again.attachments_sent, again.attachments_there, again.attachments_refused) == (2, 4, ())
    assert all_content(there.registry, image, "latest") == all_content(source.registry, image, "latest")


def is_report_of(client: TransferClient, name: str, number: str) -> bool:
    repository, _, tag = name.partition(":")
    manifest = client.manifest(repository, tag)
    return tag.startswith("verified-") and subject_of(manifest) == client.digest(repository, number)


def test_a_registry_without_attachments_gets_images_alone(
    source: Running, there: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    with Client(source.registry) as client:
        images = "|".join(client.manifest(repository, TUESDAYS).digest for repository in IMAGES)
    refusal = status(415, "images only", error="UNSUPPORTED")
    fault = Fault(kind="attachment", effect=refusal, times=None, path=rf"/(one|two)/manifests/(?!{images})")
    with registry_proxy(there.port, fault) as proxy:
        done = promote("latest", source.registry, through(proxy, there))
    assert (done.attachments_sent, len(done.attachments_refused)) == (0, 6)
    assert "does not accept attachments: it has neither the recipes nor the test reports" in capsys.readouterr().err
    assert latest(there) == released(source, TUESDAYS)
    assert not [tag for tag in there.tags(IMAGES[0]) if tag.startswith(("verified-", "inputs-", "sha256-"))]


def sign(client: TransferClient, repository: str, digest: str, *payloads: bytes, suffix: str = "sig") -> str:
    """Write what cosign writes: a manifest without a subject, under a tag that is made of a digest."""
    config = as_json({"rootfs": {"type": "layers", "diff_ids": []}, "architecture": "", "os": ""})
    kind = "application/vnd.dev.cosign.simplesigning.v1+json"
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": [
            descriptor(kind, each) | {"annotations": {"dev.cosignproject.cosign/signature": "x"}} for each in payloads
        ],
    }
    manifest = to_manifest(document, MANIFEST)
    client.put_tag(repository, f"{digest.replace(':', '-')}.{suffix}", manifest, [config, *payloads])
    return manifest.digest


def test_signatures_under_cosigns_tags_are_copied(
    source: Running, there: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    promote("latest", source.registry, there.registry)
    one, two = (str(digest) for digest in latest(there))
    third = dataclasses.replace(there.registry, namespace=f"{there.registry.namespace}-third")
    with TransferClient(there.registry) as client, TransferClient(third) as target:
        sign(client, IMAGES[0], one, b"first")
        packages = sign(client, IMAGES[0], one, b"packages", suffix="sbom")
        sign(client, IMAGES[0], packages, b"of the packages")
        sign(client, IMAGES[1], two, b"attested", suffix="att")
        sign(client, IMAGES[0], "sha256:" + "0" * 64, b"of an image that is not in the release")
        signed = {
            tag: digest
            for tag, digest in all_tags(there.registry, IMAGES).items()
            if tag.endswith((".sig", ".att", ".sbom"))
        }
        assert len(signed) == 5
        # Anyone who may push can write such a tag: it leads in a circle.
        client.put_tag(IMAGES[1], f"{two.replace(':', '-')}.sbom", client.manifest(IMAGES[1], two))
        other = f"{IMAGES[0]}:sha256-{'0' * 64}.sig"

        folder = Folder(path=tmp_path / "layout")
        assert promote("latest", there.registry, folder).attachments_sent == 6 + 4
        promote("latest", folder, third)

        found = all_tags(third, IMAGES)
        assert {tag: digest for tag, digest in found.items() if tag in signed} == {
            tag: digest for tag, digest in signed.items() if tag != other
        }
        signature = tag_of(one)
        assert all_content(third, IMAGES[0], signature) == all_content(there.registry, IMAGES[0], signature)
        assert promote("latest", there.registry, third).was_there

        added = sign(client, IMAGES[0], one, b"first", b"second")
        assert promote("latest", there.registry, third).attachments_sent == 1
        assert target.digest(IMAGES[0], signature) == added

        own = sign(target, IMAGES[0], one, b"first", b"second", b"of the target")
        sign(client, IMAGES[0], one, b"first", b"second", b"third")
        assert promote("latest", there.registry, third).was_there
        assert target.digest(IMAGES[0], signature) == own, "signatures of the target are lost"
        assert f"{signature} has something else than in the source, and is not moved" in capsys.readouterr().err


def tag_of(digest: str) -> str:
    return f"{digest.replace(':', '-')}.sig"


RESULT = "foundation-0123456789abcdef-fedcba9876543210"


def sign_all(client: TransferClient) -> tuple[Manifest, Manifest]:
    """Attach something to the base and to the record of a registry, and sign both; return their manifests."""
    base = client.manifest(BASE_REPOSITORY, next(tag for tag in client.tags(BASE_REPOSITORY) if "lock-" in tag))
    attach(client, BASE_REPOSITORY, base, b"passed", "application/vnd.test.result", RESULT)
    result = client.manifest(BASE_REPOSITORY, RESULT)
    attach(client, BASE_REPOSITORY, result, b"signed", "application/vnd.test.signature")
    attach(client, BASE_REPOSITORY, base, b"packages", "application/vnd.test.sbom")
    sign(client, BASE_REPOSITORY, base.digest, b"the base")
    record = client.manifest(RELEASES, TUESDAYS)
    attach(client, RELEASES, record, b"approved", "application/vnd.test.approval")
    sign(client, RELEASES, record.digest, b"the record")
    return base, record


def test_attachments_of_bases_and_of_the_record_are_copied(source: Running, there: Running, tmp_path: Path) -> None:
    promote(TUESDAYS, source.registry, there.registry)
    with TransferClient(there.registry) as client:
        base, record = sign_all(client)
        # The result of another base, which the release does not have.
        other = put_base(client, ("libc6=1",), "b" * 64)
        attach(client, BASE_REPOSITORY, other, b"passed", "application/vnd.test.result", f"{RESULT}0")
    third = dataclasses.replace(there.registry, namespace=f"{there.registry.namespace}-third")
    folder = Folder(path=tmp_path / "layout")

    out = promote(TUESDAYS, there.registry, folder)
    back = promote(TUESDAYS, folder, third)

    assert (out.attachments_sent, back.attachments_sent) == (6 + 6, 6 + 6)
    # As a registry without an API for attachments lists them, in tags.
    listed = {
        name.split("-")[-1] for name in all_tags(there.registry, (BASE_REPOSITORY, RELEASES)) if "sha256-" in name
    }
    assert {base.digest[7:], record.digest[7:]} <= listed
    of_other = {other.digest, *(each for each in all_content(there.registry, BASE_REPOSITORY, f"{RESULT}0"))}
    copied = all_tags(third, (BASE_REPOSITORY, RELEASES))
    assert f"{BASE_REPOSITORY}:{RESULT}" in copied and f"{BASE_REPOSITORY}:{RESULT}0" not in copied
    assert f"{BASE_REPOSITORY}:{tag_of(base.digest)}" in copied and f"{RELEASES}:{tag_of(record.digest)}" in copied
    assert not of_other & set(copied.values())
    unlisted = {name: digest for name, digest in copied.items() if not re.search("sha256-[0-9a-f]+$", name)}
    assert unlisted.items() <= all_tags(there.registry, (BASE_REPOSITORY, RELEASES)).items()
    for repository, digest in ((BASE_REPOSITORY, base.digest), (RELEASES, record.digest)):
        assert all_content(third, repository, digest) == all_content(there.registry, repository, digest)
    for where in (folder, third):
        assert promote(TUESDAYS, there.registry, where).was_there


def test_what_is_attached_later_is_sent_later_and_a_result_of_the_target_stays(source: Running, there: Running) -> None:
    third = dataclasses.replace(there.registry, namespace=f"{there.registry.namespace}-third")
    for target in (there.registry, third):
        promote(TUESDAYS, source.registry, target)
    with TransferClient(there.registry) as client, TransferClient(third) as remote:
        base, record = sign_all(client)
        attach(remote, BASE_REPOSITORY, base, b"passed here", "application/vnd.test.result", RESULT)
        own = remote.digest(BASE_REPOSITORY, RESULT)
        failed = Fault(kind="attachment", effect=status(500, "sorry"), times=None, path=RELEASES.replace("azureml", ""))
        with registry_proxy(there.port, failed) as proxy, pytest.raises(RegistryError, match="HTTP 500"):
            promote(TUESDAYS, there.registry, dataclasses.replace(third, host=proxy.registry.host))

        done = promote(TUESDAYS, there.registry, third)

        assert 0 < done.attachments_sent < 6, "the interrupted run sent nothing, or everything"
        assert remote.digest(BASE_REPOSITORY, RESULT) == own
        assert len(remote.attachments(BASE_REPOSITORY, base.digest)) == 3
        assert len(remote.attachments(RELEASES, record.digest)) == 1
    assert promote(TUESDAYS, there.registry, third).was_there


def test_a_record_that_differs_in_the_target_gets_no_attachments(
    source: Running, there: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without 'latest', the target has a record of its own, to which the source's signatures do not belong."""
    promote(TUESDAYS, source.registry, there.registry)
    with TransferClient(there.registry) as client:
        base, record = sign_all(client)
    third = dataclasses.replace(there.registry, namespace=f"{there.registry.namespace}-third")
    promote(TUESDAYS, there.registry, third, rules=Rules(latest=False))
    assert f"what is attached to the record of release {TUESDAYS} is not copied" in capsys.readouterr().err
    with TransferClient(third) as client:
        assert client.tags(RELEASES) == [TUESDAYS]
        assert len(client.attachments(BASE_REPOSITORY, base.digest)) == 2
    assert promote(TUESDAYS, there.registry, third, rules=Rules(latest=False)).was_there

    promote(TUESDAYS, there.registry, third)
    with TransferClient(third) as client:
        assert len(client.attachments(RELEASES, record.digest)) == 1


def test_without_latest_only_new_tags_are_written(source: Running, there: Running) -> None:
    moved = Fault(kind="tag write", effect=status(412, "the tag is immutable"), times=None, path="/(latest|lock)$")
    with registry_proxy(there.port, moved) as proxy:
        with pytest.raises(RegistryError, match="does not let a tag be moved") as refused:
            promote("latest", source.registry, through(proxy, there))
        assert refused.value.fix == "promote with --no-latest, which moves no tag"
        assert there.tag(RELEASES, TUESDAYS) is None and released(there, TUESDAYS) == [None, None]
        done = promote("latest", source.registry, through(proxy, there), rules=Rules(latest=False))
    assert not done.latest
    assert latest(there) == [None, None]
    assert is_finished(there), "the record names a 'latest' that does not exist"

    again = promote("latest", source.registry, there.registry)
    assert again.blobs_sent == 0
    assert latest(there) == released(source, TUESDAYS)
    assert there.tag(RELEASES, TUESDAYS) == source.tag(RELEASES, TUESDAYS)


@pytest.mark.thorough
def test_other_images_under_the_same_number_are_refused(
    source: Running, there: Running, engine_client: DockerClient
) -> None:
    release(engine_client, there.registry, {"one": [random_layer(1000)], "two": [random_layer(1000)]}, TUESDAY)
    before = all_tags(there.registry, ALL)
    with pytest.raises(RegistryError, match=f"another release of the number {TUESDAYS}"):
        promote("latest", source.registry, there.registry)
    assert all_tags(there.registry, ALL) == before


def test_another_base_of_the_same_lock_is_refused(source: Running, there: Running) -> None:
    with TransferClient(there.registry) as client:
        put_base(client, (*PACKAGES, "tzdata=2026a-0"))
    with pytest.raises(RegistryError, match="another base of the same lock, with 1 other Debian package"):
        promote("latest", source.registry, there.registry)
    assert there.tags(IMAGES[0]) == []


@pytest.mark.thorough
def test_an_interrupted_publish_of_the_target_is_completed(
    source: Running, there: Running, engine_client: DockerClient
) -> None:
    own, _ = release(engine_client, there.registry, {name: [random_layer(1000)] for name in ("one", "two")}, MONDAY)
    there.run(f"rm -r {REPOSITORIES}/{there.registry.repository(IMAGES[0])}/_manifests/tags/{MONDAYS}")
    assert there.tag(IMAGES[0], MONDAYS) is None

    promote(TUESDAYS, source.registry, there.registry)

    assert there.tag(IMAGES[0], MONDAYS) == own.digest
    assert latest(there) == released(source, TUESDAYS)


def test_a_record_that_names_other_repositories_is_refused(source: Running, there: Running) -> None:
    with TransferClient(source.registry) as client:
        good = records.read_record(client, RELEASES, TUESDAYS).release
    for name in ("library/one", "azureml/../library/one", "azureml/One", RELEASES):
        image = dataclasses.replace(good.images[0], repository=name)
        forged = dataclasses.replace(good, images=(image,), latest={})
        manifest, content = releases.artifact(forged)
        with TransferClient(there.registry) as client:
            client.put_tag(RELEASES, TUESDAYS, manifest, [EMPTY_CONTENT, content])
        with pytest.raises(RegistryError, match="which is not in azureml/"):
            promote(TUESDAYS, there.registry, dataclasses.replace(there.registry, namespace="elsewhere"))


def test_what_a_list_names_is_attached_only_if_it_says_so(
    source: Running, there: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever may push may write the list of a manifest's attachments."""
    promote(TUESDAYS, source.registry, there.registry)
    config = descriptor(EMPTY, EMPTY_CONTENT)
    other = to_manifest({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []}, MANIFEST)
    entry = {"mediaType": MANIFEST, "digest": other.digest, "size": len(other.content)}
    listed = to_manifest({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}, INDEX)
    digest = str(there.tag(IMAGES[0], TUESDAYS))
    with TransferClient(there.registry) as client:
        client.put_artifact(IMAGES[0], other, [EMPTY_CONTENT])
        client.put_tag(IMAGES[0], digest.replace(":", "-"), listed)
    third = dataclasses.replace(there.registry, namespace=f"{there.registry.namespace}-third")
    promote(TUESDAYS, there.registry, third)
    assert "is listed as an attachment of another manifest" in capsys.readouterr().err
    with TransferClient(third) as client:
        assert client.digest(IMAGES[0], TUESDAYS) == digest
        assert client.digest(IMAGES[0], other.digest) is None
        assert "None" not in client.tags(IMAGES[0])


def test_a_folder_without_space_is_named_before_anything_is_written(
    source: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LayoutTarget, "free_bytes", lambda _: 1000)
    with pytest.raises(PipelineError, match=r"too little space: 453 kB are to be written, and 1 kB are free"):
        promote("latest", source.registry, Folder(path=tmp_path))
    assert check_layout(tmp_path) == {}


def test_through_a_folder_into_a_third_registry(source: Running, there: Running, tmp_path: Path) -> None:
    folder = Folder(path=tmp_path / "disk/release")

    out = promote("latest", source.registry, folder)
    names = check_layout(folder.path)
    before = (folder.path / "index.json").read_bytes()
    again = promote("latest", source.registry, folder)
    assert again.was_there and (folder.path / "index.json").read_bytes() == before
    back = promote("latest", folder, there.registry)

    tags = all_tags(there.registry, ALL)
    assert tags.items() <= all_tags(source.registry, ALL).items()
    # The lists of attachments are tags only in a registry without an API for them.
    assert names == {name: digest for name, digest in tags.items() if ":sha256-" not in name}
    for repository in IMAGES:
        assert all_content(there.registry, repository, "latest") == all_content(source.registry, repository, "latest")
    assert out.blobs_sent == back.blobs_sent
    assert is_finished(there)


def test_a_folder_holds_several_releases(source: Running, tmp_path: Path) -> None:
    folder = Folder(path=tmp_path)
    promote(MONDAYS, source.registry, folder)
    with pytest.raises(RegistryError, match="newer release"):
        promote(TUESDAYS, source.registry, folder)
        promote(MONDAYS, source.registry, folder)
    names = check_layout(tmp_path)
    for repository in IMAGES:
        assert names[f"{repository}:{MONDAYS}"] == source.tag(repository, MONDAYS)
        assert names[f"{repository}:latest"] == names[f"{repository}:{TUESDAYS}"] == source.tag(repository, TUESDAYS)


def test_a_killed_command_is_finished_by_the_next_one(source: Running, there: Running, clone: Checkout) -> None:
    before = there.uploads()
    environment = {**source.environment, **NO_ENGINE}
    killed = threading.Event()

    def hold(request: Request, registry: Respond) -> Answer:
        assert killed.wait(60)
        return Answer(drop=True)

    with registry_proxy(there.port, Fault(kind="upload put", effect=hold, times=None, skip=4)) as proxy:
        process = clone.start("promote", "latest", str(through(proxy, there)), env=environment)
        wait_until(lambda: there.uploads() == before + 4)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed.set()
        assert process.returncode == -signal.SIGKILL
    assert latest(there) == [None, None] and there.tags(RELEASES) == []

    done = clone.run("promote", "latest", str(there.registry), env=environment)

    assert done.code == 0, done.text
    assert re.search(r"4 of 12 blobs \(.+\) are there already; 8 \(.+\) are to be sent", done.err), done.err
    digest = source.tag(IMAGES[0], TUESDAYS)
    assert f"{there.registry.reference(IMAGES[0], TUESDAYS)}@{digest}" in done.out.splitlines()
    assert f"release {TUESDAYS}: 8 blobs sent" in done.out
    assert there.uploads() == before + 12
    assert is_finished(there) and latest(there) == released(source, TUESDAYS)


@pytest.mark.parametrize(
    "tag", [pytest.param("one/manifests/latest$", marks=pytest.mark.thorough), "two/manifests/latest$"]
)
def test_ctrl_c_leaves_no_half_moved_tag(source: Running, there: Running, clone: Checkout, tag: str) -> None:
    promote(MONDAYS, source.registry, there.registry)
    arrived = threading.Event()

    def slow(request: Request, registry: Respond) -> Answer:
        arrived.set()
        return delay(1.0)(request, registry)

    fault = Fault(kind="tag write", effect=slow, path=tag)
    with registry_proxy(there.port, fault) as proxy:
        environment = {**source.environment, **NO_ENGINE}
        process = clone.start("promote", "latest", str(through(proxy, there)), env=environment)
        assert arrived.wait(30)
        done = interrupt(process)
    assert done.code == 130, done.text
    assert "Traceback" not in done.text
    assert f"release {TUESDAYS} is not finished; promote again to finish it" in done.text
    assert latest(there) == released(source, MONDAYS)

    assert promote("latest", source.registry, there.registry).blobs_sent == 0
    assert latest(there) == released(source, TUESDAYS)


def test_ctrl_c_while_a_folder_is_written_leaves_the_former_release(
    source: Running, clone: Checkout, tmp_path: Path
) -> None:
    folder = Folder(path=tmp_path / "layout")
    promote(MONDAYS, source.registry, folder)
    before = check_layout(folder.path)
    with Client(source.registry) as client:
        layer = client.manifest(IMAGES[0], TUESDAYS).document["layers"][1]["digest"]
    arrived = threading.Event()

    def slow(request: Request, registry: Respond) -> Answer:
        if request.method == "GET":
            arrived.set()
            time.sleep(2)
        return registry(request)

    with registry_proxy(source.port, Fault(kind="blob read", effect=slow, times=None, path=layer)) as proxy:
        environment = {"REGISTRY": f"127.0.0.1:{proxy.port}", **NO_ENGINE}
        process = clone.start("promote", "latest", f"oci:{folder.path}", env=environment)
        assert arrived.wait(30)
        done = interrupt(process)
    assert done.code == 130, done.text
    assert check_layout(folder.path) == before
    promote("latest", source.registry, folder)
    assert check_layout(folder.path)[f"{IMAGES[0]}:latest"] == source.tag(IMAGES[0], TUESDAYS)


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        (status(403, "not with this login", error="DENIED"), "denied the request"),
        (status(401, "log in", error="UNAUTHORIZED"), "asks for a login and none is stored"),
        (status(405, "read-only", error="UNSUPPORTED"), r"HTTP 405 \(Method Not Allowed\)"),
    ],
    ids=["403", "401", "read-only"],
)
def test_a_target_that_refuses_gets_nothing(source: Running, there: Running, effect: Effect, words: str) -> None:
    before = there.uploads()
    fault = Fault(kind="upload start", effect=effect, times=None)
    with registry_proxy(there.port, fault) as proxy, pytest.raises(RegistryError, match=words) as refused:
        promote("latest", source.registry, through(proxy, there))
    assert refused.value.fix and refused.value.details
    assert there.uploads() == before and there.tags(IMAGES[0]) == []


def test_a_target_that_fails_once_gets_the_blob_again(source: Running, there: Running) -> None:
    fault = Fault(kind="upload put", effect=status(502, "sorry"))
    with registry_proxy(there.port, fault) as proxy:
        done = promote("latest", source.registry, through(proxy, there))
    assert done.blobs_sent == 12
    assert latest(there) == released(source, TUESDAYS)


def test_a_target_that_is_full_is_named_with_its_own_words(source: Running, there: Running) -> None:
    full = threading.Event()

    def refuse(request: Request, registry: Respond) -> Answer:
        full.set()
        return status(500, "no space left on device")(request, registry)

    def fail_then(request: Request, registry: Respond) -> Answer:
        return status(500)(request, registry) if full.is_set() else registry(request)

    faults = Fault(kind="upload put", effect=refuse, times=None), Fault(kind="blob read", effect=fail_then, times=None)
    with registry_proxy(there.port, *faults) as proxy:
        with pytest.raises(RegistryError, match=r"HTTP 500 .*uploading to azureml/") as failed:
            promote("latest", source.registry, through(proxy, there))
        assert len(proxy.seen("upload put")) <= 4, "it was sent again although nothing else was answered"
    assert "no space left on device" in str(failed.value.details)
    assert there.tags(RELEASES) == []


def test_a_blob_that_the_source_lacks_is_named_before_anything_is_sent(
    source: Running, there: Running, tmp_path: Path
) -> None:
    folder = Folder(path=tmp_path)
    promote("latest", source.registry, folder)
    with Client(source.registry) as client:
        layer = client.manifest(IMAGES[0], TUESDAYS).document["layers"][1]["digest"]
    blob = tmp_path / "blobs" / layer.replace(":", "/")
    content = blob.read_bytes()
    before = there.uploads()

    blob.unlink()
    with pytest.raises(RegistryError, match="the source does not have 1 blob of the release any more") as failed:
        promote("latest", folder, there.registry)
    assert layer in str(failed.value.details)
    assert there.uploads() == before

    blob.write_bytes(content[:-1] + b"x")
    with pytest.raises(RegistryError, match="the source has a damaged blob") as failed:
        promote("latest", folder, there.registry)
    assert layer in str(failed.value.where)
    assert latest(there) == [None, None] and there.tags(RELEASES) == []
    with Client(there.registry) as client:
        assert not client.has_blob(IMAGES[0], layer)


def test_a_release_that_the_source_does_not_have(source: Running, clone: Checkout, tmp_path: Path) -> None:
    folder = Folder(path=tmp_path / "new")
    done = clone.run("promote", "20200101.v1", str(folder), env={**source.environment, **NO_ENGINE})
    assert done.code == 5, done.text
    assert f"error: 127.0.0.1:{source.port} has no release 20200101.v1" in done.one_screen()
    assert f"name one that it has: {TUESDAYS}, {MONDAYS}" in done.err
    with pytest.raises(RegistryError, match=r"/other has no release$"):
        promote("latest", dataclasses.replace(source.registry, namespace="other"), folder)
    assert not folder.path.exists()


def test_a_clone_that_uses_the_target_finds_everything_up_to_date(
    verified: Checkout, there: Running, tmp_path: Path, engine_client: DockerClient
) -> None:
    first, second = f"{there.registry}-first", str(there.registry)
    done = verified.run("publish", MINIMAL, env={"REGISTRY": first})
    assert done.code == 0, done.text
    fresh = Checkout(root=tmp_path / "fresh")
    shutil.copytree(verified.root, fresh.root, ignore=shutil.ignore_patterns(".pipeline"))

    for source, target in ((first, f"oci:{tmp_path / 'disk'}"), (f"oci:{tmp_path / 'disk'}", second)):
        done = fresh.run("promote", "latest", target, "--from", source, env=NO_ENGINE)
        assert done.code == 0, done.text

    planned = fresh.run("plan", MINIMAL, "--check", env={"REGISTRY": second, **NO_ENGINE})
    assert planned.code == 0, planned.text
    assert "1 image: 1 up to date" in planned.out
    assert "warning" not in planned.err
    assert not list(fresh.root.rglob("rootfs.tar")), "a base was bootstrapped, or taken from the registry"

    project = open_project(fresh.paths)
    images = [each for each in project.usable_images(project.variants)[0] if each.variant.name == MINIMAL]
    with Client(there.registry) as client:
        bases = published.find(client, project, project.build_base_names([image.variant for image in images]))
        built = find_built(engine_client, images, image_recipes.of(project, images, bases).known)
        assert fetch_results(BasesOf.of(project, [built[MINIMAL]]), client) == 1, "the shared tests would run again"
