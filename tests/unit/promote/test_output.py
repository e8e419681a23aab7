"""What `nox -s promote` prints at its end."""

from __future__ import annotations

import json

import pytest

from build.promote.output import print_result, summary, to_json
from build.promote.promote import Promoted, RefusedAttachment

REFUSED = RefusedAttachment(reference="here/one@sha256:1", type="t/x\x1b[31m", reason="[bold]not this[/bold] :x:")
IMAGE = "registry.example/prod/one:20261126.v1@sha256:" + "a" * 64


def promoted(**more: object) -> Promoted:
    values = {
        "release": "20261126.v1",
        "number": "20261126.v1",
        "images": (IMAGE,),
        "latest": True,
        "attachments_sent": 0,
        "attachments_there": 0,
        "attachments_refused": (),
        "blobs_sent": 3,
        "bytes_sent": 96_300_000,
        "blobs_mounted": 12,
        "blobs_there": 40,
        "bytes_there": 1_200_000_000,
        "was_there": False,
        "seconds": 12.3456,
    }
    return Promoted(**(values | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({}, "3 blobs sent (96.3 MB), 12 mounted from other repositories, 40 already there (1.2 GB); 12 s"),
        ({"blobs_mounted": 0, "blobs_there": 0, "blobs_sent": 1}, "1 blob sent (96.3 MB); 12 s"),
        (
            {"latest": False, "blobs_mounted": 0, "blobs_there": 0},
            "3 blobs sent (96.3 MB); 12 s; 'latest' was not moved",
        ),
        (
            {"blobs_mounted": 0, "blobs_there": 0, "attachments_sent": 2, "attachments_refused": (REFUSED,)},
            "3 blobs sent (96.3 MB); attachments: 2 sent, 1 refused; 12 s",
        ),
        (
            {"blobs_mounted": 0, "blobs_there": 0, "attachments_there": 1},
            "3 blobs sent (96.3 MB); attachments: 1 already there; 12 s",
        ),
        ({"was_there": True, "attachments_there": 1}, "everything is there already; 0 B sent"),
    ],
)
def test_the_totals_are_one_line(more: dict[str, object], line: str) -> None:
    assert summary(promoted(**more)) == f"release 20261126.v1: {line}"


def test_a_release_that_the_last_one_of_the_target_equals_is_named() -> None:
    line = summary(promoted(release="20261120.v1", was_there=True))
    same = "(the target's last release, 20261126.v1, has the same images)"
    assert line == f"release 20261120.v1 {same}: everything is there already; 0 B sent"


def test_each_refused_attachment_is_a_line_as_the_registry_wrote_it(capsys: pytest.CaptureFixture[str]) -> None:
    print_result(promoted(attachments_refused=(REFUSED, REFUSED)))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:3] == ["refused: here/one@sha256:1 (t/x\\x1b[31m): [bold]not this[/bold] :x:"] * 2
    assert "attachments: 2 refused" in lines[3]


def test_each_reference_is_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    print_result(promoted())
    assert capsys.readouterr().out.splitlines()[0] == IMAGE


def test_json_has_everything() -> None:
    document = json.loads(to_json(promoted(attachments_refused=(REFUSED,))))
    assert document["attachments_refused"] == [
        {"reference": REFUSED.reference, "type": REFUSED.type, "reason": REFUSED.reason}
    ]
    assert document["images"] == [IMAGE]
    assert (document["bytes_sent"], document["seconds"]) == (96_300_000, 12.346)
