"""The catalogue as a static site: text files, no network, no server; `render` is pure, `write` puts it in a folder."""

from __future__ import annotations

import datetime
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from build.catalogue.pages import Page, shared_layers, unique_bytes
from build.catalogue.record import Record
from build.errors import UsageError
from build.images.patches import distribution
from build.matrix.model import Patch
from build.registry.address import Registry
from build.system import console
from build.system.templates import load_templates
from build.verify import reports
from build.verify.reports import Report

#: The machine-readable list; a folder that has it is a catalogue's, and may be replaced.
INDEX = "catalogue.json"
#: Other images named in a row; more are a number and a link.
FEW = 6

_ASSETS = ("catalogue.css", "catalogue.js")
_STAGES = {
    "supported": "supported",
    "ending": "ends soon",
    "deprecated": "deprecated",
    "announced": "announced",
    "ended": "ended",
}


@dataclass(frozen=True, kw_only=True)
class Facet:
    """One filter of the front page."""

    #: The attribute of the rows: ``data-<key>``.
    key: str
    title: str
    #: What a page has: value → text.
    values: Callable[[Page], Mapping[str, str]]
    #: Of all pages, in order.
    options: tuple[tuple[str, str], ...] = ()

    def of(self, page: Page) -> list[str]:
        """The values of one page."""
        return list(self.values(page))


@dataclass(frozen=True, kw_only=True)
class Site:
    """What all pages of the site know."""

    #: When it was made, for people.
    made: str
    #: The registry's name, as references begin.
    registry: str
    #: Whether that registry was asked; else what is known of it was recorded before.
    registry_asked: bool
    record: Record | None
    facets: tuple[Facet, ...]
    published: int
    #: Bytes of all published images, each by itself, and with shared layers counted once.
    summed: int
    unique: int


def _device(page: Page) -> dict[str, str]:
    if page.variant.cuda is None:
        return {"cpu": "CPU"}
    return {"gpu": "GPU", page.variant.device: f"CUDA {page.variant.device.removeprefix('cuda')}"}


_FACETS = (
    Facet(
        key="framework", title="Framework", values=lambda page: {page.variant.framework: page.variant.framework_title}
    ),
    Facet(key="device", title="Device", values=_device),
    Facet(
        key="python",
        title="Python",
        values=lambda page: {page.variant.base.python: page.variant.base.python},
    ),
    Facet(key="base", title="Base", values=lambda page: {page.variant.base.os: page.variant.base.title}),
    Facet(key="stage", title="Lifecycle", values=lambda page: {page.stage: _STAGES[page.stage]}),
    Facet(
        key="published",
        title="Published",
        values=lambda page: {"yes": "published"} if page.digest else {"no": "not published"},
    ),
)


