"""The catalogue as data: a page an image, from the matrix, the locks and what the registry has.  Pure."""

from __future__ import annotations

import datetime
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from build.catalogue.changes import Change, Changes, compare, versions
from build.catalogue.record import RecordedImage
from build.catalogue.remote import Published, Stored
from build.images import dockerfiles as render
from build.images import environments, layers
from build.images.dockerfiles import LABEL, STAND_IN, Image
from build.matrix import lifecycle
from build.matrix.model import Lifecycle, Matrix
from build.variants.variant import Variant
from build.verify.reports import Package, Report

#: How the layers of packages come into an image (image/templates/image.Dockerfile.j2).
_PACKAGE_LAYER = "COPY /layer /"


@dataclass(frozen=True, kw_only=True)
class Promise:
    """A pin of the contract, and what is installed for it."""

    pin: str
    #: The installed version; None where the pin names it already, or nothing installed is known.
    installed: str | None


@dataclass(frozen=True, kw_only=True)
class PageLayer:
    """A layer of an image: published, or planned from the lock."""

    title: str
    #: ``base`` or ``packages``.
    kind: str
    #: In the registry; None where it is only planned.
    digest: str | None
    #: Bytes to pull; of a planned layer the bytes of its wheels, None where the index does not tell.
    size: int | None
    #: ``numpy 2.4.6``, each.
    packages: tuple[str, ...]
    #: The other images that have it.
    shared_with: tuple[str, ...]

    @property
    def anchor(self) -> str:
        """Its place on the page of all layers."""
        return re.sub(r"[^A-Za-z0-9]+", "-", (self.digest or self.title).removeprefix("sha256:"))[:24]


@dataclass(frozen=True, kw_only=True)
class Page:
    """All that the catalogue says of one image."""

    variant: Variant
    #: For people: ``scikit-learn 1.9``.
    title: str
    #: For people: ``CPU``, ``CUDA 13.0.3 with cuDNN 9.12.0.46``.
    device_title: str
    #: Where it stands in its lifecycle: ``ended``, ``ending``, ``deprecated``, ``announced``, ``supported``.
    stage: str
    #: The same for people, with dates.
    stage_text: str
    #: The version's own promises and the framework's; then those of the server.
    promises: tuple[Promise, ...]
    server_promises: tuple[Promise, ...]
    python_packages: tuple[Package, ...]
    debian_packages: tuple[Package, ...]
    #: Whether the packages were read in the published image; else they are the lock's.
    packages_are_read: bool
    layers: tuple[PageLayer, ...]
    published: Published | None
    #: What was recorded when a registry was last asked; for where none was asked now.
    recorded: RecordedImage | None
    #: What changed since the previous dated tag.
    changes: Changes | None
    #: What the next build changes against what is published, of Python packages.
    ahead: tuple[Change, ...]
    #: Whether the published image is of another recipe than this checkout gives.
    is_ahead: bool

    @property
    def name(self) -> str:
        return self.variant.name

    @property
    def environment(self) -> str:
        return f"{environments.PREFIX}{self.name}"

    @property
    def report(self) -> Report | None:
        return self.published.current.report if self.published else None

    @property
    def stand_in(self) -> str | None:
        """The base that the published image stands on instead of its own."""
        if self.published:
            return self.published.current.labels.get(STAND_IN)
        return self.recorded.stand_in if self.recorded else None

    @property
    def cuda_is_absent(self) -> bool:
        """Whether the published image lacks the CUDA that its name says: its stand-in base does not have it."""
        return self.published is not None and self.published.current.labels.get(f"{LABEL}.cuda") == "absent"

    @property
    def size(self) -> int | None:
        """Bytes to pull where nothing of it is there yet."""
        if self.published:
            return self.published.current.size
        return self.recorded.size if self.recorded else None

    @property
    def tag(self) -> str | None:
        """The immutable tag of the published state."""
        if self.published:
            return self.published.tag.tag if self.published.tag else None
        return self.recorded.tag if self.recorded else None

    @property
    def digest(self) -> str | None:
        if self.published:
            return self.published.current.digest
        return self.recorded.digest if self.recorded else None

    @property
    def pull_tag(self) -> str:
        """The tag to pull: ``latest``, or the dated one where the image takes no ``latest``."""
        latest = self.published.is_latest if self.published else self.recorded is None or self.recorded.is_latest
        return "latest" if latest or self.tag is None else self.tag


