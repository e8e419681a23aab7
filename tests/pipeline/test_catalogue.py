"""The catalogue of a real registry, opened in a real browser; and the messages if no registry answers."""

from __future__ import annotations

import datetime
import json
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from build.builder import image_recipes
from build.checkout import project
from build.engine import embedded_registry
from build.publish import origin
from build.publish.publication import Publication
from build.publish.publish import publish
from build.registry import address, attachments
from build.registry.client import Client
from build.verify import reports
from build.verify.reports import Report
from tests.conftest import ROOT, Checkout, environment_of, take_port
from tests.pipeline.rows import BASE, MINIMAL, SKLEARN

pytestmark = [pytest.mark.engine, pytest.mark.network]

#: Under these names Debian, Ubuntu, Google and Fedora install it.
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
REPOSITORY = f"azureml/{MINIMAL}"
#: A version that was never released: what the published image is compared with.
BEFORE = "0.0.1"


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """A checkout whose minimal image is published in a registry of its own, with a catalogue of it."""

    checkout: Checkout
    environment: dict[str, str]
    port: int

    @property
    def registry(self) -> address.Registry:
        return address.from_environment(self.environment)

    @property
    def site(self) -> Path:
        return self.checkout.root / "site"

    def page(self, name: str) -> str:
        return (self.site / "images" / f"{name}.html").read_text()

    def row(self, name: str) -> dict[str, Any]:
        listed = json.loads((self.site / "catalogue.json").read_text())["images"]
        return next(row for row in listed if row["name"] == name)


@pytest.fixture(scope="module")
def catalogue(verified: Checkout, engine_client: docker.DockerClient, registry_image: str) -> Iterator[Catalogue]:
    """Built, verified and published by the commands; before it another state of the image, with another package."""
    port = take_port()
    environment = {address.PORT_VARIABLE: str(port)}
    made = Catalogue(checkout=verified, environment=environment, port=port)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(address.PORT_VARIABLE, str(port))
        embedded_registry.ensure_running(engine_client, registry_image)
    try:
        _publish_before(made, engine_client)
        for command in (("publish", MINIMAL), ("catalogue",)):
            done = verified.run(*command, env=environment)
            assert done.code == 0, done.text
        yield made
    finally:
        name = embedded_registry.name(port)
        engine_client.containers.get(name).remove(force=True, v=True)
        engine_client.volumes.get(name).remove(force=True)


def _publish_before(made: Catalogue, client: docker.DockerClient) -> None:
    """Publish an earlier state of the image: another variable, another version of a package."""
    opened = project.open_project(made.checkout.paths)
    images = opened.images([opened.variant(MINIMAL)])
    image = client.images.get(f"{REPOSITORY}:{image_recipes.of(opened, images).known[MINIMAL].tag}")
    report = reports.load(made.checkout.paths, str(image.id))
    assert report is not None
    container = client.containers.create(image)
    name = f"catalogue-test:{uuid.uuid4().hex[:12]}"
    derived = container.commit(*name.split(":"), changes="ENV WORKER_TIMEOUT=100")
    container.remove()
    others = [package for package in report.python_packages if package.name != "flask"]
    flask = next(package for package in report.python_packages if package.name == "flask")
    older = report.model_copy(
        update={
            "image_id": derived.id,
            "python_packages": (*others, flask.model_copy(update={"version": BEFORE})),
        }
    )
    try:
        publish(
            [
                Publication(
                    name=MINIMAL,
                    repository=REPOSITORY,
                    local_reference=name,
                    recipe="0" * 64,
                    report=older,
                )
            ],
            made.registry,
            client,
            datetime.date(2026, 1, 5),
            origin=origin.of_checkout(made.checkout.root),
        )
    finally:
        client.images.remove(name, force=True)


