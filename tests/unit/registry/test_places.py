"""Where a release is promoted from and to."""

from __future__ import annotations

from pathlib import Path

import pytest

from build.errors import UsageError
from build.registry.address import Registry
from build.registry.places import Folder, check_different, parse, split


def test_a_registry_or_a_folder() -> None:
    assert parse("registry.example/team") == Registry(host="registry.example", namespace="team")
    assert parse("oci:disk/release") == Folder(path=Path("disk/release"))
    assert str(parse("oci:/mnt/disk")) == "oci:/mnt/disk"
    assert parse("oci:~/release") == Folder(path=Path.home() / "release")


def test_something_in_a_folder() -> None:
    folder = Folder(path=Path("/mnt/disk"))
    assert split("oci:/mnt/disk") == (folder, None)
    assert split("oci:/mnt/disk:azureml/one:latest") == (folder, "azureml/one:latest")
    assert split(folder.reference("azureml/one", "latest")) == (folder, "azureml/one:latest")
    for text in ("oci:", "oci::one"):
        with pytest.raises(UsageError, match="names no folder"):
            split(text)


@pytest.mark.parametrize(
    ("text", "what", "fix"),
    [
        ("oci:", "'oci:' names no folder", "oci:PATH"),
        ("oci:~nobody-of-this-name/x", "names the home of a user who does not exist", "name the folder"),
        ("oci:/mnt/disk:one:latest", "names something in a folder, and not the folder", "write oci:/mnt/disk;"),
        ("/mnt/disk", "'/mnt/disk' is not a registry", "a folder is written as oci:/mnt/disk"),
        ("./disk", "'./disk' is not a registry", "a folder is written as oci:./disk"),
        ("disk", "'disk' is not a registry: 'disk' is a namespace and not a host", "host[:port][/namespace]"),
        ("user:secret@registry.example", "a registry must not hold credentials", "docker login registry.example"),
    ],
)
def test_anything_else_is_refused_without_the_name_of_a_variable(text: str, what: str, fix: str) -> None:
    with pytest.raises(UsageError) as failure:
        parse(text)
    assert what in failure.value.what
    assert fix in str(failure.value.fix)
    assert "REGISTRY" not in failure.value.reason


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("127.0.0.1:5000", "127.0.0.1:5000"),
        ("127.0.0.1:5000", "http://127.0.0.1:5000/azureml"),
        ("oci:/tmp/one", "oci:/tmp/two/../one"),
    ],
)
def test_source_and_target_must_not_be_the_same(source: str, target: str) -> None:
    with pytest.raises(UsageError, match="source and target are the same"):
        check_different(parse(source), parse(target), "azureml")


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("127.0.0.1:5000", "127.0.0.1:5001"),
        ("127.0.0.1:5000", "127.0.0.1:5000/other"),
        ("oci:/tmp/one", "oci:/tmp/two"),
    ],
)
def test_another_namespace_is_another_target(source: str, target: str) -> None:
    check_different(parse(source), parse(target), "azureml")
