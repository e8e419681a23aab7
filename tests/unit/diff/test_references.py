"""What the arguments of `diff` name."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from build.diff.references import ImageReference, ReleaseReference, parse
from build.errors import UsageError
from build.registry.address import Registry
from build.registry.places import Folder

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


def test_another_namespace_than_that_of_the_matrix_is_never_dropped() -> None:
    """Also where REGISTRY names one, which takes the place of the matrix's namespace and of no other."""
    assert str(image("other/one:t")) == "registry.example:5000/other/one:t"
    assert str(image("team/one:t")) == "registry.example:5000/team/one:t"
    assert str(image("azureml/deep/one:t")) == "registry.example:5000/azureml/deep/one:t"
    assert str(image("other/deep/one")) == "registry.example:5000/other/deep/one:latest"
    assert image("other/one").location == dataclasses.replace(REGISTRY, namespace=None), "another way to the host"
    elsewhere = release("other/releases:20261126.v1")
    assert str(elsewhere) == "release 20261126.v1 at registry.example:5000/other"
    assert elsewhere.location.reference("azureml/one", "t") == "registry.example:5000/other/one:t"
    own = release("azureml/releases:20261126.v1")
    assert own.location.reference(own.repository, "t") == "registry.example:5000/team/releases:t"


def test_without_a_namespace_in_the_registry_names_are_those_of_the_matrix() -> None:
    plain = Registry(host="registry.example")

    def read(text: str) -> str:
        return str(parse(text, "x", plain, "azureml")[0])

    assert read("one:t") == read("azureml/one:t") == "registry.example/azureml/one:t"
    assert read("other/one:t") == "registry.example/other/one:t"


FOLDER = Folder(path=Path("/mnt/disk"))


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("oci:/mnt/disk:one", "oci:/mnt/disk:azureml/one:latest"),
        ("oci:/mnt/disk:one:20261126.v1", "oci:/mnt/disk:azureml/one:20261126.v1"),
        ("oci:/mnt/disk:other/deep/one:t", "oci:/mnt/disk:other/deep/one:t"),
        (f"oci:/mnt/disk:one@{DIGEST}", f"oci:/mnt/disk:azureml/one@{DIGEST}"),
        # What promote and its messages print.
        (FOLDER.reference("azureml/one", "t"), "oci:/mnt/disk:azureml/one:t"),
        (FOLDER.reference("azureml/one", DIGEST), f"oci:/mnt/disk:azureml/one@{DIGEST}"),
    ],
)
def test_an_image_in_a_folder_is_read(text: str, whole: str) -> None:
    found = image(text)
    assert str(found) == whole
    assert found.location == FOLDER


@pytest.mark.parametrize(
    ("text", "number", "repository"),
    [
        ("oci:/mnt/disk", None, "azureml/releases"),
        ("oci:/mnt/disk:latest", None, "azureml/releases"),
        ("oci:/mnt/disk:20261126.v1", "20261126.v1", "azureml/releases"),
        ("oci:/mnt/disk:releases:20261126.v1", "20261126.v1", "azureml/releases"),
        ("oci:/mnt/disk:other/releases", None, "other/releases"),
    ],
)
def test_a_release_in_a_folder_is_read(text: str, number: str | None, repository: str) -> None:
    assert release(text) == ReleaseReference(location=FOLDER, repository=repository, number=number)


def test_a_home_and_a_relative_path_name_a_folder() -> None:
    assert release("oci:~/disk").location == Folder(path=Path.home() / "disk")
    assert release("oci:disk").location == Folder(path=Path("disk"))


def test_a_number_next_to_an_image_in_a_folder_is_its_tag() -> None:
    first, second = parse("oci:/mnt/disk:one:a", "latest", REGISTRY, "azureml")
    assert [str(each) for each in (first, second)] == [
        "oci:/mnt/disk:azureml/one:a",
        "oci:/mnt/disk:azureml/one:latest",
    ]


def test_a_number_next_to_a_folder_is_a_release_of_the_registry() -> None:
    first, second = parse("20261126.v1", "oci:/mnt/disk", REGISTRY, "azureml")
    assert isinstance(first, ReleaseReference) and isinstance(second, ReleaseReference)
    assert (first.location, second.location) == (REGISTRY, FOLDER)


def test_plain_http_is_a_matter_of_the_host_or_the_scheme() -> None:
    def is_insecure(text: str) -> bool:
        location = image(text).location
        assert isinstance(location, Registry)
        return location.insecure

    assert is_insecure("registry.example:5000/a/b"), "as the registry that is set"
    assert is_insecure("127.0.0.1:1/a/b")
    assert not is_insecure("ghcr.io/a/b")
    assert is_insecure("http://intern.example/a/b:t")
    assert not is_insecure("https://registry.example:5000/a/b")


def test_a_release_is_read() -> None:
    assert release("20261126.v1") == ReleaseReference(
        location=REGISTRY, repository="azureml/releases", number="20261126.v1"
    )
    assert release("latest").number is None
    elsewhere = release("ghcr.io/acme/deep/releases:20261126.v1")
    assert elsewhere.location == Registry(host="ghcr.io", namespace="acme/deep")
    assert elsewhere.location.reference(elsewhere.repository, "t") == "ghcr.io/acme/deep/releases:t"
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
        ("/one", "one", "it begins with a slash"),
        ("oci:/mnt/disk:/one", "one", "it begins with a slash"),
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
        ("oci:/mnt/disk:", "one", "cannot be the name of a repository"),
        ("oci:/mnt/disk:One", "one", "'azureml/One' cannot be the name of a repository"),
        ("oci:/mnt/disk:../one", "one", "'../one' cannot be the name of a repository"),
        ("oci:/mnt/disk:one:", "one", "'' is not a tag"),
        ("oci:/mnt/disk:one@sha256:1", "one", "is not a digest"),
        ("oci:/mnt/disk:one", None, "is an image, and nothing to compare it with"),
        ("oci:/mnt/disk", "one", "one is a release, the other one an image"),
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
