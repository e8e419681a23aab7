"""`nox -s diff` with a real registry: images, releases, layers, and what a user may get wrong."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from docker import DockerClient

from build.cli import main
from build.images.recipe import Recipe, inputs_tag
from build.publish.documents import INPUTS_TYPE
from build.registry.attachments import attach
from build.registry.client import Client
from build.registry.manifests import INDEX, Manifest, digest_of, layers_of, named_blobs, to_manifest
from build.registry.places import Folder
from tests.conftest import ROOT, Checkout, Ran, take_port
from tests.pipeline.promoting import promote
from tests.pipeline.registries import BLOBS, Running, running
from tests.pipeline.rows import MINIMAL, PROJECT
from tests.pipeline.stored_images import (
    PYTHON,
    StoredImage,
    attach_report,
    debian,
    distribution,
    write_index,
    write_release,
)
from tests.registry_proxy import Fault, half_body, registry_proxy, status

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("short_wait")]

#: For a command that must not need an engine.
NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}
#: The image of the tests, with its tags `20261126.v1` and `20261127.v1`.
ONE = f"{PROJECT.matrix.project.namespace}/one"

BASE = debian(libc6="2.41-12", base="1") | {"big": b"x" * 50_000}
OLD = StoredImage(
    layers=[BASE, distribution("NumPy", "2.5.4"), distribution("six", "1.0")],
    config={"User": "app", "Env": ["PATH=/bin", "LANG=C"], "Cmd": ["old"], "Labels": {"version": "1"}},
)
NEW = StoredImage(
    layers=[
        BASE,
        {f"{PYTHON}/.wh.NumPy-2.5.4.dist-info": b"", **distribution("numpy", "2.5.5")},
        distribution("six", "1.0"),
        debian(libc6="2.41-13", base="1"),
    ],
    config={"User": "app", "Env": ["PATH=/bin", "MODE=x"], "Cmd": ["new", "a b"], "Labels": {"version": "2"}},
    compression="gzip",
)


@pytest.fixture(scope="module")
def registry(engine_client: DockerClient, registry_image: str) -> Iterator[Running]:
    """A registry with two releases; the images have reports in `one`, and none in `bare`."""
    with running(engine_client, registry_image) as found:
        at = found.registry
        for repository in (ONE, "azureml/bare"):
            old = OLD.write(at, repository, "20261126.v1")
            new = NEW.write(at, repository, "20261127.v1")
            if repository == ONE:
                NEW.write(at, repository, "latest")
                attach_report(at, repository, old, {"numpy": "2.5.4", "six": "1.0"}, {"libc6": "2.41-12", "base": "1"})
                attach_report(at, repository, new, {"numpy": "2.5.5", "six": "1.0"}, {"libc6": "2.41-13", "base": "1"})
        same = OLD.write(at, "azureml/same", "20261126.v1")
        gone, added = OLD.write(at, "azureml/gone", "20261126.v1"), NEW.write(at, "azureml/added", "20261127.v1")
        write_release(at, "20261126.v1", {"one": old, "bare": old, "same": same, "gone": gone})
        write_release(at, "20261127.v1", {"added": added, "bare": new, "one": new, "same": same})
        yield found


def diff(registry: Running, *arguments: str, code: int = 0, env: Mapping[str, str] | None = None) -> Ran:
    """Run the command in this process, which takes a tenth of the time."""
    out, err = io.StringIO(), io.StringIO()
    variables = {**registry.environment, **NO_ENGINE, **(env or {})}
    with (
        mock.patch.dict(os.environ, variables),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        done = Ran(code=main(["diff", *arguments]), out=out.getvalue(), err=err.getvalue())
    assert done.code == code, done.one_screen()
    return done


def as_json(registry: Running, *arguments: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(diff(registry, *arguments, "--json").out)
    return document


def change(name: str, before: str | None, after: str | None) -> dict[str, str | None]:
    return {"name": name, "before": before, "after": after}


# Images


def test_packages_configuration_and_layers_are_compared(registry: Running) -> None:
    found = as_json(registry, "one:20261126.v1", "one:20261127.v1")
    assert found["python"] == [change("numpy", "2.5.4", "2.5.5")]
    assert found["debian"] == [change("libc6", "2.41-12", "2.41-13")]
    assert found["environment"] == [change("LANG", "C", None), change("MODE", None, "x")]
    assert found["configuration"] == [change("command", '["old"]', '["new", "a b"]')]
    assert found["labels"] == [change("version", "1", "2")]
    with Client(registry.registry) as client:
        sizes = [
            client.size(ONE, client.manifest(ONE, tag)) for tag in ("20261126.v1", "20261127.v1")
        ]  # nothing is shared: they are compressed differently
    assert (found["fetched_back"]["bytes"], found["fetched"]["bytes"]) == tuple(sizes)
    assert (found["fetched_back"]["layers"], found["fetched"]["layers"]) == (3, 4)


def test_the_other_way_round_is_the_mirror_image(registry: Running) -> None:
    one, two = as_json(registry, "one:20261126.v1", "one"), as_json(registry, "one", "one:20261126.v1")
    for kind in ("python", "debian", "environment", "configuration", "labels"):
        assert one[kind], kind
        assert two[kind] == [change(each["name"], each["after"], each["before"]) for each in one[kind]], kind
    assert (one["before"], one["after"]) == (two["after"], two["before"])
    assert (one["fetched"], one["fetched_back"]) == (two["fetched_back"], two["fetched"])
    assert one["layers"] == {"removed": two["layers"]["added"], "added": two["layers"]["removed"]}


def test_an_image_does_not_differ_from_itself(registry: Running) -> None:
    # Also without packages, and under another tag.
    assert "no difference: both are sha256:" in diff(registry, "bare:20261126.v1", "same:20261126.v1").out
    found = as_json(registry, "bare:20261126.v1", f"localhost:{registry.port}/azureml/bare:20261126.v1")
    assert [found[kind] for kind in ("python", "debian", "environment", "configuration", "labels")] == [[]] * 5
    assert found["layers"] == {"removed": [], "added": []}
    assert found["fetched"] == found["fetched_back"] == {"bytes": 0, "layers": 0}


def test_a_release_next_to_an_image_is_a_tag_of_it(registry: Running) -> None:
    expected = as_json(registry, "one:20261126.v1", "one:latest")
    assert as_json(registry, "one:20261126.v1", "latest") == expected
    assert as_json(registry, "20261126.v1", "one") == expected


def test_a_person_sees_what_differs(registry: Running) -> None:
    environment = {**registry.environment, **NO_ENGINE}
    text = Checkout(root=ROOT).run("diff", "one:20261126.v1", "one:20261127.v1", env=environment).out
    assert "Python packages: 1 changed:\n  numpy  2.5.4 → 2.5.5\n" in text
    assert "Debian packages: 1 changed:\n  libc6  2.41-12 → 2.41-13\n" in text
    assert "environment: 1 added, 1 removed:\n  LANG  C (removed)\n  MODE  x (added)\n" in text
    # The lowest layer is in both images, and in each compressed in another way.
    assert "the same content, compressed differently" in text
    assert "COPY layer-3 /" in text
    assert "a machine with the first image fetches 4 layers, " in text


def test_markdown_is_written_to_a_file_and_printed(registry: Running, tmp_path: Path) -> None:
    file = tmp_path / "summary.md"
    done = diff(registry, "one:20261126.v1", "one", f"--summary={file}", "--markdown")
    assert file.read_text() == done.out
    assert "| `numpy` | `2.5.4` | `2.5.5` |" in done.out
    assert "| `MODE` | – | `x` |" in done.out


def test_an_index_is_the_image_of_the_platform(registry: Running) -> None:
    at = registry.registry
    with Client(at) as client:
        image = client.manifest(ONE, "20261126.v1")
    arm = StoredImage(layers=[{"a": b"b"}], architecture="arm64").write(at, ONE, "arm")
    write_index(at, ONE, "both", {"arm64": arm, "amd64": image})
    assert "no difference" in diff(registry, "one:both", "one:20261126.v1").out
    write_index(at, ONE, "other", {"arm64": arm})
    assert "it has no image for linux/amd64, but for linux/arm64" in diff(registry, "one:other", "one", code=2).err


def test_another_index_with_the_same_image_is_a_change_of_a_release(registry: Running) -> None:
    at = dataclasses.replace(registry.registry, namespace="index")
    image = StoredImage(layers=[{"a": b"b"}]).write(at, "azureml/one", "image")
    arm = StoredImage(layers=[{"a": b"b"}], architecture="arm64").write(at, "azureml/one", "arm")
    write_index(at, "azureml/one", "index", {"arm64": arm, "amd64": image})
    with Client(at) as client:
        write_release(at, "20261126.v1", {"one": image})
        write_release(at, "20261127.v1", {"one": client.manifest("azureml/one", "index")})
    text = diff(registry, "latest", env={"REGISTRY": f"127.0.0.1:{registry.port}/index"}).out
    assert "0 B of 201 B  the same image for linux/amd64, another index\n" in re.sub(r"of \d+ B", "of 201 B", text)


# Without documents


def test_without_documents_packages_are_unknown(registry: Running) -> None:
    text = diff(registry, "bare:20261126.v1", "bare:20261127.v1").out
    unknown = "Python and Debian packages: unknown, since no document that lists them is attached to either image"
    assert unknown in text
    assert "; --layers reads the layers (" in text
    assert "environment: 1 added" in text
    found = as_json(registry, "bare:20261126.v1", "bare:20261127.v1")
    assert (found["python"], found["debian"]) == (None, None)
    assert found["labels"]


def test_layers_are_read_if_documents_do_not_list_the_packages(registry: Running) -> None:
    with registry_proxy(registry.port) as proxy:
        environment = {"REGISTRY": f"127.0.0.1:{proxy.port}"}
        done = diff(registry, "bare:20261126.v1", "bare:20261127.v1", "--layers", "--json", env=environment)
        read = [each.path for each in proxy.seen("blob read", "/bare/")]
    found = json.loads(done.out)
    assert found["python"] == [change("numpy", "2.5.4", "2.5.5")], "a whiteout was not respected"
    assert found["debian"] == [change("libc6", "2.41-12", "2.41-13")]
    assert found["before"]["packages_from"] == "layers"
    assert "==> downloading 7 layers, " in done.err
    assert len(read) == len(set(read)) == 9, "a layer was read twice"


def test_the_recipe_lists_the_debian_packages_of_a_base(registry: Running) -> None:
    def write(tag: str, base: dict[str, Any]) -> None:
        inputs = Recipe(inputs={"base": {"sha256": "0", "inputs": base}})
        layer = {"file": tag.encode()}
        image = StoredImage(layers=[layer], config={"Labels": {"inference-images.recipe": inputs.digest}})
        manifest = image.write(registry.registry, ONE, tag)
        with Client(registry.registry) as client:
            attach(
                client,
                ONE,
                manifest,
                inputs.document,
                media_type=INPUTS_TYPE,
                title="recipe.json",
                created="1980-01-01T00:00:00Z",
                tag=inputs_tag(inputs.digest),
            )

    write("recipe-1", {"debian": ["libc6=2.41-12", "libstdc++6=14.2.0-19"]})
    write("recipe-2", {"debian": ["libc6=2.41-13", "libstdc++6=14.2.0-19"]})
    # The packages of CUDA are not in the recipe of the base below it.
    write("recipe-cuda", {"base": {"sha256": "0", "inputs": {"debian": ["libc6=2.41-13"]}}})
    found = as_json(registry, "one:recipe-1", "one:recipe-2")
    assert (found["python"], found["debian"]) == (None, [change("libc6", "2.41-12", "2.41-13")])
    assert found["after"]["packages_from"] == "recipe"
    assert as_json(registry, "one:recipe-1", "one:recipe-cuda")["debian"] is None


def test_layers_are_not_read_without_a_reason(registry: Running) -> None:
    with registry_proxy(registry.port) as proxy:
        environment = {"REGISTRY": f"127.0.0.1:{proxy.port}"}
        diff(registry, "one:20261126.v1", "one:20261127.v1", "--layers", env=environment)
        assert "downloading" not in diff(registry, "bare:20261126.v1", "20261126.v1", "--layers", env=environment).err
        assert len(proxy.seen("blob read")) == 6, "configurations and reports"


def test_a_layer_is_read_again_after_a_broken_connection(registry: Running) -> None:
    with Client(registry.registry) as client:
        layer = layers_of(client.manifest("azureml/bare", "20261126.v1"))[0]
    with registry_proxy(registry.port, Fault(kind="blob read", effect=half_body(), path=layer)) as proxy:
        environment = {"REGISTRY": f"127.0.0.1:{proxy.port}"}
        done = diff(registry, "bare:20261126.v1", "bare:20261127.v1", "--layers", "--json", env=environment)
    assert "reading the layer again (attempt 2 of 3)" in done.err
    assert json.loads(done.out)["python"] == [change("numpy", "2.5.4", "2.5.5")]


def test_a_layer_is_read_with_a_token_where_the_registry_asks_for_one(registry: Running) -> None:
    with Client(registry.registry) as client:
        layer = layers_of(client.manifest("azureml/bare", "20261126.v1"))[0]
    with (
        registry_proxy(registry.port, tokens=True) as proxy,
        Client(proxy.registry) as client,
        client.open_blob("azureml/bare", layer) as stream,
    ):
        assert digest_of(stream.read()) == layer


def test_a_damaged_layer_is_a_failure(registry: Running) -> None:
    image = StoredImage(layers=[{"a": b"damaged later"}], compression="tar").write(registry.registry, ONE, "damaged")
    layer = layers_of(image)[0].partition(":")[2]
    registry.run(f"printf x | dd of={BLOBS}/sha256/{layer[:2]}/{layer}/data bs=1 seek=600 conv=notrunc")
    done = diff(registry, "one:damaged", "bare:20261126.v1", "--layers", code=5)
    assert "has a damaged content" in done.err


def test_a_layer_that_is_not_a_tar_is_a_failure(registry: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.pipeline.stored_images.tar_of", lambda _: b"this is not a tar" * 100)
    StoredImage(layers=[{}]).write(registry.registry, ONE, "text")
    done = diff(registry, "one:text", "bare:20261126.v1", "--layers", code=5)
    assert "a layer of " in done.err and "is not a tar that can be read" in done.err


# Releases


def test_a_release_is_compared_with_the_one_before_it(registry: Running) -> None:
    found = as_json(registry, "20261127.v1")
    assert (found["before"]["release"], found["after"]["release"]) == ("20261126.v1", "20261127.v1")
    assert (found["added"], found["removed"], found["unchanged"]) == (["added"], ["gone"], ["same"])
    assert {each["name"] for each in found["changed"]} == {"bare", "one"}
    one = next(each["difference"] for each in found["changed"] if each["name"] == "one")
    assert one["python"] == [change("numpy", "2.5.4", "2.5.5")]
    assert as_json(registry, "latest") == found
    assert as_json(registry, "20261126.v1", "latest") == found


def test_layers_are_read_for_images_of_a_release(registry: Running) -> None:
    done = diff(registry, "latest", "--layers", "--json")
    assert done.err.count("==> downloading 7 layers, ") == 1, "of the image without documents alone"
    changed = {each["name"]: each["difference"] for each in json.loads(done.out)["changed"]}
    assert changed["bare"]["python"] == changed["one"]["python"] == [change("numpy", "2.5.4", "2.5.5")]


def test_the_notes_of_a_release_name_each_change_once(registry: Running) -> None:
    notes = diff(registry, "20261126.v1", "20261127.v1", "--markdown").out
    assert notes.startswith("## Release 20261127.v1\n")
    assert "4 images: 1 added, 2 changed, 1 unchanged; 1 removed" in notes
    assert "### Added\n\n- `added`\n" in notes
    assert "### Removed\n\n- `gone`\n" in notes
    assert "| `numpy` | `2.5.4` | `2.5.5` | `one` |" in notes
    assert '| `command` | `["old"]` | `["new", "a b"]` | all 2 |' in notes
    assert "### Unchanged\n\n`same`\n" in notes
    assert "Packages are unknown, since no document that lists them is attached: `bare`" in notes
    assert "no difference: 4 images" in diff(registry, "20261126.v1", "20261126.v1").out


def test_the_first_release_has_only_new_images(registry: Running) -> None:
    text = diff(registry, "20261126.v1").out
    assert "release 20261126.v1 at " in text and "the first one" in text
    assert "4 images: 4 added" in text


def test_a_release_of_another_registry(registry: Running) -> None:
    there = f"localhost:{registry.port}/azureml/releases"
    found = as_json(registry, f"{there}:20261126.v1", "20261127.v1")
    assert found["before"]["place"] == f"localhost:{registry.port}/azureml"
    assert {each["name"] for each in found["changed"]} == {"bare", "one"}
    text = diff(registry, f"{there}:20261126.v1", "20261126.v1").out
    assert (
        f"release 20261126.v1 at localhost:{registry.port}/azureml → 20261126.v1 at 127.0.0.1:{registry.port}" in text
    )
    assert "no difference: 4 images" in text


def test_an_image_that_was_removed_from_the_registry_stops_no_other(registry: Running) -> None:
    at = dataclasses.replace(registry.registry, namespace="pruned")
    old, new = OLD.write(at, "azureml/one", "20261126.v1"), NEW.write(at, "azureml/one", "20261127.v1")
    lost = to_manifest({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}, INDEX)
    write_release(at, "20261126.v1", {"one": old, "lost": lost})
    write_release(at, "20261127.v1", {"one": new, "lost": new})
    text = diff(registry, "20261127.v1", env={"REGISTRY": f"127.0.0.1:{registry.port}/pruned"}).out
    assert "cannot be compared: " in text and "is not in the registry" in text
    assert '["old"] → ["new", "a b"]' in text
    assert text.endswith(" (not counting 1 image that cannot be read)\n")


def test_a_layer_that_several_images_of_a_release_have_is_fetched_once(registry: Running) -> None:
    at = dataclasses.replace(registry.registry, namespace="totals")
    base, shared = {"base": b"b" * 9000}, {"shared": os.urandom(7000)}
    of_kept, of_gone = {"kept": os.urandom(5000)}, {"gone": os.urandom(4000)}

    def write(name: str, tag: str, *layers: dict[str, bytes]) -> Manifest:
        return StoredImage(layers=layers, config={"Cmd": [name, tag]}).write(at, f"azureml/{name}", tag)

    kept = write("kept", "1", base, of_kept)
    old = {
        "one": write("one", "1", base, {"one": b"1"}),
        "two": write("two", "1", base, {"two": b"1"}),
        "gone": write("gone", "1", base, of_gone),
        "kept": kept,
    }
    new = {
        "one": write("one", "2", base, shared, of_kept),
        "two": write("two", "2", base, shared, of_gone),
        "new": write("new", "2", base, shared, {"new": os.urandom(3000)}),
        "kept": kept,
    }
    write_release(at, "20261126.v1", old)
    write_release(at, "20261127.v1", new)

    def blobs(images: Mapping[str, Manifest]) -> dict[str, int]:
        return {digest: size for each in images.values() for digest, size in (named_blobs(each) or {}).items()}

    before, after = blobs(old), blobs(new)
    environment = {"REGISTRY": f"127.0.0.1:{registry.port}/totals"}
    found = json.loads(diff(registry, "20261127.v1", "--json", env=environment).out)

    fetched = {digest: size for digest, size in after.items() if digest not in before}
    back = {digest: size for digest, size in before.items() if digest not in after}
    assert found["fetched"] == {"bytes": sum(fetched.values()), "layers": 2}, "shared, and the new one's own"
    assert found["fetched_back"] == {"bytes": sum(back.values()), "layers": 2}
    assert found["fetched"]["bytes"] < 7000 + 3000 + 2000
    first = json.loads(diff(registry, "20261126.v1", "--json", env=environment).out)
    assert first["fetched"] == {"bytes": sum(before.values()), "layers": 5}, "a machine that has nothing"
    assert "a machine with all of the former ones fetches 2 layers, " in diff(registry, "latest", env=environment).out


# Folders


@pytest.fixture(scope="module")
def folder(registry: Running, tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A folder with both releases."""
    found = Folder(path=tmp_path_factory.mktemp("diff") / "disk")
    for number in ("20261126.v1", "20261127.v1"):
        promote(number, registry.registry, found)
    return found


