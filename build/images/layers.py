"""Group the packages of a lock into image layers.

One layer has the server and all that it needs; it is the same in every image with that Python.  Each heavy
distribution, and each that a version promises as its own, has a layer to itself.  CUDA's small distributions share one,
so that all images with the same CUDA pins have it in common; so do all other small ones.  Two images whose locks agree
on numpy name the same layer, so it is built, pushed, stored and pulled once.  Pure.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from packaging.utils import canonicalize_name

from build import requirements
from build.images import patches as patching
from build.locks.lock import Lock, LockedPackage
from build.matrix.model import Patch
from build.packages.cuda import is_cuda

#: A distribution whose file has this many bytes or more gets a layer to itself. For a smaller one, the cost of a layer
#: (a request at each push and pull, a start of the install stage) is more than what sharing it saves.
OWN_LAYER_BYTES = 4_000_000
#: The kinds of a layer: packages of the server, small CUDA packages, the small rest, the loader's links to CUDA's
#: libraries, and one package by itself. A layer of several packages is named by its kind and its content.
Kind = Literal["server", "cuda", "rest", "cuda-links", "package"]

_SEVERAL = re.compile(r"(server|cuda|rest|cuda-links)-[0-9a-f]{8}")
# How image/templates/image.Dockerfile.j2 copies a layer, as BuildKit writes it into an image's history.
_COPY = "COPY /layer /"

#: The stages that layers are installed in; both are build contexts of the images' Dockerfiles.
BUILDER = "builder"
COMPILER = "compiler"


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Packages that are installed together: one stage of a Dockerfile, one layer of an image."""

    #: The name of its stage and of its file, unique for its content on a base: ``numpy-2.4.6``, ``rest-1f2e3d4c``.
    name: str
    packages: tuple[LockedPackage, ...]
    #: Extra wheel sources that its packages come from, by name.
    wheel_sources: tuple[str, ...] = ()
    #: Edits of its packages, applied after the install.
    patches: tuple[Patch, ...] = ()

    @functools.cached_property
    def source_only(self) -> tuple[str, ...]:
        """Its packages that exist only as source: they are built."""
        return tuple(package.name for package in self.packages if package.source_only)

    @property
    def stage(self) -> str:
        """The stage that it is installed in: ``COMPILER`` if a package must be built, else ``BUILDER``."""
        return COMPILER if self.source_only else BUILDER

    @functools.cached_property
    def is_cuda(self) -> bool:
        """True if it has CUDA libraries: then the loader needs links to them."""
        return any(is_cuda(package.name) for package in self.packages)

    @property
    def text(self) -> str:
        """The requirements file that the stage installs, in pip's format."""
        header = "# Generated from locks/ by `nox -s generate`; do not edit.\n"
        built = "".join(f"--no-binary {name}\n" for name in self.source_only)
        return header + built + "".join(f"{package.requirement}\n" for package in self.packages)


def group(
    lock: Lock,
    server: Lock,
    *,
    own: Sequence[str] = (),
    order: Sequence[str] = (),
    wheel_sources: dict[str, str] | None = None,
    patches: Sequence[Patch] = (),
) -> tuple[Layer, ...]:
    """Group a lock's packages into layers, in the order in which an image stacks them.

    Args:
        lock: The image's lock.
        server: The lock of the server alone, of the same base.
        own: What the version itself promises (requirement texts). These come after the shared distributions, so that
            images have a longer run of layers in common.
        order: Distributions that come first among the heavy ones, those that most images share first.
        wheel_sources: Distribution name → extra wheel source.
        patches: The matrix's edits of distributions.

    Returns:
        The layer of the server; those of CUDA, which have gigabytes: in all images with the same pins they are on top
        of the same layers, so that an engine unpacks them once; the heavy distributions in their order; those that the
        version itself promises; the rest.
    """
    sources = wheel_sources or {}
    of_server = {package.name for package in server.packages}
    promised = {requirements.distribution_name(text) for text in own}
    server_packages = [package for package in lock.packages if package.name in of_server]
    of_cuda = [package for package in lock.packages if is_cuda(package.name)]
    others = [item for item in lock.packages if item.name not in of_server and not is_cuda(item.name)]
    heavy = [package for package in others if _is_heavy(package) or package.name in promised]
    rest = [package for package in others if not (_is_heavy(package) or package.name in promised)]
    layers = []
    if server_packages:
        layers.append(_many("server", server_packages, sources, patches))
    layers += [_one(package, sources, patches) for package in of_cuda if _is_heavy(package)]
    if small := [package for package in of_cuda if not _is_heavy(package)]:
        layers.append(_many("cuda", small, sources, patches))
    first: dict[str, int] = {canonicalize_name(name): position for position, name in enumerate(order)}
    for package in sorted(heavy, key=lambda item: (first.get(item.name, len(first)), item.name in promised, item.name)):
        layers.append(_one(package, sources, patches))
    if rest:
        layers.append(_many("rest", rest, sources, patches))
    return tuple(layers)


def links_name(layers: Sequence[Layer]) -> str | None:
    """The name of the stage that links CUDA's libraries for the loader, unique for the layers that it links to.

    Args:
        layers: All layers of an image.

    Returns:
        ``cuda-links-1f2e3d4c``; None where no layer has CUDA libraries.
    """
    text = "".join(layer.text for layer in layers if layer.is_cuda)
    return f"cuda-links-{hashlib.sha256(text.encode()).hexdigest()[:8]}" if text else None


def stacked(layers: Sequence[Layer]) -> list[tuple[str, tuple[LockedPackage, ...]]]:
    """The layers that a Dockerfile adds to its base image, lowest first: name and packages.

    Args:
        layers: All layers of an image. The links to CUDA's libraries come right after the last layer that has any.
    """
    names = [(layer.name, layer.packages) for layer in layers]
    links = links_name(layers)
    if links:
        last = max(number for number, layer in enumerate(layers) if layer.is_cuda)
        names.insert(last + 1, (links, ()))
    return names


def kind_of(name: str) -> Kind:
    """Tell the kind of a layer by its name.

    Args:
        name: The name that `group` or `links_name` gave it; names are also kept in test reports.
    """
    match = _SEVERAL.fullmatch(name)
    return cast(Kind, match[1]) if match else "package"


def is_package_layer(created_by: str) -> bool:
    """Tell whether a layer of an image has packages, by the command in the image's history that made it."""
    return _COPY in created_by


def _is_heavy(package: LockedPackage) -> bool:
    return package.size is None or package.size >= OWN_LAYER_BYTES


def _one(package: LockedPackage, sources: dict[str, str], patches: Sequence[Patch]) -> Layer:
    name = f"{package.name}-{package.version.replace('+', '-')}"
    edits = patching.of([package], patches)
    if edits:
        name += f"-patched-{patching.digest(edits)[:8]}"
    return _layer(name, [package], sources, edits)


def _many(label: str, packages: Sequence[LockedPackage], sources: dict[str, str], patches: Sequence[Patch]) -> Layer:
    """A layer of several packages, named by its content: another image may have another group of that label."""
    text = "".join(f"{package.requirement}\n" for package in packages)
    edits = patching.of(packages, patches)
    if edits:
        text += patching.digest(edits)
    return _layer(f"{label}-{hashlib.sha256(text.encode()).hexdigest()[:8]}", packages, sources, edits)


def _layer(name: str, packages: Sequence[LockedPackage], sources: dict[str, str], edits: tuple[Patch, ...]) -> Layer:
    used = sorted({sources[package.name] for package in packages if package.name in sources})
    return Layer(name=name, packages=tuple(packages), wheel_sources=tuple(used), patches=edits)
