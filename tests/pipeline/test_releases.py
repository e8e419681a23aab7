"""Releases in a real registry: two publishers, interrupted publishes, older ones, and what is said about them."""

from __future__ import annotations

import datetime
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import pytest
from docker import DockerClient

from build.errors import RegistryError
from build.publish import lock, records, status
from build.publish import publish as publishing
from build.publish.publication import Publication, Published
from build.publish.records import Family
from build.publish.stored import recipe_of
from build.publish.targets import Rules
from build.registry import attachments
from build.registry.address import Registry
from build.registry.client import Client
from build.registry.manifests import EMPTY_CONTENT, MANIFEST, Manifest, descriptor, to_manifest
from tests.conftest import ROOT
from tests.pipeline.registries import (
    MONDAY,
    REPOSITORIES,
    TUESDAY,
    Load,
    Running,
    an_origin,
    publish,
    random_layer,
)
from tests.registry_proxy import Fault, Kind, delay, lost_answer, registry_proxy
from tests.registry_proxy import status as answer
from tests.unit.http_servers import Answer, Request, Respond

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("short_wait")]

RELEASES = "azureml/releases"


def family_of(registry: Registry) -> Family:
    with Client(registry) as client:
        return records.read(client, RELEASES)


def holder_of(registry: Registry) -> lock.Holder | None:
    with Client(registry) as client:
        return lock.current_holder(client, RELEASES)


@pytest.fixture
def pair(load: Load) -> Callable[[], list[Publication]]:
    """A function that returns two new images of the same two names."""
    return lambda: [load(name, [random_layer(1000)]) for name in ("one", "two")]


Pair = Callable[[], list[Publication]]


# Records


def test_a_release_is_recorded_under_the_number_of_its_images(
    engine_client: DockerClient, there: Running, pair: Pair
) -> None:
    items = pair()

    results = publish(items, there.registry, engine_client, MONDAY, origin=an_origin("r1", "a" * 40, 1000))

    family = family_of(there.registry)
    assert family.release is not None
    assert not family.differences
    assert (family.release.number, family.release.run, family.release.commit.hash) == ("20261123.v1", "r1", "a" * 40)
    assert {(image.name, image.digest, image.recipe) for image in family.release.images} == {
        (item.name, result.digest, item.recipe) for item, result in zip(items, results, strict=True)
    }
    assert {result.release for result in results} == {"20261123.v1"}
    assert there.tags(RELEASES) == ["20261123.v1", "lock"]
    assert holder_of(there.registry) is None


def test_some_images_make_a_release_too_and_the_others_are_carried_over(
    engine_client: DockerClient, there: Running, load: Load, pair: Pair
) -> None:
    one, two = publish(pair(), there.registry, engine_client, MONDAY)

    (new,) = publish([load("two", [random_layer(1000)])], there.registry, engine_client, MONDAY)

    assert new.release == "20261123.v2"
    assert there.tag("azureml/one", "20261123.v2") == there.tag("azureml/one", "latest") == one.digest
    assert there.tag("azureml/two", "20261123.v2") == there.tag("azureml/two", "latest") == new.digest
    assert there.tag("azureml/two", "20261123.v1") == two.digest
    assert not family_of(there.registry).differences


def test_the_first_release_in_a_registry_of_before_takes_a_number_that_no_image_has(
    engine_client: DockerClient, there: Running, pair: Pair
) -> None:
    old = publish(pair(), there.registry, engine_client, MONDAY)
    delete(there, RELEASES)

    new = publish(pair(), there.registry, engine_client, MONDAY)

    assert {result.release for result in new} == {"20261123.v2"}
    assert there.tag("azureml/one", "20261123.v1") == old[0].digest


