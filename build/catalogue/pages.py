"""The pages of all images, from the matrix, the locks and the content of the registry.  Pure."""

from __future__ import annotations

import datetime
import functools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from packaging.version import Version

from build.catalogue.changes import compare, versions
from build.catalogue.page import Page, Promise
from build.catalogue.page_layers import layer_keys, planned_layers, stored_layers
from build.catalogue.record import RecordedImage
from build.images.image import Image
from build.images.labels import LABEL, STAND_IN
from build.images.titles import device_title, title
from build.matrix import lifecycle
from build.matrix.model import Matrix
from build.matrix.upkeep import Lifecycle
from build.requirements import distribution_name, parse
from build.verify.reports import Package

if TYPE_CHECKING:
    from build.catalogue.remote import Published


def pages(
    images: Sequence[Image],
    matrix: Matrix,
    published: Mapping[str, Published],
    *,
    today: datetime.date,
    recorded: Mapping[str, RecordedImage] | None = None,
    recipes: Mapping[str, str] | None = None,
) -> tuple[Page, ...]:
    """Make a page for each image, in the order of the matrix's frameworks, newer versions first.

    Args:
        images: All images of the matrix, with their locks.
        matrix: The matrix.
        published: Image name → what the registry has of it.
        today: The day for which lifecycles are shown (UTC).
        recorded: Image name → its earlier record, where no registry was asked.
        recipes: Image name → the digest of the recipe that this checkout gives.
    """
    users: dict[str, list[str]] = defaultdict(list)
    for image in images:
        for key in layer_keys(image, published.get(image.variant.name)):
            users[key].append(image.variant.name)
    frameworks = list(matrix.frameworks)

    def position(image: Image) -> tuple[bool, int]:
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
        for image in sorted(by_version, key=position)
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
        title=title(variant),
        device_title=device_title(variant),
        stage=stage(variant.lifecycle, today),
        stage_text=lifecycle.status(variant.lifecycle, today) or "no end date",
        promises=promises([pin for pin in (*variant.own_contract, *variant.contract) if pin not in server], installed),
        server_promises=promises(variant.server_contract, installed),
        python_packages=python or tuple(_locked(name, version) for name, version in lock.items()),
        debian_packages=report.debian_packages if report else (),
        packages_are_read=bool(python),
        layers=stored_layers(variant.name, published.current, users) if published else planned_layers(image, users),
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


@functools.cache
def _locked(name: str, version: str) -> Package:
    return Package(name=name, version=version)


def stage(life: Lifecycle, today: datetime.date) -> str:
    """Give the stage of a lifecycle in one word.

    Args:
        life: The dates (UTC).
        today: The day (UTC).

    Returns:
        ``ended``, ``ending`` (within the warning's days), ``deprecated``, ``announced``, ``lts`` or ``supported``.
    """
    if lifecycle.has_ended(life, today):
        return "ended"
    if lifecycle.warning(life, today):
        return "ending"
    if life.deprecated and life.deprecated <= today:
        return "deprecated"
    if life.released and life.released > today:
        return "announced"
    return "lts" if lifecycle.phase(life, today) == "LTS" else "supported"


def promises(pins: Sequence[str], installed: Mapping[str, str]) -> tuple[Promise, ...]:
    """Pair pins with the versions installed for them, each pin once.

    Args:
        pins: Requirement texts.
        installed: Normalised name → version.
    """
    found = []
    for pin in dict.fromkeys(pins):
        version = installed.get(distribution_name(pin))
        exact = any(item.operator in ("==", "===") and "*" not in item.version for item in parse(pin).specifier)
        found.append(Promise(pin=pin, installed=None if exact else version))
    return tuple(found)