def pages(
    images: Sequence[Image],
    matrix: Matrix,
    published: Mapping[str, Published],
    *,
    today: datetime.date,
    recorded: Mapping[str, RecordedImage] | None = None,
    recipes: Mapping[str, str] | None = None,
) -> tuple[Page, ...]:
    """A page for each image, in the order of the matrix's frameworks, newer versions first.

    Args:
        images: All images of the matrix, with their locks.
        matrix: The matrix.
        published: Image name → what the registry has of it.
        today: The day on which lifecycles are judged (UTC).
        recorded: Image name → what was recorded of it, where no registry was asked now.
        recipes: Image name → the recipe that this checkout gives.
    """
    users: dict[str, list[str]] = defaultdict(list)
    for image in images:
        for key in _layer_keys(image, published.get(image.variant.name)):
            users[key].append(image.variant.name)
    frameworks = list(matrix.frameworks)

    def place(image: Image) -> tuple[bool, int]:
        return (image.variant.version is None, frameworks.index(image.variant.framework))

    by_name = sorted(images, key=lambda image: image.variant.name)
    by_version = sorted(by_name, key=lambda image: Version(image.variant.version or "0"), reverse=True)
    return tuple(
        _page(
            image,
            published.get(image.variant.name),
            users,
            today,
            (recorded or {}).get(image.variant.name),
            (recipes or {}).get(image.variant.name),
        )
        for image in sorted(by_version, key=place)
    )


def _page(
    image: Image,
    published: Published | None,
    users: Mapping[str, Sequence[str]],
    today: datetime.date,
    recorded: RecordedImage | None,
    recipe: str | None,
) -> Page:
    variant, lock = image.variant, image.lock.versions()
    report = published.current.report if published else None
    python = report.python_packages if report else ()
    installed = {package.name: package.version for package in python} or lock
    server = set(variant.server_contract)
    return Page(
        variant=variant,
        title=render.title(variant),
        device_title=render.device_title(variant),
        stage=stage(variant.lifecycle, today),
        stage_text=lifecycle.status(variant.lifecycle, today) or "no end is named",
        promises=promises([pin for pin in (*variant.own_contract, *variant.contract) if pin not in server], installed),
        server_promises=promises(variant.server_contract, installed),
        python_packages=python or tuple(Package(name=name, version=version) for name, version in lock.items()),
        debian_packages=report.debian_packages if report else (),
        packages_are_read=bool(python),
        layers=_stored_layers(variant.name, published.current, users) if published else _planned_layers(image, users),
        published=published,
        recorded=None if published else recorded,
        changes=compare(published.previous, published.current) if published and published.previous else None,
        ahead=versions(installed, lock) if python else (),
        # A stand-in's recipe is never the one of its own base.
        is_ahead=published is not None
        and recipe is not None
        and STAND_IN not in published.current.labels
        and published.current.labels.get(f"{LABEL}.recipe") != recipe,
    )


def stage(life: Lifecycle, today: datetime.date) -> str:
    """Where something stands in its lifecycle, in one word.

    Args:
        life: Its dates (UTC).
        today: The day (UTC).

    Returns:
        ``ended``, ``ending`` (within the warning's days), ``deprecated``, ``announced`` or ``supported``.
    """
    if lifecycle.has_ended(life, today):
        return "ended"
    if lifecycle.warning(life, today):
        return "ending"
    if life.deprecated and life.deprecated <= today:
        return "deprecated"
    if life.released and life.released > today:
        return "announced"
    return "supported"


def promises(pins: Sequence[str], installed: Mapping[str, str]) -> tuple[Promise, ...]:
    """Pins with what is installed for them, each once.

    Args:
        pins: Requirement texts.
        installed: Normalised name → version.
    """
    found = []
    for pin in dict.fromkeys(pins):
        requirement = Requirement(pin)
        version = installed.get(canonicalize_name(requirement.name))
        exact = any(item.operator in ("==", "===") and "*" not in item.version for item in requirement.specifier)
        found.append(Promise(pin=pin, installed=None if exact else version))
    return tuple(found)


def _layer_keys(image: Image, published: Published | None) -> set[str]:
    if published:
        return {layer.digest for layer in published.current.layers}
    return {_planned_key(image, name) for name, _ in layers.stacked(image.layers)}


def _planned_key(image: Image, layer: str) -> str:
    return f"{image.variant.base_name}/{layer}"


def _planned_layers(image: Image, users: Mapping[str, Sequence[str]]) -> tuple[PageLayer, ...]:
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


def _stored_layers(name: str, stored: Stored, users: Mapping[str, Sequence[str]]) -> tuple[PageLayer, ...]:
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