def test_an_image_that_was_deleted_is_not_carried_over(
    engine_client: DockerClient, there: Running, load: Load, pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(pair(), there.registry, engine_client, MONDAY)
    delete(there, "azureml/one")

    publish([load("two", [random_layer(1000)])], there.registry, engine_client, MONDAY)

    family = family_of(there.registry)
    assert family.release is not None
    assert [image.name for image in family.release.images] == ["two"]
    assert not family.differences
    assert "azureml/one@sha256:" in capsys.readouterr().err


def test_the_day_of_a_release_is_that_of_the_registrys_clock(
    engine_client: DockerClient, there: Running, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Client, "now", lambda _: datetime.datetime(2030, 1, 2, 23, 59, tzinfo=datetime.UTC))

    results = publishing.publish(pair(), there.registry, engine_client, origin=an_origin())

    assert {result.release for result in results} == {"20300102.v1"}


def delete(registry: Running, repository: str) -> None:
    """Delete all images of a repository."""
    registry.run(f"rm -rf {REPOSITORIES}/{repository}")


def test_a_deleted_image_can_be_replaced(engine_client: DockerClient, there: Running, load: Load, pair: Pair) -> None:
    _, two = publish(pair(), there.registry, engine_client, MONDAY)
    delete(there, "azureml/one")

    (fixed,) = publish([load("one", [random_layer(1000)])], there.registry, engine_client, MONDAY)

    assert fixed.release == "20261123.v2"
    assert there.tag("azureml/one", "latest") == fixed.digest
    assert there.tag("azureml/two", "20261123.v2") == there.tag("azureml/two", "latest") == two.digest
    assert not family_of(there.registry).differences


@pytest.mark.parametrize("latest", [True, False])
def test_an_image_that_left_the_matrix_and_was_deleted_leaves_the_release(
    engine_client: DockerClient, there: Running, pair: Pair, capsys: pytest.CaptureFixture[str], latest: bool
) -> None:
    items = pair()
    publish(items, there.registry, engine_client, MONDAY)
    delete(there, "azureml/one")

    for _ in range(2):
        (result,) = publish(items[1:], there.registry, engine_client, MONDAY, rules=Rules(latest=latest))

    assert (result.release, result.status) == ("20261123.v2", "already published")
    family = family_of(there.registry)
    assert family.release is not None
    assert [image.name for image in family.release.images] == ["two"]
    assert list(family.release.latest) == ["azureml/two"]
    assert not family.differences
    assert capsys.readouterr().err.count("is not in the registry any more: the new release does not have it") == 1


def test_a_record_that_is_written_again_under_its_number_keeps_all_images(
    engine_client: DockerClient, there: Running, load: Load, pair: Pair
) -> None:
    """The next publish moves 'latest' too, and images whose tags are in place already stay in the release."""
    items = pair()
    publish([*items, load("alone", [random_layer(1000)])], there.registry, engine_client, MONDAY)
    without_latest, new = Rules(latest=False), pair()
    refused = Fault(kind="tag write", effect=answer(403, "no", error="DENIED"), path="two/manifests/2026")
    with registry_proxy(there.port, refused) as proxy, pytest.raises(RegistryError):
        publish(new, proxy.registry, engine_client, MONDAY, rules=without_latest)

    results = publish(new, there.registry, engine_client, MONDAY)

    family = family_of(there.registry)
    assert family.release is not None
    assert {result.release for result in results} == {family.release.number} == {"20261123.v2"}
    assert [image.name for image in family.release.images] == ["alone", "one", "two"]
    assert not family.differences


def test_a_record_that_is_listed_before_it_can_be_read_is_read_again(
    engine_client: DockerClient, there: Running, pair: Pair
) -> None:
    """Another run is writing it."""
    items = pair()
    publish(items, there.registry, engine_client, MONDAY)
    early = Fault(kind="manifest read", effect=answer(404), path="releases/manifests/2026")
    with registry_proxy(there.port, early) as proxy:
        results = publish(items, proxy.registry, engine_client, MONDAY)

    assert {result.status for result in results} == {"already published"}


def lose_content(registry: Running, record: Manifest) -> None:
    digest = record.document["layers"][0]["digest"].partition(":")[2]
    registry.run(f"rm -r {REPOSITORIES}/{RELEASES}/_layers/sha256/{digest}")


def lose_manifest(registry: Running, record: Manifest) -> None:
    registry.run(f"rm -r {REPOSITORIES}/{RELEASES}/_manifests/revisions/sha256/{record.digest.partition(':')[2]}")


def put_another(registry: Running, record: Manifest) -> None:
    content = b'{"number": "20261123.v2", "images": []}'
    document = {**record.document, "layers": [descriptor("text/json", content)]}
    with Client(registry.registry) as client:
        client.put_tag(RELEASES, "20261123.v2", to_manifest(document, MANIFEST), [content])


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lose_content, "its content is not in the registry any more"),
        (lose_manifest, "its content is not in the registry any more"),
        (put_another, "run: Field required"),
    ],
)
def test_a_last_record_that_cannot_be_read_stops_a_publish_unless_it_is_left_out(
    engine_client: DockerClient,
    there: Running,
    pair: Pair,
    damage: Callable[[Running, Manifest], None],
    reason: str,
) -> None:
    publish(pair(), there.registry, engine_client, MONDAY)
    old = publish(pair(), there.registry, engine_client, MONDAY)
    with Client(there.registry) as client:
        damage(there, client.manifest(RELEASES, "20261123.v2"))
    items = pair()

    with pytest.raises(RegistryError, match=f"record of release 20261123.v2 cannot be read: {reason}") as failure:
        publish(items[:1], there.registry, engine_client, MONDAY)

    assert "--without-record 20261123.v2" in str(failure.value.fix)
    assert [there.tag(f"azureml/{result.name}", "latest") for result in old] == [result.digest for result in old]
    rules = Rules(without_records=frozenset({"20261123.v2"}))
    results = publish(items, there.registry, engine_client, MONDAY, rules=rules)
    assert {result.release for result in results} == {"20261123.v3"}
    assert not family_of(there.registry).differences
    # A record that can be read is never left out.
    rules = Rules(without_records=frozenset({"20261123.v3"}))
    again = publish(items, there.registry, engine_client, MONDAY, rules=rules)
    assert {(result.release, result.status) for result in again} == {("20261123.v3", "already published")}


# Older commits


