"""A release with everything that belongs to one, and what is in a registry or a folder, for the tests of promoting."""

from __future__ import annotations

import contextlib
import datetime
import gzip
import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from docker import DockerClient
from docker.errors import ImageNotFound

from build.bases.rootfs_image import RootfsImage
from build.images.recipe import inputs_tag
from build.promote.layout_target import LayoutTarget
from build.promote.promote import Job, Promoted
from build.promote.promote import promote as promoting
from build.publish.publication import Publication, Published
from build.publish.targets import Rules
from build.registry import attachments
from build.registry.address import Registry
from build.registry.layout import Layout
from build.registry.manifests import MANIFEST, Manifest, descriptor, to_manifest
from build.registry.places import Folder
from build.registry.transfer import TransferClient
from build.verify.reports import MEDIA_TYPE, verified_tag
from tests.pipeline.registries import Layer, an_origin, archive_of, as_json, digest_of, publish, tar_of

BASE = "test-base"
BASE_REPOSITORY = f"azureml/base-{BASE}"
PACKAGES = ("libc6=2.41-12", "python3=3.13.5-1")
SUITE = "0123456789abcdef"
RELEASES = "azureml/releases"


def promote(
    name: str,
    source: Registry | Folder,
    target: Registry | Folder,
    *,
    rules: Rules | None = None,
    clone: str = "",
) -> Promoted:
    """Promote in this process, as the command does."""
    with contextlib.ExitStack() as stack:

        def client(registry: Registry) -> TransferClient:
            return stack.enter_context(TransferClient(registry))

        job = Job(
            source=Layout(source) if isinstance(source, Folder) else client(source),
            source_name=str(source),
            target=LayoutTarget(target) if isinstance(target, Folder) else client(target),
            target_name=str(target),
            namespace="azureml",
            base_names=[BASE],
            origin=an_origin("promote", clone=clone),
            rules=rules or Rules(),
        )
        return promoting(name, job)


@contextlib.contextmanager
def loaded(client: DockerClient, images: Mapping[str, Sequence[Layer]]) -> Iterator[list[Publication]]:
    """Load images of given layers into the engine; each says on which base it was built, and has its inputs."""
    names = []
    try:
        items = []
        for name, layers in images.items():
            local = f"promote-test/{name}:{uuid.uuid4().hex[:12]}"
            inputs = as_json({"debian": list(PACKAGES), "test": local})
            recipe = hashlib.sha256(inputs).hexdigest()
            labels = {"org.opencontainers.image.base.name": f"{BASE_REPOSITORY}:recipe-0123456789abcdef"}
            client.images.load(archive_of(layers, local, recipe, labels))
            names.append(local)
            items.append(
                Publication(
                    name=name, repository=f"azureml/{name}", local_reference=local, recipe=recipe, inputs=inputs
                )
            )
        yield items
    finally:
        for name in names:
            with contextlib.suppress(ImageNotFound):
                client.images.remove(name, force=True)


def release(
    client: DockerClient, registry: Registry, images: Mapping[str, Sequence[Layer]], day: datetime.date
) -> list[Published]:
    """Publish images as a release, with their base and with reports, one of which has an attachment of its own."""
    with loaded(client, images) as items, TransferClient(registry) as remote:
        put_base(remote)
        results = publish(items, registry, client, day)
        for item, result in zip(items, results, strict=True):
            image = remote.manifest(item.repository, result.digest)
            attach(remote, item.repository, image, b"passed", MEDIA_TYPE, verified_tag(item.recipe, SUITE))
            report = remote.manifest(item.repository, verified_tag(item.recipe, SUITE))
            attach(remote, item.repository, report, b"signed", "application/vnd.test.signature")
            assert remote.digest(item.repository, inputs_tag(item.recipe))
    return results


def attach(
    remote: TransferClient, repository: str, subject: Manifest, content: bytes, media_type: str, tag: str | None = None
) -> None:
    created = "2026-11-23T00:00:00Z"
    assert attachments.attach(
        remote, repository, subject, content, media_type=media_type, title="t", created=created, tag=tag
    )


def put_base(remote: TransferClient, packages: Sequence[str] = PACKAGES, lock: str = "a" * 64) -> Manifest:
    """Publish a root file system; return its manifest."""
    layer = gzip.compress(tar_of({"packages": "\n".join(packages).encode()}), mtime=0)
    image = RootfsImage(base_name=BASE, lock=lock, diff_id=digest_of(layer), packages=tuple(packages))
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", image.config()),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layer)],
    }
    manifest = to_manifest(document, MANIFEST)
    for tag in (image.content_tag, image.tag):
        remote.put_tag(BASE_REPOSITORY, tag, manifest, [image.config(), layer])
    return manifest


def all_tags(where: Registry, repositories: Sequence[str]) -> dict[str, str | None]:
    """Each tag of some repositories, with its digest; without the lock, which says who held it."""
    with TransferClient(where) as client:
        return {
            f"{repository}:{tag}": client.digest(repository, tag)
            for repository in repositories
            for tag in client.tags(repository)
            if tag != "lock"
        }


def all_content(where: Registry, repository: str, reference: str) -> set[str]:
    """The digests of a manifest, of what is attached to it, and of all their blobs, each of them read."""
    with TransferClient(where) as client:
        manifest = client.manifest(repository, reference)
        document = manifest.document
        blobs = {each["digest"] for each in (document["config"], *document["layers"])}
        for digest in blobs:
            client.read_blob(repository, digest)
        found = {manifest.digest, *blobs}
        attached = client.attachments(repository, manifest.digest)
    for digest in attached:
        found |= all_content(where, repository, digest)
    return found


def check_layout(folder: Path) -> dict[str, str]:
    """Check a folder against the OCI image layout; return its names with their digests."""
    assert json.loads((folder / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    files = {path.name: path.read_bytes() for path in (folder / "blobs/sha256").iterdir()}
    for name, content in files.items():
        assert hashlib.sha256(content).hexdigest() == name
    left = {path.name for path in folder.iterdir()} - {"oci-layout", "index.json", "blobs"}
    assert not left, left
    if not (folder / "index.json").exists():
        return {}
    names = {}
    for entry in json.loads((folder / "index.json").read_text())["manifests"]:
        assert len(files[entry["digest"].removeprefix("sha256:")]) == entry["size"]
        if name := entry.get("annotations", {}).get("org.opencontainers.image.ref.name"):
            assert name not in names
            names[name] = entry["digest"]
    return names
