"""``docs/images.md``: all images in one page of tables, as Microsoft's documentation lists its own.

It is made of committed files alone (the matrix, the locks, ``docs/images.json``), so that `nox -s check` can tell
whether it is up to date without a registry, and on any day.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from packaging.version import Version

from build.catalogue.page import Page, Promise
from build.catalogue.pages import pages
from build.catalogue.record import Record
from build.images import environments
from build.images.dockerfiles import Image
from build.matrix.model import Matrix
from build.registry.address import parse
from build.system import console
from build.system.templates import load_templates


def render(images: Sequence[Image], matrix: Matrix, record: Record | None, *, templates: Path) -> str:
    """The page.

    Args:
        images: All images of the matrix, with their locks.
        matrix: The matrix.
        record: What a registry had; None where none was asked yet.
        templates: The folder of the Jinja2 templates.
    """
    # Not this machine's day: the page would be another one tomorrow.
    known = matrix.project.exclude_newer
    today = max(record.date, known) if record else known
    all_pages = pages(images, matrix, {}, today=today, recorded=record.images if record else {})
    environment = load_templates(templates)
    environment.filters["cell"] = cell
    registry = parse(matrix.project.registry) if matrix.project.registry else None

    def path(page: Page) -> str:
        repository = page.variant.repository
        return registry.reference(repository, page.pull_tag) if registry else f"{repository}:{page.pull_tag}"

    return environment.get_template("images.md.j2").render(
        pages=all_pages,
        sections=sections(all_pages),
        record=record,
        published=sum(page.digest is not None for page in all_pages),
        today=today,
        server_title=matrix.server.title,
        servers=_servers(all_pages),
        packages=_packages,
        path=path,
        has_registry=registry is not None,
        asset=environments.path,
        published_as=_published_as,
        size=console.size,
    )


def sections(all_pages: Sequence[Page]) -> list[tuple[str, list[Page]]]:
    """Pages by framework, in their order."""
    found: dict[str, list[Page]] = {}
    for page in all_pages:
        found.setdefault(page.variant.framework_title, []).append(page)
    return list(found.items())


def cell(text: str) -> str:
    """``text`` as it may stand in a cell of a table."""
    return text.replace("|", "\\|")


def _servers(all_pages: Sequence[Page]) -> list[str]:
    """What every image has, with the Pythons where it is not the same for all."""
    pythons: dict[str, set[str]] = {}
    for page in all_pages:
        text = ", ".join(map(_pin, page.server_promises))
        pythons.setdefault(text, set()).add(page.variant.base.python)
    if len(pythons) == 1:
        return list(pythons)
    return [f"{text} (Python {', '.join(sorted(its, key=Version))})" for text, its in pythons.items()]


def _pin(promise: Promise) -> str:
    return f"`{promise.pin}`" + (f" ({promise.installed})" if promise.installed else "")


def _packages(page: Page) -> str:
    lines = [_pin(promise) for promise in page.promises]
    if page.variant.cuda:
        lines.append(f"`CUDA=={page.variant.cuda.version}`")
        if page.variant.cuda.cudnn:
            lines.append(f"`cuDNN=={page.variant.cuda.cudnn}`")
    return cell("<br>".join(lines) or "N/A")


def _published_as(page: Page) -> str:
    if page.digest is None:
        return "not published"
    words = [page.tag or "", f"`{page.digest}`"]
    if page.stand_in:
        words.append(f"on the stand-in base {page.stand_in}")
    return cell("<br>".join(filter(None, words)))
