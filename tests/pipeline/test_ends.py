"""The end of life that publishing attaches to images, in a real registry."""

from __future__ import annotations

import json

import pytest
from docker import DockerClient

from build.registry.attachments import attached
from build.registry.client import Client
from build.system.http import HttpClient
from tests.pipeline.registries import MONDAY, TUESDAY, Load, Running, publish, random_layer

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("short_wait")]

# As Azure's tools write and read them, not as the code under test names them.
TYPE = "application/vnd.microsoft.artifact.lifecycle"
DATE = "vnd.microsoft.artifact.lifecycle.end-of-life.date"


def dates(registry: Running, repository: str, digest: str) -> list[str]:
    """The dates in the list of what is attached to an image."""
    with Client(registry.registry) as client:
        return [entry["annotations"][DATE] for entry in attached(client, repository, digest, TYPE)]


def test_an_image_that_has_ended_carries_the_day_for_azures_tools(
    engine_client: DockerClient, there: Running, load: Load
) -> None:
    old, new = load("old", [random_layer(1000)]), load("new", [random_layer(1000)])
    ends = {old.repository: MONDAY, new.repository: TUESDAY}
    first, second = publish([old, new], there.registry, engine_client, MONDAY, ends=ends)
    assert dates(there, old.repository, first.digest) == [MONDAY.isoformat()]
    assert dates(there, new.repository, second.digest) == []

    with Client(there.registry) as client:
        (entry,) = attached(client, old.repository, first.digest, TYPE)
    url = f"http://{there.registry.host}/v2/{old.repository}/manifests/{entry['digest']}"
    with HttpClient(proxies=False) as http:
        manifest = json.loads(http.get(url, headers={"Accept": "application/vnd.oci.image.manifest.v1+json"}).content)
    assert manifest["artifactType"] == TYPE
    assert manifest["annotations"][DATE] == MONDAY.isoformat()
    assert manifest["subject"]["digest"] == first.digest
    assert [layer["mediaType"] for layer in manifest["layers"]] == ["application/vnd.oci.empty.v1+json"]

    # Another image is published on the next day: the rest of the release is looked at too, and each day is there once.
    other = load("other", [random_layer(1000)])
    publish([other], there.registry, engine_client, TUESDAY, ends=ends)
    assert dates(there, old.repository, first.digest) == [MONDAY.isoformat()]
    assert dates(there, new.repository, second.digest) == [TUESDAY.isoformat()]
    assert there.tag(old.repository, "latest") == first.digest
