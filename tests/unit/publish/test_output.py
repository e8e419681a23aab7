"""What publishing prints."""

from __future__ import annotations

import json

import pytest

from build.images.recipe import recipe_tag
from build.publish.output import print_results, to_json
from build.publish.publication import Published

DIGEST = "sha256:" + "a" * 64
LONG = "registry.example.com:5000/some/namespace/tensorflow-2.21-debian12-py311-cpu-inference"

SENT = Published(
    name="tensorflow",
    repository=LONG,
    release="20261126.v1",
    tags=("recipe-0123456789abcdef", "20261126.v1", "latest"),
    pull_tag="20261126.v1",
    digest=DIGEST,
    size=310_200_000,
    bytes_sent=96_300_000,
    status="published",
    seconds=2.04,
)
KEPT = Published(
    name="minimal",
    repository="r.example/minimal",
    release="20261126.v1",
    tags=("recipe-fedcba9876543210", "20261126.v1", "latest"),
    pull_tag="20261126.v1",
    digest=DIGEST,
    size=16_900_000,
    bytes_sent=0,
    status="already published",
    seconds=0.0,
)


def test_the_recipe_tag_has_sixteen_digits() -> None:
    assert recipe_tag("0123456789abcdef" + "f" * 48) == "recipe-0123456789abcdef"


@pytest.mark.parametrize("columns", ["80", "120"])
def test_one_reference_for_each_image_whole_and_the_totals(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)

    print_results([SENT, KEPT])

    assert capsys.readouterr().out.splitlines() == [
        f"{LONG}:20261126.v1@{DIGEST}",
        f"r.example/minimal:20261126.v1@{DIGEST}",
        "release 20261126.v1: 1 published, 1 already published; 96.3 MB sent",
    ]


def test_verbose_shows_status_sizes_and_all_tags(capsys: pytest.CaptureFixture[str]) -> None:
    print_results([SENT, KEPT], verbose=True)

    assert capsys.readouterr().out.splitlines() == [
        f"{LONG}:20261126.v1@{DIGEST}",
        "    published, 96.3 MB sent in 2.0 s; 310.2 MB in the registry",
        "    tags: recipe-0123456789abcdef, 20261126.v1, latest",
        f"r.example/minimal:20261126.v1@{DIGEST}",
        "    already published; 16.9 MB in the registry",
        "    tags: recipe-fedcba9876543210, 20261126.v1, latest",
        "release 20261126.v1: 1 published, 1 already published; 96.3 MB sent",
    ]


def test_json_has_everything() -> None:
    (first, second) = json.loads(to_json([SENT, KEPT]))

    assert first == {
        "name": "tensorflow",
        "release": "20261126.v1",
        "status": "published",
        "reference": f"{LONG}:20261126.v1@{DIGEST}",
        "repository": LONG,
        "digest": DIGEST,
        "tags": ["recipe-0123456789abcdef", "20261126.v1", "latest"],
        "size": 310_200_000,
        "bytes_sent": 96_300_000,
        "seconds": 2.04,
    }
    assert (second["status"], second["bytes_sent"]) == ("already published", 0)


def test_nothing_to_publish(capsys: pytest.CaptureFixture[str]) -> None:
    print_results([])

    assert capsys.readouterr().out == "nothing to publish; 0 B sent\n"
