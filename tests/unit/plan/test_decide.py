"""From what a registry has of an image to what is left to do."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from build.errors import RegistryError
from build.plan.answers import Answer, Registered
from build.plan.decide import decide
from build.plan.question import Question
from build.plan.states import State, ToBuild, ToMove, ToTest, Unknown, UpToDate
from build.publish.release import Commit, Release, ReleasedImage
from build.publish.stored import StoredImage
from build.registry.address import Registry
from build.registry.manifests import MANIFEST, to_manifest

RECIPE, SUITE = "a" * 64, "b" * 64
LAYER = "sha256:" + "1" * 64
ZSTD = {"mediaType": "application/vnd.oci.image.layer.v1.tar+zstd"}
IMAGE = to_manifest(
    {"config": {"digest": "sha256:c", "size": 10}, "layers": [{**ZSTD, "digest": LAYER, "size": 90}]}, MANIFEST
)
OTHER = "sha256:" + "0" * 64
QUESTION = Question(name="one", repository="azureml/one", stand_in="", recipe=RECIPE, suite=SUITE, rolling=True)
RELEASED = ReleasedImage(
    name="one", repository="azureml/one", digest=IMAGE.digest, recipe=RECIPE, commit=Commit(hash="f" * 40, time=1)
)
RELEASE = Release(
    number="20261126.v2",
    run="r",
    host="h",
    created="2026-11-26T00:00:00+00:00",
    commit=Commit(),
    images=(RELEASED,),
    latest={"azureml/one": IMAGE.digest},
)
STORED = StoredImage(manifest=IMAGE, is_image=True, missing=(), recipe=RECIPE)


def stored(**changes: Any) -> dict[str, object]:
    return {"stored": dataclasses.replace(STORED, **changes)}


OTHER_RECIPE = "the tag recipe-aaaaaaaaaaaaaaaa is on an image of another recipe"
DONE = Answer(
    released=RELEASED,
    stored=STORED,
    immutable=IMAGE.digest,
    latest=IMAGE.digest,
    verified=IMAGE.digest,
)
NOTHING = Answer(released=None, stored=None, immutable=None, latest=None, verified=None)


def decided(answer: Answer | RegistryError, question: Question = QUESTION, release: Release | None = RELEASE) -> State:
    registry = Registry(host="registry.example", namespace="team")
    return decide(question, Registered(release=release, answers={"one": answer}), registry, size=5)


def test_an_image_with_all_tags_and_today_s_report_is_up_to_date() -> None:
    state = decided(DONE)
    assert isinstance(state, UpToDate)
    assert state.published.pull == f"registry.example/team/one:20261126.v2@{IMAGE.digest}"
    assert (state.published.size, state.published.bytes_sent) == (100, 0)
    assert state.published.tags == ("20261126.v2", "latest")
    assert state.compression == "zstd"


@pytest.mark.parametrize(
    ("changes", "kind", "reason"),
    [
        ({"stored": None}, ToBuild, "the registry does not have the image of release 20261126.v2 any more"),
        (
            {"stored": None, "released": dataclasses.replace(RELEASED, recipe="c" * 64)},
            ToBuild,
            "its recipe has changed since release 20261126.v2",
        ),
        (
            {"stored": dataclasses.replace(STORED, recipe="c" * 64)},
            ToBuild,
            "the tag recipe-aaaaaaaaaaaaaaaa is on an image of another recipe",
        ),
        (
            {"stored": dataclasses.replace(STORED, recipe=None)},
            ToBuild,
            "the tag recipe-aaaaaaaaaaaaaaaa is on an image of another recipe",
        ),
        (
            {"stored": dataclasses.replace(STORED, missing=(LAYER, OTHER))},
            ToBuild,
            "the registry does not have its blob sha256:111111111111 and 1 more",
        ),
        (
            {"stored": dataclasses.replace(STORED, is_image=False)},
            ToBuild,
            "what is published under its name is not an image",
        ),
        ({"verified": None}, ToTest, "it has no report of today's tests"),
        ({"verified": OTHER}, ToTest, "the report is about another image"),
        ({"latest": None}, ToMove, "not on it: latest"),
        ({"latest": OTHER, "immutable": None}, ToMove, "not on it: 20261126.v2, latest"),
        ({"released": None}, ToMove, "release 20261126.v2 does not have it"),
        ({"released": dataclasses.replace(RELEASED, digest=OTHER)}, ToMove, "release 20261126.v2 does not have it"),
    ],
)
def test_what_the_registry_lacks_is_the_reason(changes: dict[str, object], kind: type[State], reason: str) -> None:
    state = decided(dataclasses.replace(DONE, **changes))  # type: ignore[arg-type]
    assert isinstance(state, kind)
    assert state.reason == reason


def test_a_new_image_is_built() -> None:
    state = decided(NOTHING)
    assert isinstance(state, ToBuild)
    assert (state.reason, state.bytes) == ("it is not published yet", 5)
    assert decided(NOTHING, release=None).reason == "it is not published yet"


def test_an_image_without_a_release_is_tagged() -> None:
    answer = dataclasses.replace(DONE, released=None, immutable=None, latest=None)
    assert decided(answer, release=None).reason == "there is no release yet"


def test_latest_does_not_count_where_it_is_not_moved() -> None:
    answer = dataclasses.replace(DONE, latest=None)
    state = decided(answer, question=dataclasses.replace(QUESTION, rolling=False))
    assert isinstance(state, UpToDate)
    assert state.published.tags == ("20261126.v2",)


def test_no_answer_is_never_up_to_date() -> None:
    state = decided(RegistryError("the registry failed"))
    assert isinstance(state, Unknown)
    assert state.reason == "the registry failed"