def facets(pages: Sequence[Page]) -> tuple[Facet, ...]:
    """The filters, each with the values that occur; in the order of the pages, numbers by size."""
    found = []
    for facet in _FACETS:
        options: dict[str, str] = {}
        for page in pages:
            options.update(facet.values(page))
        items = list(options.items())
        if facet.key == "python":
            items.sort(key=lambda item: int(item[0].partition(".")[2]))
        elif facet.key == "stage":
            items.sort(key=lambda item: list(_STAGES).index(item[0]))
        found.append(Facet(key=facet.key, title=facet.title, values=facet.values, options=tuple(items)))
    return tuple(found)


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
    """Every file of the site.

    Args:
        pages: A page an image, in their order.
        registry: Where the images are, or would be.
        asked: Whether it was asked.
        record: What was recorded when a registry was last asked.
        now: The time (UTC).
        templates: The folder of the Jinja2 templates.
        patches: The matrix's edits of installed distributions.

    Returns:
        Path in the site, with ``/``, and content; one after the other, as hundreds of pages need not be held at once.
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
        pinned=pinned, groups=_groups, own_bytes=_own_bytes, search_text=_search_text,
        search_packages=_search_packages,
    )  # fmt: skip
    for name in _ASSETS:
        yield name, (templates / name).read_text(encoding="utf-8")
    yield "index.html", environment.get_template("index.html.j2").render(pages=pages, root="")
    yield "layers.html", environment.get_template("layers.html.j2").render(layers=shared_layers(pages), root="")
    template = environment.get_template("image.html.j2")
    for page in pages:
        installed = {(package.name, package.version) for package in page.python_packages}
        mine = [patch for patch in patches if _patched(patch) in installed]
        yield f"images/{page.name}.html", template.render(page=page, patches=mine, root="../")
    rows = [_row(page, reference(page)) for page in pages]
    yield INDEX, json.dumps({"made": now.isoformat(timespec="seconds"), "registry": str(registry) if asked else None,
                             "images": rows}, indent=1) + "\n"  # fmt: skip


def _patched(patch: Patch) -> tuple[str, str]:
    """The normalised name and the version that a patch is for, however the matrix spells them."""
    name, version = distribution(patch)
    return name, str(version)


def write(files: Iterator[tuple[str, str]], output: Path) -> int:
    """Put the site into a folder, whole or not at all; an earlier one there is replaced.

    Args:
        files: From `render`.
        output: The folder.

    Returns:
        How many files it has.

    Raises:
        UsageError: The folder has something else in it, or cannot be written.
    """
    if output.exists() and not output.is_dir():
        raise UsageError(f"{output} is no folder", where=str(output), fix="name another one: --output FOLDER")
    if output.is_dir() and any(output.iterdir()) and not (output / INDEX).is_file():
        raise UsageError(
            "the folder is not empty, and what is in it is no catalogue",
            where=str(output),
            fix="empty it, or name another one: --output FOLDER",
        )
    count = 0
    output = output.absolute()  # '.' has no name, and no folder above it
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as folder:
            new, old = Path(folder, "new"), Path(folder, "old")
            for path, text in files:
                file = new / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
                count += 1
            if output.is_dir():
                shutil.move(output, old)
            shutil.move(new, output)
    except OSError as error:
        raise UsageError(
            f"the site cannot be written: {error.strerror}",
            where=str(error.filename or output),
            fix="name another folder: --output FOLDER",
        ) from error
    return count


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


@dataclass(frozen=True, kw_only=True)
class _Line:
    """The runs of one test, in one line of the page."""

    title: str
    outcome: str
    reason: str
    says: str
    #: The parameters of its runs.
    of: tuple[str, ...]
    count: int


def _groups(report: Report) -> list[tuple[str, list[_Line]]]:
    """The tests of a report by group, the runs of one test with different parameters together."""
    found = []
    for group, checks in reports.by_group(report.checks).items():
        runs: dict[tuple[str, str, str], list[reports.Check]] = {}
        for check in checks:
            runs.setdefault((check.test.partition(" (")[0], check.outcome, check.reason), []).append(check)
        lines = [
            _Line(
                title=reports.title(test),
                outcome=outcome,
                reason=reason,
                says=its[0].says,
                of=tuple(check.test.partition(" (")[2].removesuffix(")") for check in its if " (" in check.test),
                count=len(its),
            )
            for (test, outcome, reason), its in runs.items()
        ]
        found.append((group, lines))
    return found


def _own_bytes(page: Page) -> int:
    return sum(layer.size or 0 for layer in page.layers if not layer.shared_with)


def _search_text(page: Page) -> str:
    """What the search looks in, word by word; packages are looked for by name and version, from their beginning."""
    variant = page.variant
    return " ".join(
        [page.title, page.name, page.environment, page.device_title, f"Python {variant.base.python}",
         variant.base.title, page.stand_in or "", page.tag or "", page.digest or ""]
    )  # fmt: skip


def _search_packages(page: Page) -> list[str]:
    return [f"{package.name} {package.version}" for package in page.python_packages]


def _short(name: str) -> str:
    return name.removesuffix("-inference")


def _signed(count: int) -> str:
    if count == 0:
        return "the same size"
    return f"{console.size(abs(count))} {'more' if count > 0 else 'less'}"


def _when(time: str) -> str:
    """ISO 8601 for people; what is no time stays as it is."""
    try:
        return datetime.datetime.fromisoformat(time).astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    except ValueError:
        return time
