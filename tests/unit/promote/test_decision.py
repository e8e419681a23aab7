"""Which records and tags a target gets."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping

import pytest

from build.errors import RegistryError
from build.promote.decision import Decision, Known, decide
from build.publish import release as releases
from build.publish.origin import Origin
from build.publish.records import Record
from build.publish.release import Commit, Release, ReleasedImage
from build.publish.targets import Rules
from tests.conftest import ROOT

TODAY = datetime.date(2026, 11, 26)
ORIGIN = Origin(run="r2", host="there", commit=Commit(), root=ROOT)


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


def record(number: str, letter: str, latest: Mapping[str, str] | None = None) -> Record:
    image = ReleasedImage(
        name="one", repository="azureml/one", digest=digest(letter), recipe=letter * 64, commit=Commit()
    )
    rolling = {"azureml/one": digest(letter)} if latest is None else latest
    release = Release(
        number=number,
        run="r1",
        host="h",
        created="2026-11-20T00:00:00Z",
        commit=Commit(),
        images=(image,),
        latest=rolling,
    )
    manifest, content = releases.artifact(release)
    return Record(release=release, manifest=manifest, content=content)


def known(last: Record | None, same: Record | None = None, *numbers: str) -> Known:
    found = releases.numbers([each.release.number for each in (last, same) if each] + list(numbers))
    return Known(numbers=tuple(dict.fromkeys(found)), last=last, same_number=same)


def decided(new: Record, there: Known, *, allow_older: bool = False, latest: bool = True) -> Decision:
    return decide(new, there, ORIGIN, TODAY, Rules(allow_older=allow_older, latest=latest), "target")


V1, V2 = record("20261120.v1", "a"), record("20261120.v2", "b")
LATEST = ("azureml/one", "latest")


def test_the_first_release_is_copied_as_it_is() -> None:
    decision = decided(V1, known(None))
    (new,) = decision.records
    assert (new.manifest, new.content, new.replaces) == (V1.manifest, V1.content, None)
    assert decision.tags == {("azureml/one", "20261120.v1"): digest("a"), LATEST: digest("a")}


def test_a_release_that_is_there_needs_no_record_and_its_tags() -> None:
    decision = decided(V1, known(V1, V1))
    assert decision.records == ()
    assert decision.rolling == {LATEST: digest("a")}


def test_a_newer_release_follows() -> None:
    decision = decided(V2, known(V1))
    assert [each.number for each in decision.records] == ["20261120.v2"]
    assert decision.rolling == {LATEST: digest("b")}


def test_an_older_release_is_refused() -> None:
    with pytest.raises(RegistryError, match=r"newer release: 20261120\.v2 of .*, and 20261120\.v1 is older"):
        decided(V1, known(V2, V1))


def test_going_back_needs_a_record_with_a_higher_number() -> None:
    decision = decided(V1, known(V2), allow_older=True)
    copied, back = decision.records
    assert copied.manifest == V1.manifest
    assert back.number == decision.release.number == "20261126.v1"
    assert decision.release.images == V1.release.images
    assert (decision.release.run, decision.release.host) == ("r2", "there")
    assert decision.tags == {
        ("azureml/one", "20261120.v1"): digest("a"),
        ("azureml/one", "20261126.v1"): digest("a"),
        LATEST: digest("a"),
    }


def test_what_went_back_already_is_only_finished() -> None:
    back = dataclasses.replace(V1.release, number="20261126.v1")
    manifest, content = releases.artifact(back)
    decision = decided(V1, known(Record(release=back, manifest=manifest, content=content), V1))
    assert decision.records == ()
    assert decision.release == back
    assert decision.rolling == {LATEST: digest("a")}


def same_family(number: str) -> Record:
    """The record of a later release with the images of V1."""
    release = dataclasses.replace(V1.release, number=number)
    manifest, content = releases.artifact(release)
    return Record(release=release, manifest=manifest, content=content)


def test_an_older_release_with_the_images_of_the_last_one_gets_its_record() -> None:
    last = same_family("20261126.v1")
    decision = decided(V1, known(last))
    (new,) = decision.records
    assert (new.number, new.manifest, new.replaces) == ("20261120.v1", V1.manifest, None)
    assert decision.release == last.release, "the record with the highest number says what the family is"
    assert decision.tags == {
        ("azureml/one", "20261120.v1"): digest("a"),
        ("azureml/one", "20261126.v1"): digest("a"),
        LATEST: digest("a"),
    }


def test_the_images_of_the_last_release_do_not_free_a_number_that_is_taken() -> None:
    taken = record("20261120.v1", "c")
    with pytest.raises(RegistryError, match=r"another release of the number 20261120\.v1"):
        decided(V1, known(same_family("20261126.v1"), taken))


def test_an_older_release_for_an_archive_moves_nothing() -> None:
    decision = decided(V1, known(V2), allow_older=True, latest=False)
    assert [each.manifest for each in decision.records] == [V1.manifest]
    assert decision.tags == {("azureml/one", "20261120.v1"): digest("a")}


def test_without_latest_the_record_says_what_latest_is_there() -> None:
    (new,) = decided(V2, known(V1), latest=False).records
    written = releases.from_json(new.content)
    assert written == dataclasses.replace(V2.release, latest=V1.release.latest)
    again = Record(release=written, manifest=new.manifest, content=new.content)
    assert decided(V2, known(again, again), latest=False).records == ()

    (finished,) = decided(V2, known(again, again)).records
    assert (finished.manifest, finished.replaces) == (V2.manifest, new.manifest.digest)


@pytest.mark.parametrize("latest", [True, False])
def test_another_release_of_the_same_number_is_refused(latest: bool) -> None:
    other = record("20261120.v1", "c")
    with pytest.raises(RegistryError, match=r"another release of the number 20261120\.v1, with other images"):
        decided(V1, known(other, other), latest=latest)
