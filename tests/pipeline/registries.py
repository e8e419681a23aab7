"""Registries in containers of their own, small images, and publishing with defaults, for the tests of publishing."""

from __future__ import annotations

import base64
import contextlib
import datetime
import gzip
import hashlib
import io
import json
import os
import re
import socket
import tarfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from docker import DockerClient
from docker.models.containers import Container

from build.publish import publish as publishing
from build.publish.origin import Origin
from build.publish.publication import Publication, Published
from build.publish.push import Progress
from build.publish.release import Commit
from build.publish.targets import Rules
from build.registry.address import Registry
from build.registry.client import Client
from tests.conftest import ROOT

MONDAY = datetime.date(2026, 11, 23)
TUESDAY = datetime.date(2026, 11, 24)

BLOBS = "/var/lib/registry/docker/registry/v2/blobs"
REPOSITORIES = "/var/lib/registry/docker/registry/v2/repositories"

#: bcrypt, which is what CNCF Distribution takes, of the word "secret".
HTPASSWD = "tester:$2y$04$6WZGkBuVbFYw4CTGmoGdkOe5XAoD5CeIml7zAK.aCMeQPQDH8Zgum"

Layer = Mapping[str, bytes]


def an_origin(run: str = "test", commit: str = "", when: int = 0, *, root: Path = ROOT, clone: str = "") -> Origin:
    return Origin(run=run, host="here", commit=Commit(hash=commit, time=when), root=root, clone=clone)


def publish(
    items: Sequence[Publication],
    registry: Registry,
    client: DockerClient,
    today: datetime.date,
    *,
    origin: Origin | None = None,
    rules: Rules | None = None,
    progress: Progress | None = None,
    ends: Mapping[str, datetime.date] | None = None,
) -> list[Published]:
    return publishing.publish(
        items, registry, client, today, origin=origin or an_origin(), rules=rules, progress=progress, ends=ends
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_answers(port: int) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as probe:
            probe.sendall(b"GET /v2/ HTTP/1.0\r\n\r\n")
            if probe.recv(16).startswith(b"HTTP/1."):
                return
        time.sleep(0.1)
    raise AssertionError(f"no registry at 127.0.0.1:{port}")


@dataclass(frozen=True)
class Running:
    """A registry in a container of its own; the tests read its storage and log too."""

    registry: Registry
    container: Container
    port: int

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which commands use it."""
        return {"REGISTRY": f"127.0.0.1:{self.port}"}

    def run(self, command: str) -> str:
        code, output = self.container.exec_run(["sh", "-euc", command], user="0", stream=False)
        assert code == 0, output
        assert isinstance(output, bytes)
        return output.decode()

    def stored_blobs(self) -> int:
        """Bytes of all blobs and manifests, without those of the records and the lock."""
        lines = self.run(f"find {BLOBS} -name data -printf '%h %s\\n'").splitlines()
        sizes = {line.split()[0].rpartition("/")[2]: int(line.split()[1]) for line in lines}
        found = self.run(f"find {REPOSITORIES} -path '*/releases/_*/sha256/*' -name link -printf '%h\\n'")
        for folder in found.splitlines():
            sizes.pop(folder.rpartition("/")[2], None)
        return sum(sizes.values())

    def uploads(self) -> int:
        """The number of images' blobs that were sent to it; mounted ones are not counted."""
        log = self.container.logs().decode()
        return len(re.findall(r'"PUT /v2/(?!\S+/releases/)\S+/blobs/uploads/\S+ HTTP/1.1" 201', log))

    def tag(self, repository: str, tag: str) -> str | None:
        with Client(self.registry) as client:
            return client.digest(repository, tag)

    def tags(self, repository: str) -> list[str]:
        with Client(self.registry) as client:
            return sorted(client.tags(repository))

    def manifest_size(self, repository: str, digest: str) -> int:
        with Client(self.registry) as client:
            return len(client.manifest(repository, digest).content)

    def forbid_writing(self, path: str) -> None:
        """Make each write of the registry below ``path`` (under its repositories) fail."""
        self.run(f"mkdir -p {REPOSITORIES}/{path}; chown -R 0:0 {REPOSITORIES}/{path}")

    def allow_writing(self, path: str) -> None:
        self.run(f"chown -R 1000:1000 {REPOSITORIES}/{path}")

    def restart(self) -> None:
        self.container.start()
        wait_until_answers(self.port)


@contextlib.contextmanager
def running(
    client: DockerClient, image: str, files: Mapping[str, bytes] | None = None, **options: Any
) -> Iterator[Running]:
    port = free_port()
    if client.networks.list(names=["bridge"]):
        options["ports"] = {"5000/tcp": ("127.0.0.1", port)}
    else:  # an engine next to another one has no published ports
        options["network_mode"] = "host"
        options["environment"] = {"REGISTRY_HTTP_ADDR": f"127.0.0.1:{port}"} | options.get("environment", {})
    container = client.containers.create(image, name=f"test-registry-{uuid.uuid4().hex[:8]}", **options)
    try:
        if files:
            container.put_archive("/", tar_of(files))
        container.start()
        wait_until_answers(port)
        yield Running(Registry(host=f"127.0.0.1:{port}", insecure=True), container, port)
    finally:
        container.remove(force=True, v=True)


def log_in(monkeypatch: pytest.MonkeyPatch, folder: Path, host: str, login: str | None) -> None:
    """Write the file that ``docker login`` writes."""
    auths = {host: {"auth": base64.b64encode(login.encode()).decode()}} if login else {}
    (folder / "config.json").write_text(json.dumps({"auths": auths}), encoding="utf-8")
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))