def test_an_older_commit_is_refused_before_anything_is_sent_unless_it_is_allowed(
    engine_client: DockerClient, there: Running, pair: Pair
) -> None:
    new = publish(pair(), there.registry, engine_client, TUESDAY, origin=an_origin("new", "b" * 40, 2000))
    before = (there.uploads(), there.tags("azureml/one"), there.tags(RELEASES))
    older, old_run = pair(), an_origin("old", "a" * 40, 1000)

    with pytest.raises(RegistryError, match="the registry has newer images") as failure:
        publish(older, there.registry, engine_client, TUESDAY, origin=old_run)

    assert "--allow-older" in str(failure.value.fix)
    assert (there.uploads(), there.tags("azureml/one"), there.tags(RELEASES)) == before
    assert there.tag("azureml/one", "latest") == new[0].digest

    results = publish(older, there.registry, engine_client, TUESDAY, origin=old_run, rules=Rules(allow_older=True))
    assert there.tag("azureml/one", "latest") == results[0].digest
    assert results[0].release == "20261124.v2"


# Interrupted publishes


def stopping_before(number: int, path: str = "") -> tuple[Fault, ...]:
    """Let some writes of tags pass; the next one, and all requests after it, fail.  Nothing can be moved back then."""
    kinds: tuple[Kind, ...] = ("manifest read", "blob read")
    gone = threading.Event()

    def end(request: Request, registry: Respond) -> Answer:
        gone.set()
        return Answer(status=418)

    def ended(request: Request, registry: Respond) -> Answer:
        return Answer(status=418) if gone.is_set() else registry(request)

    return (
        Fault(kind="tag write", effect=end, skip=number, times=None, path=path),
        *(Fault(kind=kind, effect=ended, times=None) for kind in kinds),
    )


@pytest.mark.parametrize("written", [1, *(pytest.param(count, marks=pytest.mark.thorough) for count in (0, 2, 3))])
def test_an_interrupted_publish_is_reported_and_the_next_one_finishes_it_under_its_number(
    engine_client: DockerClient,
    there: Running,
    pair: Pair,
    capsys: pytest.CaptureFixture[str],
    written: int,
) -> None:
    """After the record, or after it and one to three tags of images, the registry answers nothing any more."""
    old = publish(pair(), there.registry, engine_client, MONDAY)
    items = pair()
    places = "(two|one|releases)/manifests/(2026|latest)"
    with registry_proxy(there.port, *stopping_before(written + 1, places)) as proxy, pytest.raises(RegistryError):
        publish(items, proxy.registry, engine_client, TUESDAY, origin=an_origin("killed", clone="c"))
    family = family_of(there.registry)
    assert len(family.differences) == 4 - written
    capsys.readouterr()

    with Client(there.registry) as client:
        status.warn_if_interrupted(client, family, "c")
    said = capsys.readouterr().err
    are = "is" if written == 3 else "are"
    assert f"{4 - written} of the 4 tags of release 20261124.v1 (run killed on here" in said
    assert f"{are} not what its record says" in said
    assert "the publish was interrupted, or another program moved or deleted tags" in said
    assert "the next publish corrects that: nox -s publish" in said

    # Of one image: the other is in the registry, and is not needed in the engine.
    (result,) = publish(items[:1], there.registry, engine_client, TUESDAY, origin=an_origin("next", clone="c"))
    family = family_of(there.registry)
    assert result.release == "20261124.v1"
    assert not family.differences
    assert [number.tag for number in family.numbers] == ["20261124.v1", "20261123.v1"]
    assert there.tag("azureml/two", "latest") != old[1].digest
    assert there.tag("azureml/one", "20261123.v1") == old[0].digest


def test_other_images_after_an_interrupted_publish_make_the_next_release_and_its_number_names_a_family(
    engine_client: DockerClient, there: Running, pair: Pair
) -> None:
    publish(pair(), there.registry, engine_client, MONDAY)
    interrupted, other = pair(), pair()
    with registry_proxy(there.port, *stopping_before(2, "manifests/2026")) as proxy, pytest.raises(RegistryError):
        publish(interrupted, proxy.registry, engine_client, MONDAY, origin=an_origin(clone="c"))

    results = publish(other, there.registry, engine_client, MONDAY, origin=an_origin(clone="c"))

    assert {result.release for result in results} == {"20261123.v3"}
    with Client(there.registry) as client:
        for item in interrupted:
            assert client.digest(item.repository, "20261123.v2") == client.digest(item.repository, item.recipe_tag)
    assert not family_of(there.registry).differences


