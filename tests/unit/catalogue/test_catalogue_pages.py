"""The catalogue's files: docs/images.md with its record, and the site."""

from __future__ import annotations

import datetime
import html.parser
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from build.catalogue import record as catalogue_record
from build.catalogue import site as catalogue_site
from build.catalogue import site_folder
from build.catalogue import table as catalogue_table
from build.catalogue.facets import facets as facets_of
from build.catalogue.pages import pages
from build.catalogue.record import Record
from build.catalogue.remote import Published
from build.errors import DriftError, UsageError
from build.matrix.model import Matrix, Patch
from build.registry.address import parse
from build.verify.reports import Package
from tests.unit.catalogue.catalogue_samples import (
    IMAGES,
    TODAY,
    image,
    published,
    report,
    stored,
)
from tests.unit.fixture_project import MINIMAL, PROJECT, SKLEARN

NOW = datetime.datetime(2026, 11, 25, 12, tzinfo=datetime.UTC)
HOSTILE = '<script>alert("x")</script>'


def some() -> dict[str, Published]:
    """Two published images; one is a stand-in, and has a history."""
    minimal, sklearn = image(MINIMAL), image(SKLEARN)
    its = report(minimal)
    hostile = Package(name="evil", version="1", licence=HOSTILE, summary=f'"{HOSTILE}')
    its = its.model_copy(update={"python_packages": (*its.python_packages, hostile)})
    return {
        MINIMAL: published(
            stored(minimal, its=its, labels={"inference-images.stand-in": "debian12-py37"}),
            stored(minimal, its=report(minimal, {"gunicorn": "1.0"}), name="before"),
            latest=False,
            suffix="-debian12-py37",
        ),
        SKLEARN: published(stored(sklearn, its=report(sklearn))),
    }


def site(
    its: dict[str, Published], *, asked: bool = True, record: Record | None = None, patches: Sequence[Patch] = ()
) -> dict[str, str]:
    """The site's files."""
    found = pages(IMAGES, PROJECT.matrix, its, today=TODAY, recorded=record.images if record else None)
    return dict(
        catalogue_site.render(
            found,
            registry=parse("registry.example.com/acme"),
            asked=asked,
            record=record,
            now=NOW,
            templates=PROJECT.tool.catalogue_templates / "site",
            patches=patches,
        )
    )