@pytest.mark.parametrize("image", ["one", "bare"])
def test_an_image_does_not_differ_from_its_copy_in_a_folder(registry: Running, folder: Folder, image: str) -> None:
    for first, second in (
        (f"{image}:20261126.v1", f"{folder}:{image}:20261126.v1"),
        (f"{folder}:azureml/{image}:20261127.v1", f"{image}:20261127.v1"),
    ):
        assert diff(registry, first, second).out.startswith("no difference: both are sha256:")
        found = as_json(registry, first, second)
        assert found["layers"] == {"removed": [], "added": []}
        assert found["fetched"] == found["fetched_back"] == {"bytes": 0, "layers": 0}


def test_a_release_does_not_differ_from_its_copy_in_a_folder(registry: Running, folder: Folder) -> None:
    for first, second in (("20261127.v1", str(folder)), (f"{folder}:20261126.v1", "20261126.v1")):
        found = as_json(registry, first, second)
        assert (found["added"], found["removed"], found["changed"], len(found["unchanged"])) == ([], [], [], 4)
        assert "no difference: 4 images" in diff(registry, first, second).out
        assert {found["before"]["place"], found["after"]["place"]} == {f"127.0.0.1:{registry.port}", str(folder)}


def test_a_folder_gives_the_same_difference_as_a_registry(registry: Running, folder: Folder) -> None:
    def parts(*arguments: str) -> dict[str, Any]:
        found = as_json(registry, *arguments)
        (one,) = (each["difference"] for each in found.pop("changed") if each["name"] == "one")
        for side in ("before", "after"):
            del one[side]["reference"], found[side]
        return {**found, "one": one}

    expected = parts("20261126.v1", "20261127.v1", "--layers")
    assert parts(f"{folder}:20261126.v1", f"{folder}:20261127.v1", "--layers") == expected
    assert parts(str(folder), "--layers") == expected, "the release before the last one is in the folder, too"
    assert parts("20261126.v1", f"{folder}:releases:20261127.v1", "--layers") == expected
    python = as_json(registry, f"{folder}:one:20261126.v1", "20261127.v1")["python"]
    assert python == expected["one"]["python"] == [change("numpy", "2.5.4", "2.5.5")], "the reports were not read"


