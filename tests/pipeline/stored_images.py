"""Images that are written to a registry directly, without an engine: their layers are tars of a few files."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from build.publish import release as releases
from build.publish.release import Release, ReleasedImage
from build.registry import attachments
from build.registry.address import Registry
from build.registry.client import Client
from build.registry.manifests import INDEX, MANIFEST, Manifest, descriptor, digest_of, to_manifest
from build.verify import reports
from build.verify.reports import Package, Report
from tests.pipeline.registries import Layer, tar_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PYTHON = "opt/venv/lib/python3.13/site-packages"


@dataclass(frozen=True, kw_only=True)
class StoredImage:
    """An image to be written."""

    layers: Sequence[Layer]
    #: ``Env``, ``User``, ``Labels`` and so on.
    config: Mapping[str, Any] = field(default_factory=dict)
    #: Of its layers: ``gzip``, ``zstd``, or ``tar`` without any.
    compression: str = "zstd"
    architecture: str = "amd64"

    def compressed(self, layer: bytes) -> bytes:
        match self.compression:
            case "gzip":
                return gzip.compress(layer, mtime=0)
            case "zstd":
                return zstd.compress(layer)
        return layer

    def write(self, registry: Registry, repository: str, tag: str) -> Manifest:
        """Write it to a registry under a tag."""
        tars = [tar_of(files) for files in self.layers]
        blobs = [self.compressed(layer) for layer in tars]
        config = json.dumps(
            {
                "os": "linux",
                "architecture": self.architecture,
                "config": dict(self.config),
                "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in tars]},
                "history": [{"created_by": f"COPY layer-{number} /"} for number in range(len(tars))],
            }
        ).encode()
        suffix = "" if self.compression == "tar" else f"+{self.compression}"
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", config),
            "layers": [descriptor(f"application/vnd.oci.image.layer.v1.tar{suffix}", blob) for blob in blobs],
        }
        manifest = to_manifest(document, MANIFEST)
        with Client(registry) as client:
            client.put_tag(repository, tag, manifest, [config, *blobs])
        return manifest


def write_index(registry: Registry, repository: str, tag: str, images: Mapping[str, Manifest]) -> None:
    """Write an index of images that the registry has: architecture → image."""
    entries = [
        {
            "mediaType": image.media_type,
            "digest": image.digest,
            "size": len(image.content),
            "platform": {"os": "linux", "architecture": architecture},
        }
        for architecture, image in images.items()
    ]
    document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
    with Client(registry) as client:
        client.put_tag(repository, tag, to_manifest(document, INDEX))


def attach_report(
    registry: Registry, repository: str, image: Manifest, python: Mapping[str, str], debian: Mapping[str, str]
) -> None:
    """Attach a test report with packages, name → version."""
    report = Report(
        image="one",
        recipe="0" * 64,
        image_id=image.digest,
        suite="s",
        time="2026-11-26T10:00:00+00:00",
        checks=(),
        python_packages=_packages(python),
        debian_packages=_packages(debian),
    )
    with Client(registry) as client:
        attachments.attach(
            client,
            repository,
            image,
            report.content,
            media_type=reports.MEDIA_TYPE,
            title=reports.FILE_NAME,
            created=report.time,
        )


def write_release(registry: Registry, number: str, images: Mapping[str, Manifest]) -> None:
    """Record a release: image name → image in the repository ``azureml/<name>``."""
    release = Release(
        number=number,
        run="r",
        host="h",
        created="2026-11-26T10:00:00+00:00",
        commit=releases.Commit(),
        images=tuple(
            ReleasedImage(
                name=name,
                repository=f"azureml/{name}",
                digest=image.digest,
                recipe="0" * 64,
                commit=releases.Commit(),
            )
            for name, image in images.items()
        ),
        latest={},
    )
    manifest, content = releases.artifact(release)
    with Client(registry) as client:
        client.put_tag("azureml/releases", number, manifest, [b"{}", content])


def distribution(name: str, version: str) -> dict[str, bytes]:
    """The metadata of an installed Python distribution."""
    metadata = f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n\nVersion: not this one\n"
    return {f"{PYTHON}/{name}-{version}.dist-info/METADATA": metadata.encode()}


def debian(**packages: str) -> dict[str, bytes]:
    """dpkg's list of installed packages, and one that was removed."""
    paragraphs = [
        f"Package: {name}\nStatus: install ok installed\nVersion: {version}\nDescription: x\n more\n"
        for name, version in packages.items()
    ]
    gone = "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n"
    return {"var/lib/dpkg/status": "\n".join([*paragraphs, gone]).encode()}


def _packages(versions: Mapping[str, str]) -> tuple[Package, ...]:
    return tuple(Package(name=name, version=version) for name, version in versions.items())