class _Links(html.parser.HTMLParser):
    """The links of a page, and the anchors that others may link to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.scripts = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.scripts += tag == "script"
        self.links += [value for key in ("href", "src") if (value := values.get(key))]
        if values.get("id"):
            self.ids.append(str(values["id"]))


def test_every_link_of_the_site_leads_to_an_existing_file_and_anchor() -> None:
    files = site(some())
    lives = [variant.lifecycle for variant in PROJECT.variants]
    sources = {phase.source for life in lives for phase in (life.full_support, life.lts) if phase}
    parsed = {path: _Links(text) for path, text in files.items() if path.endswith(".html")}
    assert len(parsed) == len(IMAGES) + 2
    for path, page in parsed.items():
        assert len(page.ids) == len(set(page.ids)), f"{path} has an id twice"
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme == "data" or link == "https://aka.ms/azureml-sdk-license" or link in sources:
                continue
            assert not parts.scheme, f"{path} refers to {link}"
            folder = path.rpartition("/")[0]
            target = str(Path("/", folder, unquote(parts.path)).resolve().relative_to("/")) if parts.path else path
            assert target in files, f"{path} refers to {link}"
            if parts.fragment:
                assert parts.fragment in parsed[target].ids, f"{path} refers to {link}"


def test_the_dates_of_a_lifecycle_come_with_their_sources() -> None:
    life = PROJECT.variant(SKLEARN).lifecycle
    assert life.full_support is not None
    assert life.lts is not None
    page = site(some())[f"images/{SKLEARN}.html"]
    for name, phase in (("full support", life.full_support), ("LTS", life.lts)):
        assert f'{name} until {phase.until} (<a href="{phase.source}">source</a>)' in page
    base = PROJECT.variant(SKLEARN).base.title
    line = f"| {base} | {life.full_support.until} ([source]({life.full_support.source})) | {life.lts.until} "
    assert line in table(None)


def test_texts_of_packages_are_escaped() -> None:
    page = site(some())[f"images/{MINIMAL}.html"]
    assert HOSTILE not in page
    assert "&lt;script&gt;alert" in page
    assert _Links(page).scripts == 1


def test_the_page_of_a_published_image() -> None:
    its = some()
    page = site(its)[f"images/{SKLEARN}.html"]
    digest = its[SKLEARN].current.digest
    for text in (
        f"docker pull registry.example.com/acme/{SKLEARN}:latest",
        f"docker pull registry.example.com/acme/{SKLEARN}@{digest}",
        f"FROM registry.example.com/acme/{SKLEARN}@{digest}",
        "3 passed",
        "1 did not apply",
        "not run: a CPU image",
        "2026-11-25 09:41 UTC",
        "Label",
        "title, vendor",
        "<code>gunicorn</code>",
        "This is the first published version.",
    ):
        assert text in page, text
    assert "unpublished" not in page


def test_the_page_of_an_image_on_a_stand_in_base_shows_the_base_and_the_changes() -> None:
    page = site(some())[f"images/{MINIMAL}.html"]
    assert "Built on another base." in page
    assert f"docker pull registry.example.com/acme/{MINIMAL}:20261125.v1-debian12-py37" in page
    assert "Since <code>20261120.v1-debian12-py37</code>" in page
    assert "<td>1.0</td>" in page
    front = site(some())["index.html"]
    assert front.count("stand-in: debian12-py37") == 1


def test_a_page_does_not_list_cuda_that_is_not_in_the_image() -> None:
    """On a stand-in base nothing of it is asserted either."""
    gpu = next(each.variant.name for each in IMAGES if each.variant.device == "cuda11.0.3")
    labels = {"inference-images.stand-in": "debian12-py37", "inference-images.cuda": "absent"}
    standing_in = site({gpu: published(stored(image(gpu), labels=labels), latest=False, suffix="-debian12-py37")})
    assert "CUDA==11.0.3" not in standing_in[f"images/{gpu}.html"]
    assert "It has no CUDA libraries" in standing_in[f"images/{gpu}.html"]
    assert "CUDA==11.0.3" in site({gpu: published(stored(image(gpu)))})[f"images/{gpu}.html"]


def test_a_patched_package_is_listed_with_its_reason_where_it_is_installed() -> None:
    """However the matrix spells the distribution: layers are patched by its normalised name too."""
    version = image(SKLEARN).lock.versions()["scikit-learn"]
    reason = "what its makers will not release again"
    patch = Patch(distribution=f"Scikit_Learn=={version}", file="sklearn/x.py", find="a", replace="b", reason=reason)
    files = site({}, patches=[patch])
    assert reason in files[f"images/{SKLEARN}.html"]
    assert reason not in files[f"images/{MINIMAL}.html"]


def test_an_unpublished_image_is_marked_on_every_page() -> None:
    files = site(some())
    name = "lightgbm-4.7-debian12-py311-cpu-inference"
    page = files[f"images/{name}.html"]
    assert "The registry <code>registry.example.com/acme</code> does not have this image." in page
    assert f"nox -s build -- {name}" in page
    row = next(row for row in json.loads(files["catalogue.json"])["images"] if row["name"] == name)
    assert (row["digest"], row["tag"], row["size"], row["verified"]) == (None, None, None, None)


def test_without_a_registry_the_site_names_the_record_it_shows() -> None:
    record = catalogue_record.record(some(), "registry.example.com/acme", datetime.date(2026, 11, 20))
    files = site({}, asked=False, record=record)
    assert "those of <code>registry.example.com/acme</code> on 2026-11-20" in files["index.html"]
    assert "No registry was asked" in files[f"images/{SKLEARN}.html"]
    assert "does not know which images are published" in site({}, asked=False)["index.html"]


def test_the_filters_have_the_values_of_the_images() -> None:
    found = pages(IMAGES, PROJECT.matrix, some(), today=TODAY)
    facets = {facet.key: dict(facet.options) for facet in facets_of(found)}
    assert facets["framework"]["sklearn"] == "scikit-learn"
    assert list(facets["python"]) == sorted(facets["python"], key=lambda text: int(text.split(".")[1]))
    assert facets["published"] == {"yes": "published", "no": "not published"}
    gpu = [page for page in found if page.variant.cuda]
    for page in gpu:
        assert set(facets_of(gpu)[1].of(page)) == {"gpu", page.variant.device}


def test_a_site_replaces_an_earlier_one_and_nothing_else(tmp_path: Path) -> None:
    output = tmp_path / "site"
    site_folder.write(iter({"catalogue.json": "{}", "images/old.html": "old"}.items()), output)
    site_folder.write(iter({"catalogue.json": "{}", "index.html": "new"}.items()), output)
    assert sorted(path.name for path in output.rglob("*")) == ["catalogue.json", "index.html"]
    assert [path.name for path in tmp_path.iterdir()] == ["site"], "a temporary directory is left next to the site"
    other = tmp_path / "documents"
    other.mkdir()
    (other / "letter.txt").write_text("mine")
    with pytest.raises(UsageError, match="files that are not a catalogue"):
        site_folder.write(iter({"index.html": ""}.items()), other)
    assert (other / "letter.txt").read_text() == "mine"
    with pytest.raises(UsageError, match="is not a directory"):
        site_folder.write(iter({"index.html": ""}.items()), other / "letter.txt")


def test_the_working_directory_can_be_the_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site").mkdir()
    monkeypatch.chdir(tmp_path / "site")
    for text in ("first", "second"):
        monkeypatch.chdir(tmp_path / "site")
        site_folder.write(iter({"catalogue.json": "{}", "index.html": text}.items()), Path())
        assert (tmp_path / "site" / "index.html").read_text() == text
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_a_failure_while_writing_leaves_the_earlier_site(tmp_path: Path) -> None:
    def breaking() -> Iterator[tuple[str, str]]:
        yield "index.html", "half"
        raise OSError(28, "No space left on device")

    output = tmp_path / "site"
    site_folder.write(iter({"catalogue.json": "{}", "index.html": "whole"}.items()), output)
    with pytest.raises(UsageError, match="No space left on device"):
        site_folder.write(breaking(), output)
    assert (output / "index.html").read_text() == "whole"


# ---- docs/images.md ------------------------------------------------------------------------------------


def table(record: Record | None, matrix: Matrix = PROJECT.matrix) -> str:
    return catalogue_table.render(IMAGES, matrix, record, templates=PROJECT.tool.catalogue_templates)


def row(text: str, name: str) -> list[str]:
    """The cells of an image's row."""
    line = next(line for line in text.splitlines() if f"/{name}:" in line)
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_columns_of_the_table() -> None:
    its = some()
    record = catalogue_record.record(its, "registry.example.com/acme", TODAY)
    version, device, on, packages, path, environment, size, as_, life = row(table(record), SKLEARN)
    assert (version, device, on) == ("1.9", "CPU", "3.11, Debian 12")
    assert packages.split("<br>")[0] == "`scikit-learn==1.9.1`"
    assert path == f"`azureml/{SKLEARN}:latest`"
    assert environment.startswith(f"[AzureML-{SKLEARN}]")
    assert size.endswith(" MB")
    assert as_ == f"20261125.v1<br>`{its[SKLEARN].current.digest}`"
    assert life == "LTS until 2028-06-30"
    stand_in = row(table(record), MINIMAL)
    assert stand_in[4] == f"`azureml/{MINIMAL}:20261125.v1-debian12-py37`"
    assert "stand-in base debian12-py37" in stand_in[7]
    assert stand_in[3] == "N/A"


