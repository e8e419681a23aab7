"""The tag of a recipe, and what a run prints."""

from __future__ import annotations

import pytest

from build.images.recipe import recipe_tag
from build.publish.output import table
from build.publish.publication import Published


def test_the_recipe_tag_has_sixteen_digits() -> None:
    assert recipe_tag("0123456789abcdef" + "f" * 48) == "recipe-0123456789abcdef"


def test_every_reference_is_printed_whole_with_bytes_and_totals(capsys: pytest.CaptureFixture[str]) -> None:
    digest = "sha256:" + "a" * 64
    long = "registry.example.com:5000/some/namespace/tensorflow-2.21-debian12-py311-cpu-inference"
    references = (f"{long}:recipe-0123456789abcdef@{digest}", f"{long}:latest@{digest}")
    sent = Published(
        name="tensorflow",
        references=references,
        pull=references[-1],
        digest=digest,
        bytes_sent=96_300_000,
        status="published",
        seconds=2.04,
    )
    kept = Published(
        name="minimal",
        references=("r/minimal:latest@" + digest,),
        pull="r/minimal:latest@" + digest,
        digest=digest,
        bytes_sent=0,
        status="already published",
        seconds=0.0,
    )

    table([sent, kept])

    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines if line.startswith("tensorflow")] == [
        ["tensorflow", "published", "96.3", "MB", "2.0", "s"]
    ]
    assert "1 published, 1 already published; 96.3 MB sent" in lines
    assert lines[-3:] == [*references, "r/minimal:latest@" + digest]
