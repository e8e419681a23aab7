"""The layers of an image are compressed as the matrix chooses for the registry; their content is the same."""

from __future__ import annotations

import dataclasses
import io
import json
import tarfile
import uuid
from types import SimpleNamespace
from typing import cast

import docker
import pytest

from build.builder import compression
from build.engine.built import BuiltImage
from build.engine.connect import Connection
from build.images.recipe import Recipe
from build.matrix.values import Compression
from build.registry.address import parse
from tests.conftest import Checkout
from tests.pipeline.helpers import local_image, reference
from tests.pipeline.rows import MINIMAL

REGISTRY = "registry.example/for-old-clients"


def media_types(client: docker.DockerClient, image: str) -> set[str]:
    """Return the types of the layers of an image in the engine."""
    with tarfile.open(fileobj=io.BytesIO(b"".join(client.images.get(image).save(named=True)))) as archive:

        def read(path: str) -> dict[str, list[dict[str, str]]]:
            member = archive.extractfile(path)
            assert member is not None
            document: dict[str, list[dict[str, str]]] = json.loads(member.read())
            return document

        (named,) = read("index.json")["manifests"]
        manifest = read(f"blobs/{named['digest'].replace(':', '/')}")
    return {layer["mediaType"].rpartition("+")[2] for layer in manifest["layers"]}


def test_a_change_of_the_choice_makes_the_image_again_with_the_same_content(
    checkout: Checkout, connection: Connection, bases_here: None
) -> None:
    if not connection.engine.containerd_store:
        pytest.skip("the classic image store compresses only while it pushes")
    client, arguments = connection.client, ("build", "--no-pull", MINIMAL)
    there = {"REGISTRY": REGISTRY}
    first = checkout.run(*arguments, env=there)
    assert first.code == 0, first.text
    zstd = local_image(client, checkout, MINIMAL)
    assert media_types(client, reference(checkout, MINIMAL)) == {"zstd"}

    checkout.edit("matrix.yaml", "project:\n", f"project:\n  compression: {{{REGISTRY}: gzip}}\n")
    refused = checkout.run("publish", MINIMAL, env=there)
    assert f"the layers of {MINIMAL} are not gzip, which matrix.yaml chooses for {REGISTRY}" in refused.one_screen()
    assert refused.code == 1
    done = checkout.run(*arguments, env=there)
    assert done.code == 0, done.text
    gzip = local_image(client, checkout, MINIMAL)
    assert media_types(client, reference(checkout, MINIMAL)) == {"gzip"}
    assert gzip.id != zstd.id
    assert (gzip.layers, gzip.recipe, gzip.labels) == (zstd.layers, zstd.recipe, zstd.labels)
    again = checkout.run(*arguments, "--json", env=there)
    assert json.loads(again.out)[0]["status"] == "up to date"

    elsewhere = checkout.run(*arguments, env={"REGISTRY": "other.example"})
    assert elsewhere.code == 0, elsewhere.text
    assert local_image(client, checkout, MINIMAL).id == zstd.id, "the same recipe and compression gave another image"


def test_what_one_registry_has_says_nothing_about_another(connection: Connection) -> None:
    """Notes about an image without content, so that nothing is built."""
    client, repository = connection.client, f"compression-{uuid.uuid4().hex}"
    engine = dataclasses.replace(connection.engine, containerd_store=True)
    recipe = Recipe(inputs={})
    empty = io.BytesIO()
    tarfile.open(fileobj=empty, mode="w").close()
    client.api.import_image_from_data(empty.getvalue(), repository=repository, tag=recipe.tag)
    image_id = str(client.images.get(f"{repository}:{recipe.tag}").id)
    built = cast(
        BuiltImage,
        SimpleNamespace(
            image=SimpleNamespace(variant=SimpleNamespace(repository=repository)),
            recipe=recipe,
            local=SimpleNamespace(id=image_id),
        ),
    )

    def fits(registry: str, choice: Compression) -> bool:
        return compression.fits(client, engine, built, choice, parse(registry))

    try:
        compression.note(client, repository, recipe.tag, image_id, "zstd")
        compression.note_present(client, repository, recipe.tag, image_id, parse("old.example"))
        assert fits("old.example", "gzip"), "an image that the registry has is made again"
        assert not fits("other.example", "gzip"), "a zstd image passes as gzip"
        assert fits("other.example", "zstd")
        compression.note(client, repository, recipe.tag, image_id, "gzip")
        assert (fits("other.example", "gzip"), fits("other.example", "zstd")) == (True, False)
        compression.note(client, repository, recipe.tag, image_id, "")
        assert fits("other.example", "gzip"), "an unknown compression changes what is known"
        compression.note(client, repository, recipe.tag, image_id, "gzip and zstd")
        assert not fits("other.example", "gzip")
    finally:
        for tag in client.images.get(image_id).tags:
            client.images.remove(tag)
