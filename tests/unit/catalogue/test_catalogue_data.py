"""The pages of the catalogue as data: sharing, changes, guarantees, lifecycles, and unknown facts."""

from __future__ import annotations

import datetime

import pytest

from build.catalogue import pages as catalogue
from build.catalogue.changes import Change, compare
from build.catalogue.page import Page
from build.catalogue.page_layers import command, shared_layers, unique_bytes
from build.catalogue.pages import pages, stage
from build.catalogue.record import RecordedImage
from build.catalogue.remote import Published
from build.matrix.upkeep import Lifecycle
from tests.unit.catalogue.catalogue_samples import (
    IMAGES,
    TODAY,
    image,
    published,
    report,
    stored,
)
from tests.unit.fixture_project import MINIMAL, PROJECT, SKLEARN


def made(its: dict[str, Published], **options: object) -> dict[str, Page]:
    """All pages by image name."""
    found = pages(IMAGES, PROJECT.matrix, its, today=TODAY, **options)  # type: ignore[arg-type]
    return {page.name: page for page in found}


def both() -> dict[str, Published]:
    return {name: published(stored(image(name), its=report(image(name)))) for name in (MINIMAL, SKLEARN)}


def test_every_image_has_a_page_and_those_without_a_framework_come_last() -> None:
    found = pages(IMAGES, PROJECT.matrix, {}, today=TODAY)
    assert {page.name for page in found} == {each.variant.name for each in IMAGES}
    order = [page.variant.framework for page in found if page.variant.version]
    listed = [name for name in PROJECT.matrix.frameworks if name in order]
    assert list(dict.fromkeys(order)) == listed
    first_without = next(number for number, page in enumerate(found) if page.variant.version is None)
    assert all(page.variant.version is None for page in found[first_without:])


def test_layers_of_a_published_image_name_their_packages_and_the_images_that_share_them() -> None:
    found = made(both())
    layers = {layer.title: layer for layer in found[SKLEARN].layers}
    numpy = layers[f"numpy {image(SKLEARN).lock.versions()['numpy']}"]
    assert (numpy.kind, numpy.size, numpy.shared_with) == ("packages", 10_000_000, ())
    server = next(layer for layer in found[SKLEARN].layers if layer.title.startswith("scoring server"))
    assert server.shared_with == (MINIMAL,)
    assert any(package.startswith("gunicorn ") for package in server.packages)
    assert layers["ADD rootfs.tar /"].kind == "base"
    assert layers["RUN /scripts/setup-base"].shared_with == (MINIMAL,)


def test_shared_bytes_are_counted_once() -> None:
    found = list(made(both()).values())
    sizes = {layer.digest: layer.size for page in found for layer in page.layers if layer.digest}
    assert unique_bytes(found) == sum(size or 0 for size in sizes.values())
    assert unique_bytes(found) < sum(page.size or 0 for page in found)
    first, names = shared_layers(found)[0]
    assert names == (MINIMAL, SKLEARN)
    assert first.size == 38_700_000, "the biggest of the most shared comes first"


def test_layers_without_recorded_packages_show_none() -> None:
    of = image(SKLEARN)
    incomplete = report(of).model_copy(update={"layers": report(of).layers[:-1]})
    page = made({SKLEARN: published(stored(of, its=incomplete))})[SKLEARN]
    assert {layer.title for layer in page.layers if layer.kind == "packages"} == {"packages"}


def test_an_unpublished_image_shows_its_lock() -> None:
    page = made(both())["lightgbm-4.7-debian12-py311-cpu-inference"]
    assert (page.published, page.digest, page.size, page.tag, page.pull_tag) == (None, None, None, None, "latest")
    assert {package.name: package.version for package in page.python_packages} == image(page.name).lock.versions()
    assert not page.packages_are_read
    assert not any(package.licence for package in page.python_packages), "a licence that nobody read"
    numpy = next(layer for layer in page.layers if layer.title.startswith("numpy"))
    assert numpy.digest is None
    assert numpy.size is not None
    assert numpy.size > 1_000_000
    # Of images that are published the layers are the registry's: they are not compared with planned ones.
    assert SKLEARN not in numpy.shared_with
    assert "xgboost-3.2-debian12-py311-cpu-inference" in numpy.shared_with


def test_the_record_is_shown_where_no_registry_was_asked() -> None:
    known = RecordedImage(tag="20261120.v2", digest="sha256:" + "1" * 64, size=1234, stand_in=None)
    page = made({}, recorded={MINIMAL: known})[MINIMAL]
    assert (page.tag, page.digest, page.size) == ("20261120.v2", known.digest, 1234)
    assert page.published is None


def test_guarantees_are_shown_with_installed_versions_the_framework_first() -> None:
    page = made({SKLEARN: published(stored(image(SKLEARN), its=report(image(SKLEARN), {"numpy": "2.9.9"})))})[SKLEARN]
    assert page.promises[0].pin.startswith("scikit-learn==")
    assert {promise.pin: promise.installed for promise in page.promises} == {
        "scikit-learn==1.9.1": None,
        "numpy>=2.0": "2.9.9",
        "pandas~=3.1": image(SKLEARN).lock.versions()["pandas"],
    }
    assert "azureml-inference-server-http==1.5.1" in [promise.pin for promise in page.server_promises]