def test_the_report_is_read_from_the_registry_alone(catalogue: Catalogue) -> None:
    """As another machine reads it: from the digest that `latest` points to."""
    with Client(catalogue.registry) as client:
        digest = client.digest(REPOSITORY, "latest")
        assert digest is not None
        found = attachments.attached(client, REPOSITORY, digest, reports.MEDIA_TYPE)
        assert len(found) == 1
        report = reports.parse(attachments.read(client, REPOSITORY, found[0]))
    assert isinstance(report, Report)
    assert (report.image, report.image_id) == (MINIMAL, digest)
    licences = {package.name: package.licence for package in report.python_packages}
    assert licences["flask"] == "BSD-3-Clause"
    assert {"libc6", "python3"} <= {package.name for package in report.debian_packages}
    assert report.passed + sum(report.passed_elsewhere.values()) > 100


def test_the_same_tests_of_the_same_image_are_attached_once(catalogue: Catalogue) -> None:
    """A later verification of the same image attaches nothing: the registry has a report of these tests."""
    with Client(catalogue.registry) as client:
        digest = client.digest(REPOSITORY, "latest")
        assert digest is not None
        report = reports.load(catalogue.checkout.paths, digest)
        assert report is not None
        reports.save(catalogue.checkout.paths, report.model_copy(update={"time": "2099-01-01T00:00:00+00:00"}))
        done = catalogue.checkout.run("publish", MINIMAL, env=catalogue.environment)
        assert done.code == 0, done.text
        assert len(attachments.attached(client, REPOSITORY, digest, reports.MEDIA_TYPE)) == 1


def test_the_page_shows_the_content_of_the_registry(catalogue: Catalogue) -> None:
    page, row = catalogue.page(MINIMAL), catalogue.row(MINIMAL)
    with Client(catalogue.registry) as client:
        digest = client.digest(REPOSITORY, "latest")
        assert digest is not None
        blobs = client.blobs(REPOSITORY, client.manifest(REPOSITORY, digest))
    assert (row["digest"], row["size"]) == (digest, sum(blob.size for blob in blobs))
    assert f"docker pull 127.0.0.1:{catalogue.port}/{REPOSITORY}@{digest}" in page
    assert "Since <code>20260105.v1</code>" in page
    assert f"<td>{BEFORE}</td>" in page
    assert "variable WORKER_TIMEOUT" in page
    assert "<td>100</td><td>300</td>" in page
    assert "passed</strong>" in page
    assert "BSD-3-Clause" in page
    assert "not published" in catalogue.page(SKLEARN)


def test_docs_are_written_and_nothing_drifts(catalogue: Catalogue) -> None:
    recorded = json.loads((catalogue.checkout.root / "docs/images.json").read_text())
    assert recorded["registry"] == f"127.0.0.1:{catalogue.port}"
    assert list(recorded["images"]) == [MINIMAL]
    table = (catalogue.checkout.root / "docs/images.md").read_text()
    assert catalogue.row(MINIMAL)["digest"] in table
    # The check needs no registry: it has the address of none.
    away = {address.PORT_VARIABLE: str(take_port())}
    done = catalogue.checkout.run("check", env=away)
    assert done.code == 0, done.text


def test_an_edit_of_the_table_is_drift(checkout: Checkout) -> None:
    checkout.edit("docs/images.md", "| CPU |", "| GPU |")
    done = checkout.run("check")
    assert done.code == 1
    assert "docs/images.md" in done.one_screen()
    assert checkout.run("generate").code == 0
    assert checkout.run("check").code == 0


def test_without_a_registry_the_earlier_record_is_used(catalogue: Catalogue, tmp_path: Path) -> None:
    away = {address.PORT_VARIABLE: str(take_port())}
    output = str(tmp_path / "site")
    done = catalogue.checkout.run("catalogue", "--output", output, env=away)
    assert done.code == 0, done.text
    said = " ".join(done.one_screen().split())
    assert "cannot be reached or stopped answering: the catalogue is written without it" in said
    assert f"are those recorded earlier: 127.0.0.1:{catalogue.port}" in said
    page = Path(output, "images", f"{MINIMAL}.html").read_text()
    assert "No registry was asked" in page
    assert f"docker pull 127.0.0.1:{catalogue.port}/{REPOSITORY}@{catalogue.row(MINIMAL)['digest']}" in page
    # The record of this registry is not replaced by the silence of another one.
    assert MINIMAL in (catalogue.checkout.root / "docs/images.json").read_text()