def test_layers_are_read_in_a_folder_and_damage_is_named(registry: Running, tmp_path: Path) -> None:
    at = dataclasses.replace(registry.registry, namespace="alone")
    image = StoredImage(layers=[distribution("six", "1.0"), debian(libc6="1")]).write(at, "azureml/one", "x")
    write_release(at, "20261126.v1", {"one": image})
    promote("latest", at, found := Folder(path=tmp_path / "disk"))
    arguments = ("one:20261126.v1", f"{found}:one:20261126.v1", "--layers")
    assert change("numpy", "2.5.4", None) in as_json(registry, *arguments)["python"]

    layer = layers_of(image)[0]
    blob = found.path / "blobs" / layer.replace(":", "/")
    blob.write_bytes(blob.read_bytes() + b"x")
    done = diff(registry, *arguments, code=5)
    assert f"the folder {found.path} has a damaged content" in done.one_screen() and layer[:19] in done.err
    blob.unlink()
    done = diff(registry, *arguments, code=1)
    assert f"the folder {found.path} cannot be read: No such file" in done.one_screen()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("oci:/nonexistent:one", "the folder /nonexistent does not exist"),
        ("FOLDER:one:no-such-tag", "azureml/one:no-such-tag is not in the folder"),
        ("FOLDER:other/one:20261127.v1", "other/one:20261127.v1 is not in the folder"),
        ("FOLDER:One", "'azureml/One' cannot be the name of a repository"),
        ("FOLDER", "one is a release, the other one an image"),
        ("oci:", "names no folder"),
    ],
)
def test_what_a_folder_does_not_have_is_named(registry: Running, folder: Folder, name: str, words: str) -> None:
    done = diff(registry, name.replace("FOLDER", str(folder)), "one", code=2)
    assert words in done.one_screen() and "\n  fix:" in done.err
    unknown = diff(registry, f"{folder}:20200101.v1", code=2)
    assert f"release 20200101.v1 at {folder} is not in the folder" in unknown.one_screen()
    assert "name one of its releases: 20261127.v1, 20261126.v1\n" in unknown.err