def test_a_failure_while_an_interrupted_release_is_completed_names_that_release(
    engine_client: DockerClient, there: Running, pair: Pair
) -> None:
    with registry_proxy(there.port, *stopping_before(2, "manifests/2026")) as proxy, pytest.raises(RegistryError):
        publish(pair(), proxy.registry, engine_client, MONDAY, origin=an_origin(clone="c"))
    items = pair()

    denied = Fault(kind="tag write", effect=answer(403, "no", error="DENIED"), path="manifests/20261123.v1")
    with registry_proxy(there.port, denied) as proxy, pytest.raises(RegistryError) as failure:
        publish(items, proxy.registry, engine_client, MONDAY, origin=an_origin(clone="c"))
    assert "release 20261123.v1 is not finished" in str(failure.value.details)

    denied = Fault(kind="tag write", effect=answer(403, "no", error="DENIED"), path="releases/manifests/2026")
    with registry_proxy(there.port, denied) as proxy, pytest.raises(RegistryError) as failure:
        publish(items, proxy.registry, engine_client, MONDAY, origin=an_origin(clone="c"))
    assert "no 'latest' was moved; release 20261123.v2 is not recorded" in str(failure.value.details)


def test_a_try_that_fails_before_its_record_burns_no_number(
    engine_client: DockerClient, there: Running, pair: Pair
) -> None:
    items = pair()
    denied = Fault(kind="tag write", effect=answer(403, "no", error="DENIED"), path="releases/manifests/2026")
    with registry_proxy(there.port, denied) as proxy, pytest.raises(RegistryError) as failure:
        publish(items, proxy.registry, engine_client, MONDAY)
    assert "no 'latest' was moved; release 20261123.v1 is not recorded" in str(failure.value.details)

    results = publish(items, there.registry, engine_client, MONDAY)

    assert {result.release for result in results} == {"20261123.v1"}
    assert there.tags("azureml/one") == ["20261123.v1", "latest", items[0].recipe_tag]


