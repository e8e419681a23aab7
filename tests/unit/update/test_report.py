"""What people read about an update."""

from __future__ import annotations

import dataclasses
import datetime
import json

from packaging.version import Version

from build.locks.debian_archive import Newer
from build.scaffold.model import find_model
from build.update import report_text
from build.update.additions import Added, Addition
from build.update.decide import Held, decide
from build.update.report import NotLocked, PackageChange, Report, changes
from tests.unit.fixture_project import PROJECT
from tests.unit.update.values import DAY, files, found, pins

(SKLEARN,) = pins("scikit-learn==1.9.1")
DECISION = decide(
    SKLEARN, found(SKLEARN, files("scikit-learn", "1.9.2", "cp313"), files("scikit-learn", "1.10", "cp313")), DAY
)
EMPTY = Report(old_day=datetime.date(2026, 11, 19), new_day=datetime.date(2026, 11, 20))
SECURITY = Newer(
    name="libssl3",
    old="3.0.16-1",
    new="3.0.17-1",
    source="openssl",
    is_security=True,
    cves=("CVE-2026-1", "CVE-2026-2"),
)
FULL = dataclasses.replace(
    EMPTY,
    decisions=(DECISION,),
    images={"an-image": (PackageChange(name="numpy", old="2.4.6", new="2.4.7"),)},
    bases={"debian12-py311": (SECURITY, Newer(name="apt", old="1", new="2", source="apt", is_security=False))},
    cuda_bases={"a-base": ("libcudart11.0 (none) -> 11.8.89",)},
    rebuilt=("an-image",),
    new_bytes=16_900_000,
    held=DECISION.held,
)


def test_nothing_moves_if_only_the_day_would() -> None:
    assert not EMPTY.moves
    assert report_text.to_markdown(EMPTY) == "# Update\n\n**nothing to update**\n\n`exclude-newer`: 2026-11-19\n"
    assert list(report_text.tables(EMPTY)) == []


def test_the_changes_between_two_locks() -> None:
    changed = changes({"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"})
    assert [str(change) for change in changed] == ["b 1 → 2", "c 1 → (none)", "d (none) → 1"]


def test_markdown() -> None:
    text = report_text.to_markdown(FULL)
    title = "1 pin moves, 1 image with other packages (16.9 MB of new ones), 2 bases with newer Debian packages"
    assert f"**{title}, 1 image to build again**" in text
    assert "`exclude-newer`: 2026-11-19 → 2026-11-20" in text
    new = "scikit-learn==1.9.2; python_version >= '3.13', scikit-learn==1.9.1; python_version &lt; '3.13'"
    assert f"| scikit-learn==1.9.1 | {new} | sklearn-1.9-debian13-py313-cpu-inference |" in text
    assert "| an-image | numpy 2.4.6 → 2.4.7 |" in text
    assert "| debian12-py311 | libssl3 | 3.0.16-1 | 3.0.17-1 |" in text
    assert "| debian12-py311 | apt | 1 | 2 |" in text
    assert "| a-base | libcudart11.0 | (none) | 11.8.89 |" in text
    fixes = "libssl3 3.0.16-1 → 3.0.17-1 (debian12-py311): CVE-2026-1, CVE-2026-2"
    assert f"## Security fixes\n\n- {fixes}\n\n" in text
    assert "## Images to build again\n\n- an-image\n" in text
    held = "- scikit-learn stays at 1.9.1, not 1.9.2 (sklearn-1.9-debian12-py311-cpu-inference): "
    assert f"{held}scikit-learn 1.9.2 has no wheel for Python 3.11 (only for 3.13)" in text


def test_images_that_cannot_be_locked_are_named_with_what_is_left_of_their_locks() -> None:
    failed = {"an-image": NotLocked(reason="there is no a 1", lock="it keeps its lock")}
    made = dataclasses.replace(FULL, failed=failed)
    assert made.title.endswith(", 1 image to build again, 1 image cannot be locked")
    text = report_text.to_markdown(made)
    assert "## Images that cannot be locked\n\n- an-image: there is no a 1; it keeps its lock\n" in text
    assert json.loads(report_text.to_json(made))["failed"] == {
        "an-image": {"reason": "there is no a 1", "lock": "it keeps its lock"}
    }
    nothing = dataclasses.replace(EMPTY, failed=failed)
    assert not nothing.moves and nothing.title == "nothing to update; 1 image cannot be locked"


def test_new_versions_and_images_that_have_ended() -> None:
    of = find_model(PROJECT.matrix, PROJECT.variants, "sklearn")
    assert of is not None
    addition = Addition(framework="sklearn", of=of, version=Version("1.10.0"), day=None, missing={}).without(
        {"sklearn-1.10-debian12-py311-cpu-inference": "it has no wheel"}
    )
    made = dataclasses.replace(
        EMPTY,
        added=(Added(addition=addition, ends={"1.9": "ends on 2027-05-26", "1.8": "ends, too"}),),
        ended={"an-old-image": ("server==1",), "another": ()},
        images={"another": ()},
    )
    assert made.moves and made.title.startswith("1 new version, ")
    text = report_text.to_markdown(made)
    row = (
        "| sklearn 1.10 (1.10.0) | sklearn-1.10-debian13-py313-cpu-inference | 1.9 ends on 2027-05-26; 1.8 ends, too |"
    )
    assert f"## New versions\n\n| version | images | older versions |\n|---|---|---|\n{row}" in text
    assert "- sklearn-1.10-debian12-py311-cpu-inference is not added: it has no wheel" in text
    shared = "it shares server==1 with images that have not ended; it is built only if you select it"
    assert f"## Images that have ended\n\n- an-old-image changes too, since {shared}\n" in text
    assert "- another changes too, since all locks are of one day; " in text
    content = json.loads(report_text.to_json(made))
    assert content["added"][0]["older"][0] == {"version": "1.9", "end": "ends on 2027-05-26"}
    assert content["ended"] == {"an-old-image": ["server==1"], "another": []}


def test_a_source_without_an_answer_has_no_newer_release() -> None:
    held = Held(name="torch", version="2.13.0", newer="", images=("an-image",), reason="the source did not answer")
    (line,) = report_text.held_lines(dataclasses.replace(EMPTY, held=(held,)))
    assert line == "torch stays at 2.13.0 (an-image): the source did not answer"


def test_json_has_the_same() -> None:
    content = json.loads(report_text.to_json(FULL))
    assert content["moves"] is True
    assert content["images"] == {"an-image": [{"name": "numpy", "old": "2.4.6", "new": "2.4.7"}]}
    assert content["bases"]["debian12-py311"][0]["cves"] == ["CVE-2026-1", "CVE-2026-2"]
    assert content["held"][0]["newer"] == "1.9.2"
    assert content["pins"][0]["images"] == ["sklearn-1.9-debian13-py313-cpu-inference"]