def test_the_table_marks_unpublished_images() -> None:
    text = table(None)
    assert "No registry has been asked yet" in text
    for each in IMAGES:
        assert row(text, each.variant.name)[7] == "not published"
        assert all(row(text, each.variant.name)), "an empty cell"


def test_paths_begin_with_the_registry_of_the_matrix() -> None:
    project = PROJECT.matrix.project.model_copy(update={"registry": "registry.example.com/acme"})
    text = table(None, PROJECT.matrix.model_copy(update={"project": project}))
    assert row(text, MINIMAL)[4] == f"`registry.example.com/acme/{MINIMAL}:latest`"


def test_the_record_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    record = catalogue_record.record(some(), "127.0.0.1:5000", TODAY)
    file = tmp_path / "images.json"
    file.write_text(catalogue_record.to_text(record))
    assert catalogue_record.read(file) == record
    assert sum(MINIMAL in line for line in file.read_text().splitlines()) == 1, "a line an image"
    empty = Record(registry="127.0.0.1:5000", date=TODAY, images={})
    file.write_text(catalogue_record.to_text(empty))
    assert catalogue_record.read(file) == empty
    assert catalogue_record.read(tmp_path / "missing.json") is None


@pytest.mark.parametrize("text", ["", "<<<<<<< HEAD", "[]", '{"registry": "r", "date": "2026-11-25", "images": 1}'])
def test_a_broken_record_is_reported_with_its_fix(tmp_path: Path, text: str) -> None:
    file = tmp_path / "images.json"
    file.write_text(text)
    with pytest.raises(DriftError) as caught:
        catalogue_record.read(file)
    assert caught.value.where is not None
    assert caught.value.where.startswith("images.json")
    assert "nox -s catalogue" in str(caught.value.fix)
