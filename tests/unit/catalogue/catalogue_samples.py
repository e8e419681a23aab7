"""Published images as a registry has them, made without one."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence

from build.catalogue.remote import DatedTag, Published, Stored, StoredLayer
from build.images.image import Image
from build.images.layers import stacked
from build.verify.reports import Check, Package, PackageLayer, Report
from tests.unit.fixture_project import PROJECT

TODAY = datetime.date(2026, 11, 25)
IMAGES = PROJECT.images(PROJECT.variants)


def image(name: str) -> Image:
    """An image of the matrix."""
    return next(each for each in IMAGES if each.variant.name == name)


def digest(text: str) -> str:
    """A digest of its own for each text."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def report(of: Image, versions: dict[str, str] | None = None, licence: str | None = "MIT") -> Report:
    """The report that `verify` writes about an image."""
    installed = of.lock.versions() | (versions or {})
    return Report(
        image=of.variant.name,
        recipe="a" * 64,
        image_id=digest(of.variant.name),
        suite="b" * 64,
        time="2026-11-25T09:41:00+00:00",
        groups={"packages": "Versions."},
        checks=(
            Check(group="packages", test="test_python", outcome="passed", says="Python is the promised one."),
            Check(group="packages", test="test_label (title)", outcome="passed"),
            Check(group="packages", test="test_label (vendor)", outcome="passed"),
            Check(group="cuda", test="test_cudnn", outcome="skipped", reason="a CPU image"),
        ),
        python_packages=tuple(
            Package(name=name, version=version, licence=licence, licence_source="License")
            for name, version in installed.items()
        ),
        debian_packages=(Package(name="libc6", version="2.36"), Package(name="bash", version="5.2", licence="GPL-3+")),
        layers=tuple(
            PackageLayer(name=name, packages=tuple(f"{each.name}=={each.version}" for each in packages))
            for name, packages in stacked(of.layers)
        ),
    )


def stored(
    of: Image,
    *,
    labels: dict[str, str] | None = None,
    environment: Sequence[str] = ("LANG=C.UTF-8",),
    its: Report | None = None,
    name: str = "",
) -> Stored:
    """A published state of an image; its layers are named by their content, as real ones are."""
    base = of.variant.base_name
    packages = [
        StoredLayer(digest=digest(base + layer), size=10_000_000, created_by="COPY /layer / # buildkit")
        for layer, _ in stacked(of.layers)
    ]
    return Stored(
        digest=digest(name or of.variant.name),
        layers=(
            StoredLayer(digest=digest(base), size=38_700_000, created_by="ADD rootfs.tar / # buildkit"),
            StoredLayer(
                digest=digest(f"{base} setup"),
                size=44_000,
                created_by="RUN /bin/sh -c /scripts/setup-base # buildkit",
            ),
            *packages,
        ),
        config_size=5_000,
        config={"Env": list(environment), "User": "1000", "Labels": labels or {}},
        report=its,
    )


def published(current: Stored, previous: Stored | None = None, *, latest: bool = True, suffix: str = "") -> Published:
    """An image with one tag, or two."""
    history = [DatedTag(tag=f"20261125.v1{suffix}", digest=current.digest)]
    if previous:
        history.append(DatedTag(tag=f"20261120.v1{suffix}", digest=previous.digest))
    return Published(
        current=current,
        is_latest=latest,
        history=tuple(history),
        tags=len(history),
        previous=previous,
        previous_tag=history[1].tag if previous else None,
    )
