"""What the arguments of `diff` name."""

from __future__ import annotations

import pytest

from build.diff.references import ImageReference, ReleaseReference, parse
from build.errors import UsageError
from build.registry.address import Registry

REGISTRY = Registry(host="registry.example:5000", namespace="team", insecure=True)
DIGEST = "sha256:" + "0" * 64


def image(text: str) -> ImageReference:
    first, second = parse(text, "x", REGISTRY, "azureml")
    assert isinstance(first, ImageReference) and isinstance(second, ImageReference)
    return first


def release(text: str) -> ReleaseReference:
    first, second = parse(text, None, REGISTRY, "azureml")
    assert first is None and isinstance(second, ReleaseReference)
    return second


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("sklearn-1.9", "registry.example:5000/team/sklearn-1.9:latest"),
        ("sklearn-1.9:20261126.v1", "registry.example:5000/team/sklearn-1.9:20261126.v1"),
        ("azureml/sklearn-1.9:20261126.v1", "registry.example:5000/team/sklearn-1.9:20261126.v1"),
        (f"sklearn-1.9@{DIGEST}", f"registry.example:5000/team/sklearn-1.9@{DIGEST}"),
        (f"sklearn-1.9:tag@{DIGEST}", f"registry.example:5000/team/sklearn-1.9@{DIGEST}"),
        ("ghcr.io/acme/deep/one:tag", "ghcr.io/acme/deep/one:tag"),
        ("localhost/one", "localhost/one:latest"),
        ("127.0.0.1:5001/azureml/one", "127.0.0.1:5001/azureml/one:latest"),
        ("[::1]:5001/azureml/one:t", "[::1]:5001/azureml/one:t"),
        # The registry's own host: nothing is put before the name.
        ("registry.example:5000/azureml/one:t", "registry.example:5000/azureml/one:t"),
    ],
)
def test_an_image_is_read(text: str, whole: str) -> None:
    assert str(image(text)) == whole


def test_plain_http_is_a_matter_of_the_host_or_the_scheme() -> None:
    assert image("registry.example:5000/a/b").registry.insecure, "as the registry that is set"
    assert image("127.0.0.1:1/a/b").registry.insecure
    assert not image("ghcr.io/a/b").registry.insecure
    assert image("http://intern.example/a/b:t").registry.insecure
    assert not image("https://registry.example:5000/a/b").registry.insecure


def test_a_release_is_read() -> None:
    assert release("20261126.v1") == ReleaseReference(
        registry=REGISTRY, repository="azureml/releases", number="20261126.v1"
    )
    assert release("latest").number is None
    elsewhere = release("ghcr.io/acme/deep/releases:20261126.v1")
    assert elsewhere.registry.namespace == "acme/deep"
    assert elsewhere.registry.repository(elsewhere.repository) == "acme/deep/releases"
    assert elsewhere.number == "20261126.v1"
    assert release("ghcr.io/acme/releases").number is None


def test_a_number_next_to_an_image_is_its_tag() -> None:
    first, second = parse("one:a", "20261126.v1", REGISTRY, "azureml")
    assert [str(each) for each in (first, second)] == [
        "registry.example:5000/team/one:a",
        "registry.example:5000/team/one:20261126.v1",
    ]
    mirrored = parse("20261126.v1", "one:a", REGISTRY, "azureml")
    assert mirrored == (second, first)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("", "one", "it names no image"),
        ("a/", "one", "it names no image"),
        ("ghcr.io/", "one", "it names no image"),
        ("Upper", "one", "'Upper' cannot be part"),
        ("a//b", "one", "'' cannot be part"),
        ("one:", "one", "'' is not a tag"),
        ("one:-x", "one", "'-x' is not a tag"),
        ("one@sha256:1", "one", "is not a digest"),
        ("ftp://host.example/one", "one", "the scheme 'ftp' is neither"),
        ("http://one", "one", "is not a host"),
        ("host.example:99999/one", "one", "'99999' is not a port"),
        ("one\x1b[2J", "one", "cannot be part"),
        ("releases:nightly", "one", "'nightly' is not the number of a release"),
        ("20261399.v1", None, "is an image, and nothing to compare it with"),
        ("one", "releases", "one is a release, the other one an image"),
        ("releases:20261126.v1", "one", "one is a release, the other one an image"),
    ],
)
def test_what_cannot_be_read_is_named(before: str, after: str | None, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        parse(before, after, REGISTRY, "azureml")
    assert caught.value.fix and caught.value.where


def test_credentials_are_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        parse("user:secret@host.example/a/b", "one", REGISTRY, "azureml")
    assert "secret" not in f"{caught.value.what}{caught.value.fix}{caught.value.where}"
    assert caught.value.fix == "docker login host.example; then name only the host"
