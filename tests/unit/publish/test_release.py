"""Releases: their records, how tags differ from them, and which release follows."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from build.errors import RegistryError
from build.publish import release as releases
from build.publish import targets
from build.publish.origin import Origin
from build.publish.plan import Plan
from build.publish.publication import Publication
from build.publish.records import Family
from build.publish.release import Commit, NewerFormatError, Place, Release, ReleasedImage, differences, next_number
from build.publish.targets import Rules, Target

TODAY = datetime.date(2026, 11, 26)
OLD, NEW = Commit(hash="a" * 40, time=1000), Commit(hash="b" * 40, time=2000)


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


def image(name: str, letter: str, *, stand_in: str = "", commit: Commit = OLD) -> ReleasedImage:
    return ReleasedImage(
        name=name,
        repository=f"azureml/{name}",
        stand_in=stand_in,
        digest=digest(letter),
        recipe=letter * 64,
        commit=commit,
    )


def release(*images: ReleasedImage, number: str = "20261126.v1", latest: Mapping[str, str] | None = None) -> Release:
    rolling = {each.repository: each.digest for each in images if not each.stand_in} if latest is None else latest
    return Release(
        number=number, run="r", host="h", created="2026-11-26T10:00:00+00:00", commit=OLD, images=images, latest=rolling
    )


def family(last: Release | None, tags: Mapping[Place, str | None] | None = None) -> Family:
    """A registry with a last release; by default its tags are what it says."""
    actual = {**(last.tags() if last else {}), **(tags or {})}
    numbers = releases.numbers([last.number] if last else [])
    return Family(repository="azureml/releases", numbers=tuple(numbers), release=last, digest=digest("f"), tags=actual)


def plan(name: str, letter: str, *, stand_in: str | None = None, rolling: bool = True) -> Plan:
    item = Publication(
        name=name,
        repository=f"azureml/{name}",
        local_reference="x",
        recipe=letter * 64,
        stand_in=stand_in,
        rolling=rolling,
    )
    return Plan(item=item, latest=None, digest=digest(letter))


def origin(commit: Commit = NEW) -> Origin:
    return Origin(run="mine", host="here", commit=commit, root=Path("/nowhere"))


def target(known: Family, *plans: Plan, rules: Rules | None = None) -> Target:
    return targets.target(known, plans, origin(), TODAY, rules or Rules())


# The record


def test_a_record_is_read_as_it_was_written_and_always_the_same_bytes() -> None:
    written = release(image("one", "1"), image("two", "2", stand_in="other"))

    assert releases.from_json(releases.to_json(written)) == written
    assert releases.to_json(written) == releases.to_json(releases.from_json(releases.to_json(written)))


def test_keys_that_a_later_version_adds_are_ignored() -> None:
    document = json.loads(releases.to_json(release(image("one", "1")))) | {"more": 1}

    assert releases.from_json(json.dumps(document).encode()).number == "20261126.v1"


@pytest.mark.parametrize(
    ("key", "value"),
    [("number", "latest"), ("images", [{"name": "one"}]), ("latest", {"azureml/one": "sha256:1"}), ("number", None)],
)
def test_what_is_not_a_record_is_refused(key: str, value: object) -> None:
    document = json.loads(releases.to_json(release(image("one", "1")))) | {key: value}

    with pytest.raises(ValueError):
        releases.from_json(json.dumps(document).encode())


@pytest.mark.parametrize("commit", [{"time": 10**18}, {"time": -1}, {"hash": "--output=x"}, {"hash": "ab\n"}])
def test_a_commit_that_cannot_be_one_is_refused(commit: dict[str, object]) -> None:
    document = json.loads(releases.to_json(release(image("one", "1"))))
    document["commit"] |= commit

    with pytest.raises(ValueError):
        releases.from_json(json.dumps(document).encode())


@pytest.mark.parametrize("content", [b"", b"[]", b"3", b"\xff", b"{}", b"[" * 200_000])
def test_other_content_is_not_a_record(content: bytes) -> None:
    with pytest.raises(ValueError):
        releases.from_json(content)


def test_a_later_format_is_told_apart_from_a_damaged_record() -> None:
    with pytest.raises(NewerFormatError):
        releases.from_json(b'{"format": 2, "number": {}}')


# Differences


def test_the_tags_of_a_finished_release_do_not_differ() -> None:
    made = release(image("one", "1"), image("two", "2", stand_in="other"))

    assert made.tags() == {
        ("azureml/one", "20261126.v1"): digest("1"),
        ("azureml/two", "20261126.v1-other"): digest("2"),
        ("azureml/one", "latest"): digest("1"),
    }
    assert differences(made, made.tags()) == ()


def test_missing_and_moved_tags_differ_and_only_an_immutable_one_is_a_conflict() -> None:
    made = release(image("one", "1"), image("two", "2"))
    tags = {
        ("azureml/one", "20261126.v1"): digest("9"),
        ("azureml/one", "latest"): digest("9"),
        ("azureml/two", "latest"): digest("2"),
    }

    found = differences(made, tags)

    assert [(each.repository, each.tag, each.actual, each.is_conflict) for each in found] == [
        ("azureml/one", "20261126.v1", digest("9"), True),
        ("azureml/two", "20261126.v1", None, False),
        ("azureml/one", "latest", digest("9"), False),
    ]


# Numbers


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ([], "20261126.v1"),
        (["20261125.v7"], "20261126.v1"),
        (["20261126.v1", "20261126.v9", "20261126.v10", "lock"], "20261126.v11"),
        (["20261127.v2"], "20261127.v3"),  # a machine whose clock is behind, or west of midnight
        (["20261126.v3-debian12-py37"], "20261126.v1"),
    ],
)
def test_the_next_number_is_higher_than_all_others(taken: list[str], expected: str) -> None:
    assert next_number(TODAY, releases.numbers(taken)) == expected


# The release that follows


def test_the_first_release_has_the_images_of_the_run() -> None:
    made = target(family(None), plan("one", "1"), plan("two", "2"))

    assert made.is_new
    assert made.release.number == "20261126.v1"
    assert made.moves == made.release.tags()
    assert len(made.moves) == 4


def test_images_that_the_run_does_not_publish_are_carried_over_under_the_new_number() -> None:
    made = target(family(release(image("one", "1"), image("two", "2"))), plan("two", "3"))

    assert made.release.number == "20261126.v2"
    assert made.moves == {
        ("azureml/one", "20261126.v2"): digest("1"),
        ("azureml/two", "20261126.v2"): digest("3"),
        ("azureml/two", "latest"): digest("3"),
    }
    assert {each.name: each.commit for each in made.release.images} == {"one": OLD, "two": NEW}


def test_nothing_is_done_where_the_last_release_has_all_images() -> None:
    made = target(family(release(image("one", "1"), image("two", "2"))), plan("two", "2"))

    assert made.is_done


def test_the_same_images_finish_an_interrupted_release_under_its_number() -> None:
    interrupted = release(image("one", "1"), image("two", "2"))
    tags: dict[Place, str | None] = {("azureml/one", "latest"): digest("0"), ("azureml/two", "20261126.v1"): None}

    made = target(family(interrupted, tags), plan("one", "1"))

    assert not made.is_new
    assert made.release == interrupted
    assert made.moves == {("azureml/two", "20261126.v1"): digest("2"), ("azureml/one", "latest"): digest("1")}


def test_other_images_first_complete_the_number_of_an_interrupted_release() -> None:
    interrupted = release(image("one", "1"), image("two", "2"))
    tags: dict[Place, str | None] = {("azureml/one", "latest"): digest("0"), ("azureml/two", "20261126.v1"): None}

    made = target(family(interrupted, tags), plan("one", "3"))

    assert made.release.number == "20261126.v2"
    assert next(iter(made.moves.items())) == (("azureml/two", "20261126.v1"), digest("2"))
    assert made.rolling == {("azureml/one", "latest"): digest("3")}  # it never points to the interrupted one


def test_a_number_that_is_on_another_image_cannot_be_finished_and_the_same_images_get_a_new_one() -> None:
    made = target(family(release(image("one", "1")), {("azureml/one", "20261126.v1"): digest("9")}), plan("one", "1"))

    assert made.is_new
    assert made.release.number == "20261126.v2"


def test_without_latest_only_immutable_tags_move_and_latest_is_carried_over() -> None:
    made = target(family(release(image("one", "1"))), plan("one", "2"), rules=Rules(latest=False))

    assert made.moves == made.wanted == {("azureml/one", "20261126.v2"): digest("2")}
    assert made.release.latest == {"azureml/one": digest("1")}


def test_an_unfinished_release_whose_latest_cannot_move_keeps_its_number_without_latest() -> None:
    interrupted = release(image("one", "1"))
    before: dict[Place, str | None] = {("azureml/one", "latest"): None}
    made = target(family(interrupted, before), plan("one", "1"), rules=Rules(latest=False))
    assert made.moves == {}  # the record still wants it: the next run with 'latest' finishes it

    first = release(image("one", "1"), latest={})
    asked = target(family(first, {("azureml/one", "20261126.v1"): None}), plan("one", "1"))
    assert (asked.is_new, asked.release.number, asked.replaces) == (True, "20261126.v1", digest("f"))


def test_a_stand_in_has_a_tag_of_its_own_and_leaves_latest() -> None:
    made = target(family(release(image("one", "1"))), plan("one", "2", stand_in="other", rolling=False))

    assert made.release.latest == {"azureml/one": digest("1")}
    assert made.moves == {
        ("azureml/one", "20261126.v2"): digest("1"),
        ("azureml/one", "20261126.v2-other"): digest("2"),
    }


def test_a_stand_in_that_takes_latest_takes_it_from_the_image_of_the_same_repository() -> None:
    made = target(family(release(image("one", "1"))), plan("one", "2", stand_in="other"))

    assert made.rolling == {("azureml/one", "latest"): digest("2")}
    assert made.release.latest == {"azureml/one": digest("2")}


def lost(known: Family, name: str, letter: str) -> Family:
    """The same registry without an image: its tags are gone too."""
    tags = {place: None if value == digest(letter) else value for place, value in known.tags.items()}
    return dataclasses.replace(known, tags=tags, gone=frozenset({(f"azureml/{name}", digest(letter))}))


def test_an_image_that_the_registry_lost_is_not_carried_over() -> None:
    known = lost(family(release(image("one", "1"), image("two", "2"))), "one", "1")

    for made in (target(known, plan("two", "2")), target(known, plan("two", "3"))):
        assert made.is_new
        assert [each.name for each in made.release.images] == ["two"]
        assert list(made.release.latest) == ["azureml/two"]
        assert {repository for repository, _ in made.moves} == {"azureml/two"}


def test_an_image_that_the_registry_lost_can_be_replaced() -> None:
    made = target(lost(family(release(image("one", "1"), image("two", "2"))), "one", "1"), plan("one", "3"))

    assert {each.name: each.digest for each in made.release.images} == {"one": digest("3"), "two": digest("2")}
    assert not made.unfinished
    assert made.rolling == {("azureml/one", "latest"): digest("3")}


def test_without_latest_a_lost_image_is_not_the_one_that_latest_should_be() -> None:
    known = lost(family(release(image("one", "1"), image("two", "2"))), "one", "1")

    made = target(known, plan("two", "3"), rules=Rules(latest=False))

    assert made.release.latest == {"azureml/two": digest("2")}


# Older commits, by their times: /nowhere is no git checkout


@pytest.mark.parametrize(
    ("mine", "published", "is_refused"),
    [(OLD, NEW, True), (NEW, OLD, False), (OLD, OLD, False), (Commit(), NEW, False), (OLD, Commit(), False)],
)
def test_an_older_commit_is_refused(mine: Commit, published: Commit, is_refused: bool) -> None:
    known = family(release(image("one", "1", commit=published), image("two", "2", commit=NEW)))

    def check() -> None:
        targets.check_age(known, [plan("one", "9")], origin(mine), "r.example")

    if not is_refused:
        check()
        return
    with pytest.raises(RegistryError, match=r"newer images: release 20261126\.v1 is of commit bbbbbbb") as failure:
        check()
    assert "--allow-older" in str(failure.value.fix)
    assert failure.value.details == "newer: one"


def test_an_older_commit_with_the_same_image_is_not_refused() -> None:
    known = family(release(image("one", "1", commit=NEW)))

    targets.check_age(known, [plan("one", "1")], origin(OLD), "r.example")


@pytest.mark.parametrize(
    ("mine", "published", "expected"),
    [(OLD, NEW, NEW), (NEW, OLD, NEW), (Commit(), OLD, OLD), (OLD, Commit(), OLD), (Commit(), Commit(), Commit())],
)
def test_the_commit_of_an_unchanged_image_never_becomes_an_older_one(
    mine: Commit, published: Commit, expected: Commit
) -> None:
    known = family(release(image("one", "1", commit=published)))

    made = targets.target(known, [plan("one", "1"), plan("two", "2")], origin(mine), TODAY, Rules())

    assert {each.name: each.commit for each in made.release.images} == {"one": expected, "two": mine}


def test_images_of_the_same_digests_are_the_same_whatever_commit_published_them() -> None:
    images = (image("one", "1"),)

    assert releases.same_images(images, [dataclasses.replace(images[0], commit=NEW)])
    assert not releases.same_images(images, [image("one", "2")])