def test_a_latest_that_was_moved_by_hand_is_reported_and_the_next_publish_sets_it_to_the_record(
    engine_client: DockerClient, there: Running, pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    items = pair()
    old = publish(items, there.registry, engine_client, MONDAY)
    new = publish(pair(), there.registry, engine_client, MONDAY)
    with Client(there.registry) as client:
        client.put_tag("azureml/one", "latest", client.manifest("azureml/one", old[0].digest))
        status.warn_if_interrupted(client, family_of(there.registry))
    said = capsys.readouterr().err
    assert "1 of the 4 tags of release 20261123.v2" in said
    assert "is not what its record says (azureml/one:latest)" in said
    assert "or another program moved or deleted tags" in said

    publish([*pair()[1:]], there.registry, engine_client, MONDAY)

    assert there.tag("azureml/one", "latest") == new[0].digest


def test_a_publish_that_ends_while_its_tags_are_read_is_not_reported(
    engine_client: DockerClient, there: Running, pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    items = pair()
    with registry_proxy(there.port, *stopping_before(2, "manifests/2026")) as proxy, pytest.raises(RegistryError):
        publish(items, proxy.registry, engine_client, MONDAY, origin=an_origin("killed", clone="c"))
    before = family_of(there.registry)

    def end_first(request: Request, registry: Respond) -> Answer:
        publish(items, there.registry, engine_client, MONDAY, origin=an_origin(clone="c"))
        capsys.readouterr()
        return registry(request)

    ends = Fault(kind="manifest read", effect=end_first, path="releases/manifests/lock")
    with registry_proxy(there.port, ends) as proxy, Client(proxy.registry) as client:
        status.warn_if_interrupted(client, before)

    assert before.differences
    assert capsys.readouterr().err == ""


def test_the_run_that_holds_the_lock_is_not_taken_for_the_one_that_was_interrupted(
    engine_client: DockerClient, there: Running, pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    with registry_proxy(there.port, *stopping_before(2, "manifests/2026")) as proxy, pytest.raises(RegistryError):
        publish(pair(), proxy.registry, engine_client, MONDAY, origin=an_origin("killed"))

    said = {}
    with Client(there.registry) as client:
        for run in ("killed", "other"):
            client.put_tag(RELEASES, "lock", lock._lock(an_origin(run), client.now()), [EMPTY_CONTENT])
            capsys.readouterr()
            status.warn_if_interrupted(client, family_of(there.registry))
            said[run] = capsys.readouterr().err

    assert "another run publishes: run killed on here" in said["killed"]
    assert "interrupted" not in said["killed"]
    assert "the publish was interrupted" in said["other"]
    assert "another run publishes now: run other on here" in said["other"]


# What is said about requests that were not answered


def test_a_lost_answer_is_no_failure_if_the_tag_moved(
    engine_client: DockerClient, there: Running, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = Fault(kind="tag write", effect=lost_answer(), times=None, path="one/manifests/latest")
    with registry_proxy(there.port, moved) as proxy:
        results = publish(pair(), proxy.registry, engine_client, MONDAY)

    assert there.tag("azureml/one", "latest") == results[0].digest


def test_what_was_not_answered_and_not_done_is_unknown(engine_client: DockerClient, there: Running, pair: Pair) -> None:
    old = publish(pair(), there.registry, engine_client, MONDAY)
    unanswered = Fault(kind="tag write", effect=answer(504), times=None, path="two/manifests/latest")
    with registry_proxy(there.port, unanswered) as proxy, pytest.raises(RegistryError) as failure:
        publish(pair(), proxy.registry, engine_client, TUESDAY)

    details = str(failure.value.details)
    assert "azureml/two:latest is unknown: the registry did not answer a request to move it" in details
    assert "every 'latest'" not in details
    assert "release 20261124.v1 is not finished" in details
    assert there.tag("azureml/one", "latest") == old[0].digest


def test_an_attempt_that_was_not_answered_is_not_forgotten_when_the_next_one_is_refused(
    engine_client: DockerClient, there: Running, pair: Pair
) -> None:
    old = publish(pair(), there.registry, engine_client, MONDAY)
    may_come, came = threading.Event(), threading.Event()

    def come_late(request: Request, registry: Respond) -> Answer:
        def send() -> None:
            may_come.wait(30)
            registry(request)
            came.set()

        threading.Thread(target=send, daemon=True).start()
        return Answer(reset=True)

    faults = (
        Fault(kind="tag write", effect=come_late, path="two/manifests/latest"),
        Fault(kind="tag write", effect=answer(403, "no", error="DENIED"), times=None, path="two/manifests/latest"),
    )
    with registry_proxy(there.port, *faults) as proxy:
        with pytest.raises(RegistryError) as failure:
            publish(pair(), proxy.registry, engine_client, TUESDAY)
        assert there.tag("azureml/two", "latest") == old[1].digest
        may_come.set()
        assert came.wait(30)

    details = str(failure.value.details)
    assert "azureml/two:latest is unknown: the registry did not answer a request to move it" in details
    assert "every 'latest'" not in details
    assert there.tag("azureml/two", "latest") != old[1].digest


def test_moving_back_ends_at_the_first_request_that_nothing_answers(
    engine_client: DockerClient, there: Running, pair: Pair, load: Load
) -> None:
    def trio() -> list[Publication]:
        return [*pair(), load("three", [random_layer(1000)])]

    publish(trio(), there.registry, engine_client, MONDAY)
    gone, answered = threading.Event(), list[Request]()

    def end(request: Request, registry: Respond) -> Answer:
        if not gone.is_set():
            answered.extend(proxy.requests)
        gone.set()
        return Answer(reset=True)

    def ended(request: Request, registry: Respond) -> Answer:
        return Answer(reset=True) if gone.is_set() else registry(request)

    faults = (
        Fault(kind="tag write", effect=end, times=None, path="two/manifests/latest"),
        Fault(kind="manifest read", effect=ended, times=None),
    )
    with registry_proxy(there.port, *faults) as proxy, pytest.raises(RegistryError) as failure:
        publish(trio(), proxy.registry, engine_client, TUESDAY)

    for name in ("one", "two", "three"):
        assert f"it is unknown which image azureml/{name}:latest points to" in str(failure.value.details)
    later = {request.path for request in proxy.requests[len(answered) :]}
    assert "/v2/azureml/two/manifests/latest" in later
    assert not later & {"/v2/azureml/one/manifests/latest", "/v2/azureml/three/manifests/latest"}


def test_a_latest_that_was_moved_back_is_unknown_if_an_attempt_to_move_it_was_not_answered(
    engine_client: DockerClient, there: Running, pair: Pair
) -> None:
    old = publish(pair(), there.registry, engine_client, MONDAY)
    faults = (
        Fault(kind="tag write", effect=answer(504), path="one/manifests/latest"),
        Fault(kind="tag write", effect=answer(403, "no", error="DENIED"), times=None, path="two/manifests/latest"),
    )
    with registry_proxy(there.port, *faults) as proxy, pytest.raises(RegistryError) as failure:
        publish(pair(), proxy.registry, engine_client, TUESDAY)

    details = str(failure.value.details)
    assert "azureml/one:latest is unknown: the registry did not answer a request to move it" in details
    assert "when it was last read it was what it was before" in details
    assert there.tag("azureml/one", "latest") == old[0].digest


def test_a_record_that_was_not_answered_may_still_come(engine_client: DockerClient, there: Running, pair: Pair) -> None:
    unanswered = Fault(kind="tag write", effect=answer(504), times=None, path="releases/manifests/2026")
    with registry_proxy(there.port, unanswered) as proxy, pytest.raises(RegistryError) as failure:
        publish(pair(), proxy.registry, engine_client, MONDAY)

    assert "it is unknown whether release 20261123.v1 was recorded" in str(failure.value.details)


def test_a_latest_that_the_registry_cannot_delete_stays_and_is_reported(
    engine_client: DockerClient, there: Running, pair: Pair
) -> None:
    faults = (
        Fault(kind="tag write", effect=answer(403, "no", error="DENIED"), times=None, path="two/manifests/latest"),
        Fault(kind="tag removal", effect=answer(405), times=None),
    )
    with registry_proxy(there.port, *faults) as proxy, pytest.raises(RegistryError) as failure:
        publish(pair(), proxy.registry, engine_client, MONDAY)

    assert "azureml/one:latest is new and stays: the registry did not delete it" in str(failure.value.details)
    assert there.tag("azureml/one", "latest") is not None
    assert there.tag("azureml/two", "latest") is None
    assert holder_of(there.registry) is None


def test_latest_is_not_moved_back_where_another_program_moved_it(
    engine_client: DockerClient, there: Running, pair: Pair
) -> None:
    old = publish(pair(), there.registry, engine_client, MONDAY)

    def other_program(request: Request, registry: Respond) -> Answer:
        with Client(there.registry) as client:
            client.put_tag("azureml/one", "latest", other)
        return Answer(status=403)

    with Client(there.registry) as client:
        document = client.manifest("azureml/one", old[0].digest).document | {"annotations": {"by": "another"}}
        other = to_manifest(document, MANIFEST)
    taken = Fault(kind="tag write", effect=other_program, times=None, path="two/manifests/latest")
    with registry_proxy(there.port, taken) as proxy, pytest.raises(RegistryError) as failure:
        publish(pair(), proxy.registry, engine_client, TUESDAY)

    assert f"azureml/one:latest was moved by another program: it is {other.digest}" in str(failure.value.details)
    assert there.tag("azureml/one", "latest") == other.digest


# Immutable tags


def immutable() -> Fault:
    """Answer the second write of a tag as Harbor does.  Recipe tags are written once."""
    seen: set[str] = set()

    def effect(request: Request, registry: Respond) -> Answer:
        if request.path in seen:
            error = {"code": "PRECONDITION", "message": "configured as immutable"}
            return Answer(status=412, body=json.dumps({"errors": [error]}).encode())
        seen.add(request.path)
        return registry(request)

    return Fault(kind="tag write", effect=effect, times=None)


def test_immutable_tags_are_noticed_before_a_record_and_the_option_is_named(
    engine_client: DockerClient, there: Running, pair: Pair
) -> None:
    items, others = pair(), pair()
    with registry_proxy(there.port, immutable()) as proxy:
        for _ in range(2):
            with pytest.raises(RegistryError, match="does not let a tag be moved") as failure:
                publish(items, proxy.registry, engine_client, MONDAY)
            assert "--no-latest" in str(failure.value.fix)
            assert "configured as immutable" in str(failure.value.details)
        assert there.tags(RELEASES) == ["lock"]
        assert there.tags("azureml/one") == [items[0].recipe_tag]

        rules = Rules(latest=False)
        first = publish(items, proxy.registry, engine_client, MONDAY, rules=rules)
        again = publish(items, proxy.registry, engine_client, MONDAY, rules=rules)
        second = publish(others, proxy.registry, engine_client, MONDAY, rules=rules)

    assert [result.release for result in (*first, *again, *second)] == ["20261123.v1"] * 4 + ["20261123.v2"] * 2
    assert again[0].status == "already published"
    assert first[0].tags == (items[0].recipe_tag, "20261123.v1")
    assert not family_of(there.registry).differences


def test_immutable_tags_of_the_images_alone_burn_no_number(
    engine_client: DockerClient, there: Running, pair: Pair
) -> None:
    publish(pair(), there.registry, engine_client, MONDAY)
    items = pair()
    refused = Fault(kind="tag write", effect=answer(412, "immutable"), times=None, path="(one|two)/manifests/latest")
    with registry_proxy(there.port, refused) as proxy:
        for _ in range(2):
            with pytest.raises(RegistryError, match="does not let a tag be moved"):
                publish(items, proxy.registry, engine_client, MONDAY)

    assert [number.tag for number in family_of(there.registry).numbers] == ["20261123.v2", "20261123.v1"]


def test_without_latest_a_tag_that_cannot_be_moved_gets_other_advice(
    engine_client: DockerClient, there: Running, pair: Pair
) -> None:
    refused = Fault(kind="tag write", effect=answer(412, "immutable"), times=None, path="manifests/2026")
    with registry_proxy(there.port, refused) as proxy:
        for latest in (True, False):
            with pytest.raises(RegistryError, match="does not let a tag be moved") as failure:
                publish(pair(), proxy.registry, engine_client, MONDAY, rules=Rules(latest=latest))
            assert ("--no-latest" in str(failure.value.fix)) == latest


def test_an_attachment_whose_list_cannot_be_changed_is_attached_with_a_warning(
    engine_client: DockerClient, there: Running, load: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    """A registry without an API for attachments keeps their list in a tag."""
    (result,) = publish([load("one", [random_layer(1000)])], there.registry, engine_client, MONDAY)

    with registry_proxy(there.port, immutable()) as proxy, Client(proxy.registry) as client:
        for number in (1, 2):
            assert attachments.attach(
                client,
                "azureml/one",
                client.manifest("azureml/one", result.digest),
                str(number).encode(),
                media_type="text/x",
                title=f"report-{number}",
                created="2026-11-23T00:00:00Z",
            )
        assert len(attachments.attached(client, "azureml/one", result.digest, "text/x")) == 1

    said = " ".join(capsys.readouterr().err.split())
    assert (
        f"report-2 of {proxy.registry.host}/azureml/one@{result.digest} is in the registry, but is not listed" in said
    )
    assert "report-1" not in said


# The lock


def test_a_lock_of_another_run_is_waited_for(engine_client: DockerClient, there: Running, pair: Pair) -> None:
    slow = Fault(kind="tag write", effect=delay(0.5), times=None, path="(one|two)/manifests")
    ends: dict[str, float] = {}
    began = threading.Event()

    def watch(request: Request, registry: Respond) -> Answer:
        began.set()
        return registry(request)

    first, second = pair(), pair()
    with registry_proxy(
        there.port, Fault(kind="tag write", effect=watch, path="releases/manifests/2026"), slow
    ) as proxy:

        def run() -> None:
            publish(first, proxy.registry, engine_client, MONDAY, origin=an_origin("slow"))
            ends["slow"] = time.monotonic()

        thread = threading.Thread(target=run)
        thread.start()
        assert began.wait(30)
        results = publish(second, there.registry, engine_client, MONDAY, origin=an_origin("fast"))
        ends["fast"] = time.monotonic()
        thread.join()

    assert ends["slow"] < ends["fast"]
    assert {result.release for result in results} == {"20261123.v2"}
    assert not family_of(there.registry).differences


def test_a_lock_that_was_left_is_free_for_its_clone_and_for_all_after_its_time(
    engine_client: DockerClient, there: Running, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = pair()
    with registry_proxy(there.port, *stopping_before(0, "releases/manifests/2026")) as proxy:
        publish_failing(left, proxy.registry, engine_client, clone="c")
    assert holder_of(there.registry) is not None

    began = time.monotonic()
    publish(left, there.registry, engine_client, MONDAY, origin=an_origin("same", clone="c"))
    assert time.monotonic() - began < 5

    with registry_proxy(there.port, *stopping_before(0, "releases/manifests/2026")) as proxy:
        publish_failing(pair(), proxy.registry, engine_client, clone="c")
    monkeypatch.setattr(lock, "EXPIRY", 3.0)
    publish(pair(), there.registry, engine_client, MONDAY, origin=an_origin("another", clone="d"))
    assert time.monotonic() - began > 3


def publish_failing(items: Sequence[Publication], registry: Registry, client: DockerClient, *, clone: str) -> None:
    with pytest.raises(RegistryError):
        publish(items, registry, client, MONDAY, origin=an_origin("killed", clone=clone))


def test_a_lock_that_the_registry_does_not_keep_is_reported(
    engine_client: DockerClient, there: Running, pair: Pair
) -> None:
    forgotten = Fault(kind="tag write", effect=answer(201), times=None, path="releases/manifests/lock")
    with (
        registry_proxy(there.port, forgotten) as proxy,
        pytest.raises(RegistryError, match="accepted the lock, but does not have it") as failure,
    ):
        publish(pair(), proxy.registry, engine_client, MONDAY)

    assert "no tag was moved" in str(failure.value.details)
    assert len(proxy.seen("tag write", "/lock")) <= 6


def test_a_lost_lock_stops_the_run_which_names_the_other_one(
    engine_client: DockerClient, there: Running, pair: Pair
) -> None:
    def steal(request: Request, registry: Respond) -> Answer:
        with Client(there.registry) as client:
            other = lock._lock(an_origin("thief"), client.now())
            client.put_tag(RELEASES, "lock", other)
        return registry(request)

    stolen = Fault(kind="tag write", effect=steal, path="one/manifests/latest")
    with registry_proxy(there.port, stolen) as proxy, pytest.raises(RegistryError) as failure:
        publish(pair(), proxy.registry, engine_client, MONDAY)

    assert "another run took the lock of the registry: run thief on here" in failure.value.what
    assert "azureml/one:latest; the other run decides" in str(failure.value.details)
    assert there.tag("azureml/two", "latest") is None
    holder = holder_of(there.registry)
    assert holder is not None
    assert holder.run == "thief"


# Two publishers, kill -9, Ctrl-C


@pytest.mark.parametrize(
    ("rounds", "seconds", "settle"),
    [(2, 0.05, 0.2), pytest.param(20, 0.4, 2.0, marks=pytest.mark.thorough)],
)
def test_two_publishers_at_once_never_print_what_is_not_so(
    engine_client: DockerClient,
    there: Running,
    pair: Pair,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    rounds: int,
    seconds: float,
    settle: float,
) -> None:
    monkeypatch.setattr("build.publish.writes.SETTLE", settle)
    outcomes: list[str] = []
    for number in range(rounds):
        slow = Fault(kind="tag write", effect=delay(seconds), times=None, path="manifests/(2026|latest|lock)")
        runs = {name: pair() for name in (f"a{number}", f"b{number}")}
        with registry_proxy(there.port, slow) as proxy:
            succeeded, failed = publish_together(runs, proxy.registry, engine_client)
        for results in succeeded.values():
            for result in results:
                assert there.tag(f"azureml/{result.name}", result.pull_tag) == result.digest
        for name, failure in failed.items():
            (other,) = set(runs) - {name}
            assert f"run {other} on here" in failure.what, (failure.what, failure.details)
        assert succeeded, [failure.what for failure in failed.values()]
        family = family_of(there.registry)
        assert not family.differences
        assert family.release is not None
        assert family.release.run in succeeded
        assert len({result.release for results in succeeded.values() for result in results}) == len(succeeded)
        outcomes.append("both, one after the other" if len(succeeded) == 2 else "one, and the other named it")
    with capsys.disabled():
        print({outcome: outcomes.count(outcome) for outcome in outcomes})


def publish_together(
    runs: Mapping[str, Sequence[Publication]], registry: Registry, client: DockerClient
) -> tuple[dict[str, list[Published]], dict[str, RegistryError]]:
    """Publish by several runs at once; returns the results of those that succeeded, and the failures."""
    succeeded: dict[str, list[Published]] = {}
    failed: dict[str, RegistryError] = {}

    def run(name: str) -> None:
        try:
            succeeded[name] = publish(runs[name], registry, client, MONDAY, origin=an_origin(name))
        except RegistryError as error:
            failed[name] = error

    threads = [threading.Thread(target=run, args=(name,)) for name in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {*succeeded, *failed} == set(runs), "a run failed in another way"
    return succeeded, failed


def start_publish(port: int, run: str, items: Sequence[Publication]) -> subprocess.Popen[str]:
    """Start a publish in a process of its own, and wait until it begins."""
    fields = ("name", "repository", "local_reference", "recipe")
    arguments = json.dumps([{field: getattr(item, field) for field in fields} for item in items])
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.pipeline.publishing_process", str(port), run, "c", arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begins\n"
    return process


@pytest.mark.parametrize("rounds", [2, pytest.param(60, marks=pytest.mark.thorough)])
def test_kill_9_leaves_no_unknown_image_under_latest_and_the_next_publish_finishes(
    engine_client: DockerClient, there: Running, pair: Pair, capsys: pytest.CaptureFixture[str], rounds: int
) -> None:
    moments = random.Random(rounds)
    first = start_publish(there.port, "first", pair())
    began = time.monotonic()
    _, errors = first.communicate()
    assert first.returncode == 0, errors
    longest = time.monotonic() - began + 0.8
    releases, interrupted, killed = 1, 0, 0
    known: set[str] = set()
    slow = Fault(kind="tag write", effect=delay(0.1), times=None)  # most moments are between two tags
    with Client(there.registry) as client, registry_proxy(there.port, slow) as proxy:
        for number in range(rounds):
            items = pair()
            process = start_publish(proxy.port, f"k{number}", items)
            time.sleep(moments.uniform(0, longest))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            killed += process.returncode == -signal.SIGKILL

            for item in items:
                latest = client.find_manifest(item.repository, "latest")
                assert latest is not None
                recipe = recipe_of(client, item.repository, latest)
                if recipe == item.recipe:
                    assert client.digest(item.repository, item.recipe_tag) == latest.digest
                else:
                    assert latest.digest in known or number == 0, "latest is on an image of no publish"
            family = family_of(there.registry)
            capsys.readouterr()
            status.warn_if_interrupted(client, family, "c")
            assert ("was interrupted" in capsys.readouterr().err) == bool(family.differences)
            interrupted += bool(family.differences)

            results = publish(items, there.registry, engine_client, TUESDAY, origin=an_origin("next", clone="c"))
            family = family_of(there.registry)
            releases += 1
            assert not family.differences
            assert [each.number for each in family.numbers] == list(range(releases, 0, -1)), "a number was burnt"
            assert {result.release for result in results} == {f"20261124.v{releases}"}
            known = {result.digest for result in results}
    with capsys.disabled():
        print(f"{rounds} rounds: {killed} killed, {interrupted} of them between the record and the last tag")


@pytest.mark.parametrize("patience", [10.0, 0.2])
def test_ctrl_c_in_a_slow_write_says_the_truth(
    engine_client: DockerClient,
    there: Running,
    pair: Pair,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    patience: float,
) -> None:
    monkeypatch.setattr("build.publish.writes.PATIENCE", patience)
    old = publish(pair(), there.registry, engine_client, MONDAY)
    arrived = threading.Event()

    def interrupt(request: Request, registry: Respond) -> Answer:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1.5)
        try:
            return registry(request)
        finally:
            arrived.set()

    slow = Fault(kind="tag write", effect=interrupt, path="two/manifests/latest")
    with registry_proxy(there.port, slow) as proxy:
        with pytest.raises(KeyboardInterrupt):
            publish(pair(), proxy.registry, engine_client, TUESDAY)
        said = capsys.readouterr().err
        assert arrived.wait(10)

    assert "release 20261124.v1 is not finished; publish again to finish it" in said
    assert there.tag("azureml/one", "latest") == old[0].digest
    assert holder_of(there.registry) is None
    if patience > 1.5:
        assert "every 'latest' is what it was before" in said
        assert there.tag("azureml/two", "latest") == old[1].digest
    else:
        assert "azureml/two:latest is unknown: the registry did not answer a request to move it" in said
        assert "every 'latest'" not in said
        assert there.tag("azureml/two", "latest") != old[1].digest  # it came later
        assert family_of(there.registry).differences