# Bad input


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("nothing-of-this-name", "one"), 2, "/azureml/nothing-of-this-name:latest is not in the registry"),
        (("one:no-such-tag", "one"), 2, "/azureml/one:no-such-tag is not in the registry"),
        (("20200101.v1",), 2, "release 20200101.v1 at "),
        (("one",), 2, "'one' is an image, and nothing to compare it with is named"),
        (("One:x", "one"), 2, "'One:x' cannot be read: 'One' cannot be part of a repository's name"),
        (("one@sha256:12", "one"), 2, "'sha256:12' is not a digest"),
        (("user:secret@registry.example/a/b", "one"), 2, "a reference must not hold credentials"),
        (("one", "releases:20261126.v1"), 2, "one is a release, the other one an image"),
        (("one", "releases@sha256:" + "0" * 64), 2, "is not the number of a release"),
        (("one:20261126.v1", "one", "--json", "--markdown"), 2, "--json and --markdown contradict each other"),
    ],
)
def test_bad_input_is_one_message(registry: Running, arguments: tuple[str, ...], code: int, words: str) -> None:
    done = diff(registry, *arguments, code=code)
    assert words in done.one_screen()
    assert done.err.count("error:") == 1 and "\n  fix:" in done.err
    assert not done.out
    assert "secret" not in done.err


