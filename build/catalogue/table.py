"""``docs/images.md``: tables of all images, laid out like the list of images in Microsoft's documentation.

The page is written from committed files only (the matrix, the locks, ``docs/images.json``), so that `nox -s check` can
compare it without a registry, and on any day.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from packaging.version import Version

from build.catalogue.page import Page, Promise
from build.catalogue.pages import pages
from build.catalogue.record import Record
from build.images import assets
from build.images.image import Image
from build.matrix.model import Matrix
from build.matrix.upkeep import Lifecycle, Support
from build.registry.address import parse
from build.system import console
from build.system.templates import load_templates


def render(images: Sequence[Image], matrix: Matrix, record: Record | None, *, templates: Path) -> str:
    """Write the page.

    Args:
        images: All images of the matrix, with their locks.
        matrix: The matrix.
        record: The content of a registry; None where none has been asked yet.
        templates: The directory of the Jinja2 templates.
    """
    # Not this machine's date: the page would change every day.
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
        asset=assets.path,
        published_as=_published_as,
        lifecycles=lifecycles(matrix),
        phase=_phase,
        size=console.size,
    )


def sections(all_pages: Sequence[Page]) -> list[tuple[str, list[Page]]]:
    """Group pages by framework, in their order."""
    groups: dict[str, list[Page]] = {}
    for page in all_pages:
        groups.setdefault(page.variant.framework_title, []).append(page)
    return list(groups.items())


def lifecycles(matrix: Matrix) -> list[tuple[str, Lifecycle]]:
    """List the parts of images that have dates of support: bases, Pythons, CUDA versions, framework versions."""
    bases = matrix.bases.values()
    parts = [
        *((base.title, base.lifecycle) for base in bases),
        *((f"Python {base.python}", base.prefix.lifecycle) for base in bases if base.prefix),
        *((f"CUDA {cuda.version}", cuda.lifecycle) for cuda in matrix.cuda.values()),
        *(
            (f"{framework.title} {key}", version.lifecycle)
            for framework in matrix.frameworks.values()
            for key, version in framework.versions.items()
        ),
    ]
    # Several bases of one operating system say the same.
    return list({(title, str(life)): (title, life) for title, life in parts if life.last}.values())


def _phase(support: Support | None) -> str:
    if support is None:
        return "–"
    is_address = support.source.startswith("https://")
    return cell(
        f"{support.until} ([source]({support.source}))" if is_address else f"{support.until} ({support.source})"
    )


def cell(text: str) -> str:
    """Escape a text for a cell of a Markdown table."""
    return text.replace("|", "\\|")


def _servers(all_pages: Sequence[Page]) -> list[str]:
    """The guarantees of the server, with the Python versions where they differ."""
    pythons: dict[str, set[str]] = {}
    for page in all_pages:
        text = ", ".join(map(_pin, page.server_promises))
        pythons.setdefault(text, set()).add(page.variant.base.python)
    if len(pythons) == 1:
        return list(pythons)
    return [f"{text} (Python {', '.join(sorted(versions, key=Version))})" for text, versions in pythons.items()]


def _pin(promise: Promise) -> str:
    return f"`{promise.pin}`" + (f" ({promise.installed})" if promise.installed else "")


def _packages(page: Page) -> str:
    lines = [_pin(promise) for promise in page.promises]
    if page.variant.cuda:
        lines.append(f"`CUDA=={page.variant.cuda.version}`")
        if page.variant.cuda.cudnn:
            lines.append(f"`cuDNN=={page.variant.cuda.cudnn}`")
        if page.variant.reach:
            lines.append(f"GPUs: {' '.join(page.variant.reach)}")
    return cell("<br>".join(lines) or "N/A")


def _published_as(page: Page) -> str:
    if page.digest is None:
        return "not published"
    words = [page.tag or "", f"`{page.digest}`"]
    if page.stand_in:
        words.append(f"on the stand-in base {page.stand_in}")
    return cell("<br>".join(filter(None, words)))
