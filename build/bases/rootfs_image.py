"""A root file system as an image with one layer: so engines and registries keep it, and other clones take it from them.

Its tag names the lock that it was made for, so that there is one for each lock.  Pure, but for the archives.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from build.bases import rootfs
from build.bases.local import LocalBase
from build.images.labels import LABEL
from build.images.recipe import Recipe
from build.locks import debian
from build.matrix.origins import Bootstrapped
from build.platforms import LINUX_AMD64, Platform
from build.registry.manifests import MANIFEST, descriptor, digest_of

#: The version of what the hash in a tag covers.
_FORMAT = 1
_BASE_LABEL = f"{LABEL}.base"
_LOCK_LABEL = f"{LABEL}.lock"
_DEBIAN_LABEL = f"{LABEL}.debian"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_GZIP = b"\x1f\x8b"
#: The time in the configuration: the same root file system is always the same image.
_CREATED = "1980-01-01T00:00:00Z"
#: zlib's level: 1 takes 3 s for 120 MB, 6 takes 8 s and saves a tenth of the bytes.
_LEVEL = 1
_CHUNK = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class RootfsImage:
    """What the image of a root file system says of itself."""

    base_name: str
    #: The lock that it was made for: ``lock_of``.
    lock: str
    #: SHA-256 of the root file system, a tar, as ``sha256:…``.
    diff_id: str
    #: The Debian packages in it, ``name=version``, sorted.
    packages: tuple[str, ...]

    @property
    def tag(self) -> str:
        """``lock-`` and the whole hash."""
        return f"lock-{self.lock}"

    @property
    def content_tag(self) -> str:
        """The tag of its content, and of the lock that it was made for: ``rootfs-1f2e3d4c5b6a7988``."""
        return f"rootfs-{digest_of(self.config()).removeprefix('sha256:')[:16]}"

    def config(self, platform: Platform = LINUX_AMD64) -> bytes:
        """The configuration of the image (OCI image specification, "Image Configuration")."""
        system, _, architecture = platform.oci.partition("/")
        labels = {
            _BASE_LABEL: self.base_name,
            _LOCK_LABEL: self.lock,
            _DEBIAN_LABEL: " ".join(self.packages),
        }
        document = {
            "architecture": architecture,
            "config": {"Labels": labels},
            "created": _CREATED,
            "history": [{"created": _CREATED, "created_by": "mmdebstrap"}],
            "os": system,
            "rootfs": {"diff_ids": [self.diff_id], "type": "layers"},
        }
        return _json(document)


def repository_of(namespace: str, base_name: str) -> str:
    """The repository of a base, as the matrix names repositories: ``azureml/base-debian12-py311``."""
    return f"{namespace}/base-{base_name}"


def lock_of(local: LocalBase, origin: Bootstrapped) -> str | None:
    """The lock of a root file system: the hash of everything committed that it is made from.

    Returns:
        SHA-256, hexadecimal, of the arguments of mmdebstrap and of what is recorded; None if nothing is recorded.

    Raises:
        LockError: The file with the packages is damaged.
    """
    packages = debian.recorded(local.paths, local.name)
    if packages is None:
        return None
    arguments = rootfs.arguments(origin)
    made_from = {
        "format": _FORMAT,
        "platform": LINUX_AMD64.oci,
        "bootstrap": arguments,
        "debian": sorted(packages),
        "rootfs": debian.recorded_rootfs(local.paths, local.name, arguments),
    }
    return Recipe(inputs=made_from).digest


def from_config(document: Any) -> RootfsImage | None:
    """Read the configuration of an image; None if it is not that of a root file system."""
    try:
        labels: Mapping[str, Any] = document["config"]["Labels"]
        (diff_id,) = document["rootfs"]["diff_ids"]
        found = RootfsImage(
            base_name=str(labels[_BASE_LABEL]),
            lock=str(labels[_LOCK_LABEL]),
            diff_id=str(diff_id),
            packages=tuple(str(labels[_DEBIAN_LABEL]).split()),
        )
    except (KeyError, TypeError, ValueError):
        return None
    is_valid = debian.are_packages(found.packages) and list(found.packages) == sorted(set(found.packages))
    return found if found.packages and is_valid else None


def diff_id_of(tar: Path) -> str:
    """SHA-256 of a root file system, as ``sha256:…``."""
    return _digest_of_file(tar)


def _digest_of_file(file: Path) -> str:
    with file.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def has_other_content(local: LocalBase, origin: Bootstrapped, packages: Sequence[str], diff_id: str) -> bool:
    """Tell whether a root file system has the recorded packages, but not the recorded content.

    Args:
        local: The base.
        origin: What it is made from.
        packages: The packages in it, ``name=version``, sorted.
        diff_id: Its digest.

    Raises:
        LockError: The lock is damaged.
    """
    recorded = debian.recorded_rootfs(local.paths, local.name, rootfs.arguments(origin))
    return recorded not in (None, diff_id) and tuple(packages) == debian.recorded(local.paths, local.name)


def write_archive(image: RootfsImage, tar: Path, reference: str, target: Path) -> None:
    """Write an image as an archive for ``docker load`` (OCI image layout, and Docker's own list of images).

    Args:
        image: The image.
        tar: The root file system.
        reference: The name that the image gets in the engine.
        target: The archive.
    """
    layer_file = target.with_suffix(".layer")
    try:
        with (
            tar.open("rb") as source,
            layer_file.open("wb") as stream,
            gzip.GzipFile(filename="", fileobj=stream, mode="wb", compresslevel=_LEVEL, mtime=0) as packed,
        ):
            shutil.copyfileobj(source, packed, _CHUNK)
        config = image.config()
        packed_digest = _digest_of_file(layer_file)
        layer = {"mediaType": _LAYER, "digest": packed_digest, "size": layer_file.stat().st_size}
        manifest = _json(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": descriptor(_CONFIG, config),
                "layers": [layer],
            }
        )
        named = {"io.containerd.image.name": _full_name(reference), "org.opencontainers.image.ref.name": image.tag}
        index = {"schemaVersion": 2, "manifests": [descriptor(MANIFEST, manifest) | {"annotations": named}]}
        listed = [{"Config": _blob(digest_of(config)), "RepoTags": [reference], "Layers": [_blob(packed_digest)]}]
        with tarfile.open(target, "w") as archive:
            for content in (config, manifest):
                _add(archive, _blob(digest_of(content)), content)
            archive.add(layer_file, _blob(packed_digest))
            _add(archive, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
            _add(archive, "index.json", _json(index))
            _add(archive, "manifest.json", _json(listed))
    finally:
        layer_file.unlink(missing_ok=True)


def read_layer(archive: Path, target: Path) -> None:
    """Unpack the layer of an archive of ``docker save``.

    Args:
        archive: The archive of one image.
        target: Where the root file system is written.

    Raises:
        ValueError: The archive is not that of an image with one layer, or the layer is compressed in another way.
    """
    try:
        with tarfile.open(archive) as saved:
            (entry,) = json.loads(_member(saved, "manifest.json").read())
            (name,) = entry["Layers"]
            with _member(saved, name) as layer, target.open("wb") as stream:
                start = layer.read(len(_GZIP))
                layer.seek(0)
                if start == _GZIP:
                    with gzip.GzipFile(fileobj=layer) as unpacked:
                        shutil.copyfileobj(unpacked, stream, _CHUNK)
                else:
                    shutil.copyfileobj(layer, stream, _CHUNK)
    except (KeyError, TypeError, EOFError, tarfile.TarError, gzip.BadGzipFile, zlib.error) as failure:
        raise ValueError(f"not the archive of a root file system: {failure}") from failure


def _full_name(reference: str) -> str:
    """Return a name as containerd writes it, which adds the host that Docker takes for granted."""
    first, slash, _ = reference.partition("/")
    has_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    return reference if has_host else f"docker.io/{reference}"


def _member(archive: tarfile.TarFile, name: str) -> Any:
    member = archive.extractfile(name)
    if member is None:
        raise ValueError(f"{name} is not a file")
    return member


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _json(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
