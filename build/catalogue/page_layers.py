"""The layers on the page of an image: published, or planned from its lock.  Pure."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from build.catalogue.page import Page, PageLayer
from build.images import layers
from build.images.image import Image

if TYPE_CHECKING:
    from build.catalogue.remote import Published, Stored
    from build.verify.reports import Report


def layer_keys(image: Image, published: Published | None) -> set[str]:
    """Name the layers of an image so that equal layers of other images have the same name.

    Args:
        image: The image.
        published: Its published state; None for planned layers.
    """
    if published:
        return {layer.digest for layer in published.current.layers}
    return {_planned_key(image, name) for name, _ in layers.stacked(image.layers)}


def _planned_key(image: Image, layer: str) -> str:
    return f"{image.variant.base_name}/{layer}"


def planned_layers(image: Image, users: Mapping[str, Sequence[str]]) -> tuple[PageLayer, ...]:
    """List the layers of packages that the lock of an image gives.

    Args:
        image: The image.
        users: The name of a layer (`layer_keys`) → the images that have it.
    """
    planned = []
    for name, packages in layers.stacked(image.layers):
        names = tuple(_with_version(package.name, package.version) for package in packages)
        sizes = [package.size for package in packages]
        planned.append(
            PageLayer(
                title=_layer_title(name, names),
                kind="packages",
                digest=None,
                size=None if None in sizes else sum(size for size in sizes if size is not None),
                packages=names,
                image=image.variant.name,
                images=users[_planned_key(image, name)],
            )
        )
    return tuple(planned)


@functools.cache
def _with_version(name: str, version: str) -> str:
    """Return ``numpy 2.4.6``; the pages of thousands of images share the text."""
    return f"{name} {version}"


def stored_layers(name: str, stored: Stored, users: Mapping[str, Sequence[str]]) -> tuple[PageLayer, ...]:
    """List the layers of a published image, from the bottom up.

    Args:
        name: The image name.
        stored: The published state.
        users: Digest → the images that have the layer.
    """
    titles = layer_titles([layer.created_by for layer in stored.layers], stored.report)
    shown = []
    for layer, (title, packages) in zip(stored.layers, titles, strict=True):
        shown.append(
            PageLayer(
                title=title,
                kind="packages" if layers.is_package_layer(layer.created_by) else "base",
                digest=layer.digest,
                size=layer.size,
                packages=packages,
                image=name,
                images=users[layer.digest],
            )
        )
    return tuple(shown)


def layer_titles(commands: Sequence[str], report: Report | None) -> list[tuple[str, tuple[str, ...]]]:
    """Say what each layer of a published image is: a title, and its packages if they are known.

    Args:
        commands: The command that made each layer, from the bottom up.
        report: The image's test report; None if it has none.
    """
    named = report.layers if report else ()
    of_packages = [number for number, created_by in enumerate(commands) if layers.is_package_layer(created_by)]
    # The report lists the layers of packages in order: they can be matched only where the numbers agree.
    known = dict(zip(of_packages, named, strict=True)) if len(of_packages) == len(named) else {}
    titles = []
    for number, created_by in enumerate(commands):
        packages = tuple(text.replace("==", " ", 1) for text in known[number].packages) if number in known else ()
        if number in known:
            title = _layer_title(known[number].name, packages)
        else:
            title = "packages" if number in of_packages else command(created_by)
        titles.append((title, packages))
    return titles


def _layer_title(name: str, packages: Sequence[str]) -> str:
    kind = layers.kind_of(name)
    if kind == "cuda-links":
        return "links to CUDA's libraries for the loader"
    if kind == "server":
        return f"scoring server, {len(packages)} packages"
    if len(packages) == 1:
        return packages[0]
    if kind == "rest":
        return f"{len(packages)} further packages"
    return f"{name}, {len(packages)} packages"


def command(created_by: str) -> str:
    """Shorten the command that made a layer.

    ``RUN /bin/sh -c /scripts/setup-base # buildkit`` becomes ``RUN /scripts/setup-base``.
    """
    text = re.sub(r"\s*# buildkit$", "", created_by)
    text = re.sub(r"^/bin/sh -c (#\(nop\) *)?", "RUN " if "#(nop)" not in text else "", text)
    text = " ".join(text.replace("RUN /bin/sh -c ", "RUN ").split())
    return (text if len(text) <= 70 else f"{text[:69]}…") or "base"


def unique_bytes(all_pages: Sequence[Page]) -> int:
    """Add up the bytes of all published layers, each counted once."""
    return sum({layer.digest: layer.size or 0 for page in all_pages for layer in page.layers if layer.digest}.values())


def shared_layers(all_pages: Sequence[Page]) -> list[tuple[PageLayer, tuple[str, ...]]]:
    """List all published layers with the images that have them, the most shared first, then the biggest."""
    by_digest: dict[str, PageLayer] = {}
    users: dict[str, list[str]] = defaultdict(list)
    for page in all_pages:
        for layer in page.layers:
            if layer.digest and page.name not in users[layer.digest]:
                by_digest.setdefault(layer.digest, layer)
                users[layer.digest].append(page.name)
    order = sorted(by_digest, key=lambda digest: (-len(users[digest]), -(by_digest[digest].size or 0)))
    return [(by_digest[digest], tuple(sorted(users[digest]))) for digest in order]