def test_what_is_not_an_image_is_named(registry: Running) -> None:
    with Client(registry.registry) as client:
        record = client.manifest("azureml/releases", "20261126.v1")
        client.put_tag(ONE, "record", record, [b"{}", client.read_blob("azureml/releases", layers_of(record)[0])])
        evil = to_manifest(record.document | {"artifactType": "evil\x1b[31m\nerror: evil"}, record.media_type)
        client.put_tag(ONE, "evil", evil)
    done = diff(registry, "one:record", "one", code=2)
    assert "it is an artifact of the type application/vnd.inference-images.release.v1+json" in done.err
    done = diff(registry, "one:evil", "one", code=2)
    assert r"it is an artifact of the type evil\x1b[31m\nerror: evil" in done.err and "\x1b" not in done.err
    assert done.err.count("\nerror:") == 0


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (status(401, "who are you?", error="UNAUTHORIZED"), "asks for a login and none is stored"),
        (status(403, "not for you", error="DENIED"), "denied the request"),
    ],
)
def test_refused_credentials_are_named(registry: Running, answer: Any, words: str, tmp_path: Path) -> None:
    fault = Fault(kind="manifest read", effect=answer, times=None, path="/one/")
    with registry_proxy(registry.port, fault) as proxy:
        environment = {"REGISTRY": f"127.0.0.1:{proxy.port}", "DOCKER_CONFIG": str(tmp_path), "HOME": str(tmp_path)}
        done = diff(registry, "one:20261126.v1", "one", code=5, env=environment)
    assert words in done.one_screen() and "\n  fix:   docker login " in done.err


