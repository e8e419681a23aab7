"""The layers of an image on its page: published, or planned from the lock.  Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from build.catalogue.page import Page, PageLayer
from build.catalogue.remote import Published, Stored
from build.images import layers
from build.images.dockerfiles import Image

#: How the layers of packages come into an image (image/templates/image.Dockerfile.j2).
_PACKAGE_LAYER = "COPY /layer /"


def layer_keys(image: Image, published: Published | None) -> set[str]:
    if published:
        return {layer.digest for layer in published.current.layers}
    return {_planned_key(image, name) for name, _ in layers.stacked(image.layers)}


def _planned_key(image: Image, layer: str) -> str:
    return f"{image.variant.base_name}/{layer}"


def planned_layers(image: Image, users: Mapping[str, Sequence[str]]) -> tuple[PageLayer, ...]:
    found = []
    for name, packages in layers.stacked(image.layers):
        names = tuple(f"{package.name} {package.version}" for package in packages)
        sizes = [package.size for package in packages]
        others = [other for other in users[_planned_key(image, name)] if other != image.variant.name]
        found.append(
            PageLayer(
                title=_layer_title(name, names),
                kind="packages",
                digest=None,
                size=None if None in sizes else sum(size for size in sizes if size is not None),
                packages=names,
                shared_with=tuple(others),
            )
        )
    return tuple(found)


def stored_layers(name: str, stored: Stored, users: Mapping[str, Sequence[str]]) -> tuple[PageLayer, ...]:
    named = stored.report.layers if stored.report else ()
    of_packages = [number for number, layer in enumerate(stored.layers) if _PACKAGE_LAYER in layer.created_by]
    # Which layer has which packages is known by their order: only where their number agrees.
    known = dict(zip(of_packages, named, strict=True)) if len(of_packages) == len(named) else {}
    found = []
    for number, layer in enumerate(stored.layers):
        packages = tuple(text.replace("==", " ", 1) for text in known[number].packages) if number in known else ()
        if number in known:
            title = _layer_title(known[number].name, packages)
        else:
            title = "packages" if number in of_packages else command(layer.created_by)
        found.append(
            PageLayer(
                title=title,
                kind="packages" if number in of_packages else "base",
                digest=layer.digest,
                size=layer.size,
                packages=packages,
                shared_with=tuple(other for other in users[layer.digest] if other != name),
            )
        )
    return tuple(found)


def _layer_title(name: str, packages: Sequence[str]) -> str:
    if not packages:
        return "links to CUDA's libraries for the loader"
    if name.startswith("server-"):
        return f"scoring server, {len(packages)} packages"
    if len(packages) == 1:
        return packages[0]
    if name.startswith("rest-"):
        return f"{len(packages)} further packages"
    return f"{name}, {len(packages)} packages"


def command(created_by: str) -> str:
    """What made a layer, shortly: ``RUN /bin/sh -c /scripts/setup-base # buildkit`` → ``RUN /scripts/setup-base``."""
    text = re.sub(r"\s*# buildkit$", "", created_by)
    text = re.sub(r"^/bin/sh -c (#\(nop\) *)?", "RUN " if "#(nop)" not in text else "", text)
    text = " ".join(text.replace("RUN /bin/sh -c ", "RUN ").split())
    return (text if len(text) <= 70 else f"{text[:69]}…") or "base"


def unique_bytes(all_pages: Sequence[Page]) -> int:
    """Bytes of all published layers, each counted once: what the registry stores and one machine pulls for all."""
    return sum({layer.digest: layer.size or 0 for page in all_pages for layer in page.layers if layer.digest}.values())


def shared_layers(all_pages: Sequence[Page]) -> list[tuple[PageLayer, tuple[str, ...]]]:
    """All published layers with the images that have them, the most shared first, then the biggest."""
    layers: dict[str, PageLayer] = {}
    users: dict[str, list[str]] = defaultdict(list)
    for page in all_pages:
        for layer in page.layers:
            if layer.digest and page.name not in users[layer.digest]:
                layers.setdefault(layer.digest, layer)
                users[layer.digest].append(page.name)
    order = sorted(layers, key=lambda digest: (-len(users[digest]), -(layers[digest].size or 0)))
    return [(layers[digest], tuple(sorted(users[digest]))) for digest in order]
