"""The index of an OCI image layout."""

from __future__ import annotations

import json

import pytest

from build.registry import layout_index
from build.registry.layout_index import REF_NAME, merged, names
from build.registry.manifests import MANIFEST, Manifest, to_manifest


def manifest(text: str, **more: object) -> Manifest:
    return to_manifest({"schemaVersion": 2, "test": text, **more}, MANIFEST)


def test_each_tag_has_an_entry_of_its_own() -> None:
    one, report = manifest("one"), manifest("report", artifactType="application/vnd.test")

    entries = merged([], {"azureml/one:latest": one, "azureml/one:20261126.v1": one}, [report, one])

    assert {name: entry["digest"] for name, entry in names(entries).items()} == {
        "azureml/one:latest": one.digest,
        "azureml/one:20261126.v1": one.digest,
    }
    assert entries[0] == {
        "mediaType": MANIFEST,
        "digest": one.digest,
        "size": len(one.content),
        "annotations": {REF_NAME: "azureml/one:20261126.v1"},
    }
    assert entries[2:] == [
        {
            "mediaType": MANIFEST,
            "digest": report.digest,
            "size": len(report.content),
            "artifactType": "application/vnd.test",
        }
    ], "what has a tag needs no entry without one"


def test_only_tags_that_move_change_an_index() -> None:
    old, new = manifest("old"), manifest("new")
    before = merged([], {"azureml/one:latest": old, "azureml/one:1": old}, [])
    foreign = {"mediaType": MANIFEST, "digest": old.digest, "size": 1, "annotations": {"other": "x"}}

    after = merged([foreign, *before], {"azureml/one:latest": new}, [])

    assert after[0] == foreign
    assert {name: entry["digest"] for name, entry in names(after).items()} == {
        "azureml/one:1": old.digest,
        "azureml/one:latest": new.digest,
    }
    assert merged(after, {"azureml/one:latest": new}, []) == after


def test_what_is_written_is_read() -> None:
    entries = merged([], {"azureml/one:latest": manifest("one")}, [])
    assert layout_index.read(layout_index.to_json(entries).encode()) == entries


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"manifests": {}}',
        b'{"manifests": [1]}',
        json.dumps({"manifests": [{"digest": 1}]}).encode(),
        json.dumps({"manifests": [{"digest": "sha256:0", "annotations": [1]}]}).encode(),
        b"[" * 100_000,
    ],
)
def test_what_is_no_index_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        layout_index.read(content)