def test_a_registry_that_does_not_answer_is_named(registry: Running) -> None:
    nobody = f"127.0.0.1:{take_port()}"
    done = diff(registry, "one", f"{nobody}/azureml/one:latest", code=5)
    assert f"the registry {nobody} cannot be reached" in done.one_screen()


# This project's images


def test_the_layers_of_an_image_have_the_packages_of_its_report(verified: Checkout, registry: Running) -> None:
    namespace = {"REGISTRY": f"127.0.0.1:{registry.port}/real"}
    done = verified.run("publish", MINIMAL, env=namespace)
    assert done.code == 0, done.text
    copy = "real/copy"
    with Client(registry.registry) as client:
        manifest = client.manifest(f"real/{MINIMAL}", "latest")
        for blob in client.blobs(f"real/{MINIMAL}", manifest):
            assert client.mount(copy, blob.digest, f"real/{MINIMAL}")
        # With another layer, since images with the same layers need not be read.
        NEW.write(registry.registry, copy, "other")
        document = manifest.document
        document["layers"].append(client.manifest(copy, "other").document["layers"][2])
        client.put_tag(copy, "more", to_manifest(document, manifest.media_type))
    here = f"127.0.0.1:{registry.port}/real"
    found = as_json(registry, f"{here}/{MINIMAL}", f"{here}/copy:more", "--layers")
    assert (found["before"]["packages_from"], found["after"]["packages_from"]) == ("test report", "layers")
    assert found["python"] == [change("six", None, "1.0")]
    assert found["debian"] == []
    removed = as_json(registry, f"{here}/{MINIMAL}", "bare:20261126.v1")["layers"]["removed"]
    assert any(each["title"].startswith("scoring server, ") for each in removed), "the report's names were not used"
