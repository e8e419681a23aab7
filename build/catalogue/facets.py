"""The filters of the site's front page.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from packaging.version import Version

from build.catalogue.page import Page

_STAGES = {
    "supported": "supported",
    "lts": "LTS",
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
    #: The values of a page: value → text.
    values: Callable[[Page], Mapping[str, str]]
    #: The values of all pages, in order.
    options: tuple[tuple[str, str], ...] = ()

    def of(self, page: Page) -> list[str]:
        """The values of one page."""
        return list(self.values(page))


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
    """List the filters with the values that occur, in the order of the pages; Python versions are sorted."""
    filled = []
    for facet in _FACETS:
        options: dict[str, str] = {}
        for page in pages:
            options.update(facet.values(page))
        items = list(options.items())
        if facet.key == "python":
            items.sort(key=lambda item: Version(item[0]))
        elif facet.key == "stage":
            items.sort(key=lambda item: list(_STAGES).index(item[0]))
        filled.append(Facet(key=facet.key, title=facet.title, values=facet.values, options=tuple(items)))
    return tuple(filled)