def test_changes_since_the_previous_tag() -> None:
    of = image(SKLEARN)
    before = stored(of, its=report(of, {"numpy": "2.4.5", "gone": "1.0"}), environment=["LANG=C"], name="before",
                    labels={"org.opencontainers.image.base.digest": "sha256:old"})  # fmt: skip
    after = stored(of, its=report(of), labels={"org.opencontainers.image.base.digest": "sha256:new"})
    page = made({SKLEARN: published(after, before)})[SKLEARN]
    assert page.published is not None
    assert page.published.previous_tag == "20261120.v1"
    changes = page.changes
    assert changes is not None
    assert changes.python == (
        Change(name="gone", before="1.0", after=None),
        Change(name="numpy", before="2.4.5", after=of.lock.versions()["numpy"]),
    )
    assert changes.debian == ()
    assert changes.configuration == (Change(name="variable LANG", before="C", after="C.UTF-8"),)
    assert changes.base == Change(name="base", before="sha256:old", after="sha256:new")
    assert changes.pulled == after.config_size, "the layers are the same: only the configuration is pulled"


def test_packages_are_not_compared_if_one_state_has_no_report() -> None:
    of = image(SKLEARN)
    changes = compare(stored(of, name="before"), stored(of, its=report(of)))
    assert (changes.python, changes.debian) == (None, None)


def test_an_update_pulls_the_bytes_of_new_layers() -> None:
    before, after = stored(image(MINIMAL)), stored(image(SKLEARN))
    new = len(after.layers) - len(before.layers)
    changes = compare(before, after)
    assert (changes.pulled_layers, changes.pulled) == (new, new * 10_000_000 + after.config_size)
    assert changes.size == new * 10_000_000
    assert compare(after, before).size == -new * 10_000_000


def test_changes_of_the_lock_that_are_not_published_are_shown() -> None:
    of = image(SKLEARN)
    state = stored(of, its=report(of, {"numpy": "2.4.5"}), labels={"inference-images.recipe": "old"})
    page = made({SKLEARN: published(state)}, recipes={SKLEARN: "new"})[SKLEARN]
    assert page.is_ahead
    assert page.ahead == (Change(name="numpy", before="2.4.5", after=of.lock.versions()["numpy"]),)
    page = made({SKLEARN: published(state)}, recipes={SKLEARN: "old"})[SKLEARN]
    assert not page.is_ahead


def test_a_stand_in_is_marked_and_pulled_by_its_dated_tag() -> None:
    of = image(MINIMAL)
    labels = {"inference-images.stand-in": "debian12-py37", "inference-images.cuda": "absent"}
    its = published(stored(of, its=report(of), labels=labels), latest=False, suffix="-debian12-py37")
    page = made({MINIMAL: its}, recipes={MINIMAL: "its own base's"})[MINIMAL]
    assert page.stand_in == "debian12-py37"
    assert page.cuda_is_absent
    assert page.pull_tag == "20261125.v1-debian12-py37"
    assert not page.is_ahead, "a stand-in's recipe is never that of its own base"


def until(days: int) -> dict[str, object]:
    """The end of a phase, in days from today."""
    return {"until": TODAY + datetime.timedelta(days), "source": "upstream's page"}


@pytest.mark.parametrize(
    ("life", "word"),
    [
        ({"full-support": until(-1000)}, "ended"),
        ({"full-support": until(0)}, "ended"),
        ({"full-support": until(-1), "lts": until(0)}, "ended"),
        ({"full-support": until(60)}, "ending"),
        ({"full-support": until(61)}, "supported"),
        ({"full-support": until(0), "lts": until(61)}, "lts"),
        ({"deprecated": TODAY}, "deprecated"),
        ({"released": TODAY + datetime.timedelta(1)}, "announced"),
        ({}, "supported"),
    ],
)
def test_the_stage_of_a_lifecycle(life: dict[str, object], word: str) -> None:
    assert stage(Lifecycle.model_validate(life), TODAY) == word


@pytest.mark.parametrize(
    ("created_by", "text"),
    [
        ("RUN /bin/sh -c /scripts/setup-base # buildkit", "RUN /scripts/setup-base"),
        ("/bin/sh -c #(nop) ADD file:abc in / ", "ADD file:abc in /"),
        ("/bin/sh -c apt-get   update", "RUN apt-get update"),
        ("", "base"),
    ],
)
def test_the_command_of_a_layer(created_by: str, text: str) -> None:
    assert command(created_by) == text


def test_the_name_of_the_environment_is_that_of_the_image_with_a_prefix() -> None:
    assert made({})[MINIMAL].environment == f"AzureML-{MINIMAL}"
    assert catalogue.promises(["pandas==1.*"], {"pandas": "1.2"})[0].installed == "1.2"