Load = Callable[[str, Sequence[Layer]], Publication]


def archive_of(layers: Sequence[Layer], tag: str, recipe: str, labels: Mapping[str, str] | None = None) -> bytes:
    """An image of given layers and of a recipe as ``docker load`` reads it."""
    blobs: dict[str, bytes] = {}
    diff_ids, descriptors = [], []
    for files in layers:
        layer = tar_of(files)
        # Compressed, as layers are. Big layers take seconds and are random anyway: they are only stored.
        compressed = gzip.compress(layer, compresslevel=1 if len(layer) < 10_000_000 else 0, mtime=0)
        diff_ids.append(digest_of(layer))
        descriptors.append({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"} | add(blobs, compressed))
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Labels": {"name": tag.partition(":")[0], "inference-images.recipe": recipe, **(labels or {})}},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }
    config_descriptor = {"mediaType": "application/vnd.oci.image.config.v1+json"} | add(blobs, as_json(config))
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config_descriptor,
        "layers": descriptors,
    }
    index = {
        "schemaVersion": 2,
        "manifests": [
            {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "annotations": {
                    "io.containerd.image.name": f"docker.io/{tag}",
                    "org.opencontainers.image.ref.name": tag.partition(":")[2],
                },
            }
            | add(blobs, as_json(manifest))
        ],
    }
    members = {f"blobs/sha256/{digest.partition(':')[2]}": content for digest, content in blobs.items()}
    members["oci-layout"] = as_json({"imageLayoutVersion": "1.0.0"})
    members["index.json"] = as_json(index)
    # For engines with the classic store.
    members["manifest.json"] = as_json(
        [
            {
                "Config": f"blobs/sha256/{str(config_descriptor['digest']).partition(':')[2]}",
                "RepoTags": [tag],
                "Layers": [f"blobs/sha256/{str(each['digest']).partition(':')[2]}" for each in descriptors],
            }
        ]
    )
    return tar_of(members)


def tar_of(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def add(blobs: dict[str, bytes], content: bytes) -> dict[str, Any]:
    digest = digest_of(content)
    blobs[digest] = content
    return {"digest": digest, "size": len(content)}


def names_in(client: DockerClient) -> list[str]:
    # Not images.list(): it inspects each image, and other tests may remove theirs in the meantime.
    return [name for image in client.api.images() for name in image.get("RepoTags") or []]


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def as_json(document: object) -> bytes:
    return json.dumps(document).encode()


def random_layer(size: int) -> Layer:
    """A layer that no other test had and that does not compress."""
    return {"random": os.urandom(size)}


def by_name(results: Sequence[Published]) -> dict[str, Published]:
    return {result.name: result for result in results}
