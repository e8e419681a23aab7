"""The catalogue as a static website: text files that need no server and no network.  Reads the templates only."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from build.catalogue.facets import Facet, facets
from build.catalogue.page import Page
from build.catalogue.page_layers import shared_layers, unique_bytes
from build.catalogue.record import Record
from build.catalogue.report_lines import report_lines
from build.catalogue.site_folder import INDEX
from build.images.patches import distribution
from build.matrix.model import Patch
from build.registry.address import Registry
from build.system import console
from build.system.templates import load_templates

#: The number of other images that a row names; more are shown as a number with a link.
FEW = 6

_ASSETS = ("catalogue.css", "catalogue.js")


@dataclass(frozen=True, kw_only=True)
class Site:
    """The facts that all pages of the site share."""

    #: The time of writing, for people.
    made: str
    #: The name of the registry, with which references begin.
    registry: str
    #: Whether the registry was asked; if not, its content is from an earlier record.
    registry_asked: bool
    record: Record | None
    facets: tuple[Facet, ...]
    published: int
    #: Bytes of all published images, added up, and with shared layers counted once.
    summed: int
    unique: int


def render(
    pages: Sequence[Page],
    *,
    registry: Registry,
    asked: bool,
    record: Record | None,
    now: datetime.datetime,
    templates: Path,
    patches: Sequence[Patch] = (),
) -> Iterator[tuple[str, str]]:
    """Write every file of the site.

    Args:
        pages: The pages of all images, in their order.
        registry: The registry that has the images, or would have them.
        asked: Whether it was asked.
        record: The content of the registry that was asked last.
        now: The time (UTC).
        templates: The directory of the Jinja2 templates.
        patches: The matrix's edits of installed distributions.

    Returns:
        Path in the site, with ``/``, and content, one file at a time: a site has hundreds of pages.
    """
    environment = load_templates(templates, html=True)

    def reference(page: Page) -> str:
        return registry.reference(page.variant.repository, page.pull_tag)

    def pinned(page: Page) -> str:
        return f"{registry.host}/{registry.repository(page.variant.repository)}@{page.digest}"

    site = Site(
        made=now.strftime("%Y-%m-%d %H:%M UTC"),
        registry=str(registry),
        registry_asked=asked,
        record=record,
        facets=facets(pages),
        published=sum(page.digest is not None for page in pages),
        summed=sum(page.size or 0 for page in pages if page.published),
        unique=unique_bytes(pages),
    )
    environment.globals.update(
        site=site, size=console.size, signed=_signed, short=_short, when=_when, few=FEW, reference=reference,
        pinned=pinned, groups=report_lines, own_bytes=_own_bytes, search_text=_search_text,
        search_packages=_search_packages,
    )  # fmt: skip
    for name in _ASSETS:
        yield name, (templates / name).read_text(encoding="utf-8")
    yield "index.html", environment.get_template("index.html.j2").render(pages=pages, root="")
    yield "layers.html", environment.get_template("layers.html.j2").render(layers=shared_layers(pages), root="")
    template = environment.get_template("image.html.j2")
    for page in pages:
        installed = {(package.name, package.version) for package in page.python_packages}
        applied = [patch for patch in patches if _patched(patch) in installed]
        yield f"images/{page.name}.html", template.render(page=page, patches=applied, root="../")
    rows = [_row(page, reference(page)) for page in pages]
    yield INDEX, json.dumps({"made": now.isoformat(timespec="seconds"), "registry": str(registry) if asked else None,
                             "images": rows}, indent=1) + "\n"  # fmt: skip


def _patched(patch: Patch) -> tuple[str, str]:
    """The normalised name and version of the distribution that a patch is for."""
    name, version = distribution(patch)
    return name, str(version)


def _row(page: Page, reference: str) -> dict[str, Any]:
    """An image in the machine-readable list."""
    variant = page.variant
    return {
        "name": page.name,
        "title": page.title,
        "reference": reference,
        "environment": page.environment,
        "framework": variant.framework,
        "version": variant.version,
        "device": variant.device,
        "python": variant.base.python,
        "base": variant.base_name,
        "stand-in": page.stand_in,
        "lifecycle": page.stage_text,
        "tag": page.tag,
        "digest": page.digest,
        "size": page.size,
        "verified": page.report.time if page.report else None,
    }


def _own_bytes(page: Page) -> int:
    return sum(layer.size or 0 for layer in page.layers if not layer.shared_with)


def _search_text(page: Page) -> str:
    """The text whose words the search finds."""
    variant = page.variant
    return " ".join(
        [page.title, page.name, page.environment, page.device_title, f"Python {variant.base.python}",
         variant.base.title, page.stand_in or "", page.tag or "", page.digest or ""]
    )  # fmt: skip


def _search_packages(page: Page) -> list[str]:
    """The packages, which the search finds by the beginning of their name and version."""
    return [f"{package.name} {package.version}" for package in page.python_packages]


def _short(name: str) -> str:
    return name.removesuffix("-inference")


def _signed(count: int) -> str:
    if count == 0:
        return "the same size"
    return f"{console.size(abs(count))} {'bigger' if count > 0 else 'smaller'}"


def _when(time: str) -> str:
    """A time in ISO 8601, for people; another text stays as it is."""
    try:
        return datetime.datetime.fromisoformat(time).astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    except ValueError:
        return time