def test_a_named_registry_that_does_not_answer_is_an_error_with_a_fix(checkout: Checkout, tmp_path: Path) -> None:
    output = tmp_path / "site"
    away = {"REGISTRY": f"127.0.0.1:{take_port()}/acme"}
    done = checkout.run("catalogue", "--output", str(output), env=away)
    assert done.code == 5
    assert "nox -s catalogue -- --offline" in done.one_screen()
    assert not output.exists()
    done = checkout.run("catalogue", "--offline", "--output", str(output), env=away)
    assert done.code == 0, done.text
    assert "asking" not in done.err
    assert (output / "index.html").is_file()


def test_a_directory_with_other_content_is_left_alone(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    done = checkout.run("catalogue", "--offline", "--output", str(tmp_path))
    assert done.code == 2
    assert "files that are not a catalogue" in done.one_screen()
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


# ---- in a browser ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browsed(catalogue: Catalogue, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What tests/browser/browse.py saw; its libraries are for this test alone, so in an environment of their own."""
    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if chromium is None:
        pytest.skip("no Chromium on this machine (on Debian: apt-get install chromium)")
    folder = ROOT / "tests/browser"
    python = environment_of(folder, tmp_path_factory)
    screenshots = ROOT / ".pipeline/reports/catalogue"
    done = subprocess.run(
        [python, str(folder / "browse.py"), chromium, str(catalogue.site), MINIMAL, BASE.python, str(screenshots)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def test_search_and_filters_find_images(browsed: dict[str, Any], catalogue: Catalogue) -> None:
    used = browsed["used"]
    rows = json.loads((catalogue.site / "catalogue.json").read_text())["images"]
    names = [row["name"] for row in rows]
    assert used["all"] == names
    assert used["by name"] == [MINIMAL]
    opened = project.open_project(catalogue.checkout.paths)
    with_flask = {each.name for each in opened.variants if opened.lock(each).versions()["flask"].startswith("3")}
    assert set(used["by package"]) == with_flask
    assert used["hits"].startswith("has flask 3")
    assert used["nothing"][0] == []
    assert "No image matches" in used["nothing"][1]
    assert used["cleared"] == names
    wanted = [row["name"] for row in rows if row["framework"] == "sklearn" and row["python"] == BASE.python]
    assert used["filtered"] == wanted
    assert used["count"] == f"{len(wanted)} of {len(names)} images"
    assert used["biggest first"][0] == MINIMAL, "the only one with a size"


def test_the_page_of_an_image_and_the_way_back(browsed: dict[str, Any]) -> None:
    used = browsed["used"]
    assert "docker pull 127.0.0.1:" in used["image"]
    assert used["package"] == ["gunicorn"]
    assert used["system package"] == ["libc6"]
    found, framework = used["back"]
    assert MINIMAL in found
    assert framework == "minimal", "the way back forgot the filter"


def test_it_is_light_or_dark_fits_a_phone_and_is_accessible(browsed: dict[str, Any]) -> None:
    looks = browsed["looks"]
    assert len(looks) == 12

    def brightness(colour: str) -> int:
        return sum(int(part) for part in colour.removeprefix("rgb(").rstrip(")").split(","))

    for name, look in looks.items():
        page, text = map(brightness, look["colours"])
        assert (page > text) == name.endswith("light"), f"{name}: {look['colours']}"
        assert look["wider"] == 0, f"{name} is {look['wider']} px wider than the screen"
        assert look["barriers"] == [], f"{name}: {look['barriers']}"


def test_it_loads_only_its_own_files_and_the_browser_reports_nothing(
    browsed: dict[str, Any], catalogue: Catalogue
) -> None:
    own = catalogue.site.resolve().as_uri()
    assert any(url.endswith("catalogue.js") for url in browsed["requests"])
    assert [url for url in browsed["requests"] if not url.startswith((f"{own}/", "data:"))] == []
    assert browsed["complaints"] == []


def test_without_scripts_everything_is_shown(browsed: dict[str, Any]) -> None:
    assert MINIMAL in browsed["without scripts"]["table"]
    assert not browsed["without scripts"]["filter"], "a filter that does nothing"
