"""Publishing with a real engine and real registries: the content of the registry afterwards, and failures."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker import DockerClient

from build.engine import embedded_registry
from build.errors import EngineError, RegistryError
from build.publish.publication import Publication
from build.publish.push import local_image, push
from build.registry.address import PORT_VARIABLE, Registry, parse
from build.registry.client import Client
from build.system.retries import RetryPolicy
from tests.pipeline.registries import (
    MONDAY,
    REPOSITORIES,
    TUESDAY,
    Load,
    Running,
    by_name,
    free_port,
    log_in,
    names_in,
    publish,
    random_layer,
    running,
)
from tests.registry_proxy import Effect, Fault, registry_proxy, reset, status

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("short_wait")]


def test_images_arrive_under_three_tags_of_one_digest(engine_client: DockerClient, there: Running, load: Load) -> None:
    items = [load("one", [random_layer(50_000)]), load("two", [random_layer(70_000)])]

    results = publish(items, there.registry, engine_client, MONDAY)

    assert [result.name for result in results] == ["one", "two"]
    for item, result in zip(items, results, strict=True):
        expected = ["20261123.v1", "latest", item.recipe_tag]
        assert there.tags(item.repository) == expected
        assert {there.tag(item.repository, tag) for tag in expected} == {result.digest}
        assert result.status == "published"
        assert set(result.references) == {
            f"127.0.0.1:{there.port}/{item.repository}:{tag}@{result.digest}" for tag in expected
        }
    # The engine can pull the image again.
    engine_client.images.pull(f"{there.registry.host}/azureml/one", tag="20261123.v1")
    engine_client.images.remove(f"{there.registry.host}/azureml/one:20261123.v1", force=True)


def test_what_a_builder_pushed_gets_the_tags_and_is_not_pushed_again(
    engine_client: DockerClient, there: Running, load: Load
) -> None:
    """The engine's image is another one here, which shows whose digest is published."""
    item, other = load("one", [random_layer(50_000)]), load("two", [random_layer(70_000)])
    with Client(there.registry) as remote:
        for each in (item, other):
            upload = dataclasses.replace(each.upload, repository=item.repository, tag=f"of-{each.name}")
            push(upload, local_image(engine_client, upload), remote, engine_client, None)
    digest, of_another_recipe = (str(there.tag(item.repository, tag)) for tag in ("of-one", "of-two"))

    built = dataclasses.replace(item, local_reference=other.local_reference, pushed=digest)
    (result,) = publish([built], there.registry, engine_client, MONDAY)
    assert (result.digest, result.status, result.bytes_sent) == (digest, "published", 0)
    assert {there.tag(item.repository, tag) for tag in ("latest", "20261123.v1", item.recipe_tag)} == {digest}

    for lost in (f"sha256:{'0' * 64}", of_another_recipe):
        built = dataclasses.replace(load("one", [random_layer(1000)]), pushed=lost)
        (result,) = publish([built], there.registry, engine_client, MONDAY)
        assert result.status == "published"
        assert result.digest not in (digest, lost), "it is not of this recipe"


def test_the_engine_keeps_no_further_names(engine_client: DockerClient, there: Running, load: Load) -> None:
    publish([load("one", [random_layer(1000)])], there.registry, engine_client, MONDAY)

    names = names_in(engine_client)
    assert not [name for name in names if name.startswith(there.registry.host)]


def test_publishing_twice_sends_nothing_and_moves_nothing(
    engine_client: DockerClient, there: Running, load: Load
) -> None:
    items = [load("one", [random_layer(50_000)]), load("two", [random_layer(70_000)])]
    first = publish(items, there.registry, engine_client, MONDAY)
    before = (there.uploads(), there.stored_blobs(), there.tags("azureml/one"), there.tags("azureml/two"))

    second = publish(items, there.registry, engine_client, TUESDAY)

    assert [(result.status, result.bytes_sent) for result in second] == [("already published", 0)] * 2
    assert [result.digest for result in second] == [result.digest for result in first]
    after = (there.uploads(), there.stored_blobs(), there.tags("azureml/one"), there.tags("azureml/two"))
    assert after == before


def test_the_image_in_the_registry_wins_over_another_of_the_same_recipe(
    engine_client: DockerClient, there: Running, load: Load
) -> None:
    item = load("one", [random_layer(1000)])
    (first,) = publish([item], there.registry, engine_client, MONDAY)
    rebuilt = load("one", [random_layer(1000)])
    same_recipe = Publication(
        name="one",
        repository=item.repository,
        local_reference=rebuilt.local_reference,
        recipe=item.recipe,
    )

    (second,) = publish([same_recipe], there.registry, engine_client, MONDAY)

    assert (second.digest, second.status) == (first.digest, "already published")
    assert there.tag(item.repository, item.recipe_tag) == first.digest


def test_a_changed_image_takes_the_next_number_and_latest(
    engine_client: DockerClient, there: Running, load: Load
) -> None:
    base = random_layer(80_000)
    same = load("same", [base])
    (old, same_first) = publish([load("one", [base, random_layer(1000)]), same], there.registry, engine_client, MONDAY)

    changed = load("one", [base, random_layer(2000)])
    (new, same_second) = publish([changed, same], there.registry, engine_client, MONDAY)

    assert new.digest != old.digest
    assert there.tag("azureml/one", "20261123.v1") == old.digest
    assert there.tag("azureml/one", "20261123.v2") == new.digest
    assert there.tag("azureml/one", "latest") == new.digest
    # Only the changed layer and the configuration went over the wire.
    assert 2000 < new.bytes_sent < 5000
    assert same_second.status == "already published"
    # The number is that of the whole family.
    assert there.tags("azureml/same") == ["20261123.v1", "20261123.v2", "latest", same.recipe_tag]
    assert there.tag("azureml/same", "20261123.v2") == same_first.digest
    assert there.tag("azureml/same", "latest") == same_first.digest


def test_the_number_is_one_for_the_whole_run(engine_client: DockerClient, there: Running, load: Load) -> None:
    publish([load("one", [random_layer(1000)])], there.registry, engine_client, MONDAY)

    items = [load("one", [random_layer(1000)]), load("two", [random_layer(1000)])]
    publish(items, there.registry, engine_client, MONDAY)

    assert "20261123.v2" in there.tags("azureml/one")
    assert [tag for tag in there.tags("azureml/two") if tag.startswith("2026")] == ["20261123.v2"]


def test_a_reverted_change_moves_latest_back_and_sends_nothing(
    engine_client: DockerClient, there: Running, load: Load
) -> None:
    good, bad = load("one", [random_layer(1000)]), load("one", [random_layer(1000)])
    (first,) = publish([good], there.registry, engine_client, MONDAY)
    publish([bad], there.registry, engine_client, MONDAY)
    uploads = there.uploads()

    (reverted,) = publish([good], there.registry, engine_client, TUESDAY)

    assert (reverted.status, reverted.bytes_sent, reverted.digest) == ("moved", 0, first.digest)
    assert there.uploads() == uploads
    assert there.tag("azureml/one", "latest") == first.digest
    assert there.tag("azureml/one", "20261124.v1") == first.digest


def test_the_bytes_sent_are_those_that_the_registry_stored(
    engine_client: DockerClient, there: Running, load: Load
) -> None:
    shared = [random_layer(300_000), random_layer(200_000)]
    items = [load(f"image{number}", [*shared, random_layer(40_000)]) for number in range(3)]

    results = publish(items, there.registry, engine_client, MONDAY)

    manifests = sum(there.manifest_size(f"azureml/{result.name}", result.digest) for result in results)
    assert sum(result.bytes_sent for result in results) == there.stored_blobs() - manifests
    # Two shared layers once, and a layer and a configuration of each image: nothing was sent twice.
    assert there.uploads() == 2 + 3 * 2
    assert results[0].bytes_sent > 540_000
    assert all(40_000 < result.bytes_sent < 45_000 for result in results[1:])


def test_layers_that_another_machine_pushed_are_not_sent_again(
    engine_client: DockerClient, there: Running, load: Load
) -> None:
    shared = random_layer(300_000)
    first, second = load("one", [shared]), load("two", [shared, random_layer(1000)])
    # The engine remembers its pushes by host; under another name of the host it remembers none.
    other_name = Registry(host=f"localhost:{there.port}", insecure=True)
    publish([first], other_name, engine_client, MONDAY)
    uploads = there.uploads()

    results = by_name(publish([first, second], there.registry, engine_client, MONDAY))

    assert results["one"].status == "already published"
    assert results["two"].bytes_sent < 5000
    assert there.uploads() - uploads == 2


def test_a_namespace_replaces_that_of_the_matrix(engine_client: DockerClient, there: Running, load: Load) -> None:
    registry = Registry(host=there.registry.host, namespace="acme/ml", insecure=True)

    (result,) = publish([load("one", [random_layer(1000)])], registry, engine_client, MONDAY)

    assert there.tag("acme/ml/one", "latest") == result.digest
    assert there.tags("azureml/one") == []


def test_an_image_that_the_engine_lacks_stops_before_anything_is_sent(
    engine_client: DockerClient, there: Running, load: Load
) -> None:
    item = load("one", [random_layer(1000)])
    missing = Publication(
        name="gone", repository="azureml/gone", local_reference="publish-test/gone:x", recipe="0" * 64
    )

    with pytest.raises(EngineError, match="no image 'publish-test/gone:x'"):
        publish([item, missing], there.registry, engine_client, MONDAY)

    assert there.tags("azureml/one") == []


def test_a_registry_that_does_not_answer_is_named(engine_client: DockerClient, load: Load) -> None:
    registry = Registry(host=f"127.0.0.1:{free_port()}", insecure=True)

    with pytest.raises(RegistryError, match=f"{registry.host} cannot be reached") as failure:
        publish([load("one", [random_layer(1000)])], registry, engine_client, MONDAY)

    assert "REGISTRY=" in str(failure.value.fix)


def test_one_image_that_fails_leaves_every_latest_where_it_was(
    engine_client: DockerClient, there: Running, load: Load
) -> None:
    old = by_name(
        publish(
            [load("one", [random_layer(1000)]), load("two", [random_layer(1000)])],
            there.registry,
            engine_client,
            MONDAY,
        )
    )
    items = [load("one", [random_layer(2000)]), load("two", [random_layer(2000)])]
    there.forbid_writing("azureml/two/_manifests")

    with pytest.raises(RegistryError, match="did not take two") as failure:
        publish(items, there.registry, engine_client, TUESDAY)

    assert "no tag was moved" in str(failure.value.details)
    for name in ("one", "two"):
        assert there.tag(f"azureml/{name}", "latest") == old[name].digest
        assert "20261124.v1" not in there.tags(f"azureml/{name}")

    # The next run sends only what is missing.
    there.allow_writing("azureml/two/_manifests")
    results = by_name(publish(items, there.registry, engine_client, TUESDAY))
    assert (results["one"].status, results["two"].status) == ("moved", "published")
    assert there.tag("azureml/one", "latest") == there.tag("azureml/one", "20261124.v1") == results["one"].digest


def test_latest_is_moved_back_if_not_all_can_be_moved(engine_client: DockerClient, there: Running, load: Load) -> None:
    (old, _) = publish(
        [load("one", [random_layer(1000)]), load("two", [random_layer(1000)])],
        there.registry,
        engine_client,
        MONDAY,
    )
    there.forbid_writing("azureml/two/_manifests/tags/latest")

    with pytest.raises(RegistryError, match="HTTP 500") as failure:
        publish(
            [load("one", [random_layer(2000)]), load("two", [random_layer(2000)])],
            there.registry,
            engine_client,
            TUESDAY,
        )

    assert "every 'latest' is what it was before" in str(failure.value.details)
    assert there.tag("azureml/one", "latest") == old.digest
    assert there.tag("azureml/one", "20261124.v1") != old.digest


def test_a_registry_that_dies_in_a_push_is_named_and_the_next_run_completes_it(
    engine_client: DockerClient, there: Running, load: Load
) -> None:
    item = load("big", [random_layer(200_000_000)])
    seen: list[tuple[int, int]] = []

    def kill(name: str, sent: int, total: int) -> None:
        if not seen:
            there.container.kill()
        seen.append((sent, total))

    with pytest.raises(RegistryError, match=r"cannot be reached or stopped answering") as failure:
        publish([item], there.registry, engine_client, MONDAY, progress=kill)

    assert seen[0][0] < seen[0][1], "the push was over before the registry was killed"
    assert there.registry.host in failure.value.what
    assert "no tag was moved" in str(failure.value.details)
    there.restart()
    assert there.tags(item.repository) == []
    (result,) = publish([item], there.registry, engine_client, MONDAY)
    assert result.bytes_sent > 200_000_000
    assert there.tags(item.repository) == ["20261123.v1", "latest", item.recipe_tag]


@pytest.mark.parametrize("fault", [status(502), status(500), status(429), reset()], ids=["502", "500", "429", "reset"])
def test_one_temporary_failure_of_an_upload_does_not_fail_the_publish(
    engine_client: DockerClient, there: Running, load: Load, monkeypatch: pytest.MonkeyPatch, fault: Effect
) -> None:
    monkeypatch.setattr("build.publish.push._POLICY", RetryPolicy(attempts=2, first_wait_when_limited=0.5))

    with registry_proxy(there.port, Fault(kind="upload put", effect=fault)) as proxy:
        (result,) = publish([load("one", [random_layer(50_000)])], proxy.registry, engine_client, MONDAY)

    assert there.tag("azureml/one", "latest") == result.digest


def test_ctrl_c_in_a_push_moves_no_tag(engine_client: DockerClient, there: Running, load: Load) -> None:
    small, big = load("small", [random_layer(1000)]), load("big", [random_layer(200_000_000)])
    old = by_name(publish([load("small", [random_layer(1000)])], there.registry, engine_client, MONDAY))["small"]

    def interrupt(name: str, sent: int, total: int) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        publish([small, big], there.registry, engine_client, TUESDAY, progress=interrupt)

    assert there.tag("azureml/small", "latest") == old.digest
    assert "20261124.v1" not in there.tags("azureml/small")
    assert there.tags("azureml/big") == []
    names = names_in(engine_client)
    assert not [name for name in names if name.startswith(there.registry.host)]


@pytest.mark.parametrize(
    ("login", "words"),
    [(None, "asks for a login and none is stored"), ("tester:wrong", "refused the stored login")],
)
def test_a_refused_login_is_reported_with_the_command_that_fixes_it(
    engine_client: DockerClient,
    guarded: Running,
    load: Load,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    login: str | None,
    words: str,
) -> None:
    log_in(monkeypatch, tmp_path, guarded.registry.host, login)

    with pytest.raises(RegistryError, match=words) as failure:
        publish([load("one", [random_layer(1000)])], guarded.registry, engine_client, MONDAY)

    assert failure.value.fix == f"docker login {guarded.registry.host}"
    assert guarded.run(f"ls {REPOSITORIES} 2>/dev/null || true") == ""


def test_the_login_of_docker_login_is_used(
    engine_client: DockerClient,
    guarded: Running,
    load: Load,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log_in(monkeypatch, tmp_path, guarded.registry.host, "tester:secret")

    (result,) = publish([load("one", [random_layer(1000)])], guarded.registry, engine_client, MONDAY)

    assert guarded.tag("azureml/one", "latest") == result.digest


def test_a_certificate_is_trusted_only_if_a_bundle_has_it(
    engine_client: DockerClient, registry_image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -keyout key.pem"
    subprocess.run(
        [*command.split(), "-addext", "subjectAltName=IP:127.0.0.1", "-out", "certificate.pem"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    environment = {
        "REGISTRY_HTTP_TLS_KEY": "/tmp/key.pem",
        "REGISTRY_HTTP_TLS_CERTIFICATE": "/tmp/certificate.pem",
    }
    files = {"tmp/key.pem": key.read_bytes(), "tmp/certificate.pem": certificate.read_bytes()}
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    with running(engine_client, registry_image, files, environment=environment) as plain:
        secure = parse(f"https://{plain.registry.host}")

        with (
            Client(secure) as client,
            pytest.raises(RegistryError, match=r"certificate .* is not trusted") as failure,
        ):
            client.check()
        assert "SSL_CERT_FILE" in str(failure.value.fix)

        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with Client(secure) as client:
            client.check()
            assert client.digest("azureml/one", "latest") is None


@pytest.fixture
def own_port(engine_client: DockerClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A port for an embedded registry next to the user's own."""
    port = free_port()
    monkeypatch.setenv(PORT_VARIABLE, str(port))
    yield port
    embedded_registry.stop(engine_client)
    for volume in engine_client.volumes.list(filters={"name": embedded_registry.name(port)}):
        volume.remove(force=True)


def test_the_embedded_registry_keeps_its_images_through_stop_and_a_new_image(
    engine_client: DockerClient, registry_image: str, own_port: int, load: Load
) -> None:
    registry = embedded_registry.ensure_running(engine_client, registry_image)
    (result,) = publish([load("one", [random_layer(1000)])], registry, engine_client, MONDAY)
    container = engine_client.containers.get(embedded_registry.name(own_port))

    # It runs already: the same container stays.
    embedded_registry.ensure_running(engine_client, registry_image)
    assert engine_client.containers.get(embedded_registry.name(own_port)).id == container.id

    # Somebody stopped it: it is started again.
    container.stop(timeout=2)
    embedded_registry.ensure_running(engine_client, registry_image)
    assert engine_client.containers.get(embedded_registry.name(own_port)).id == container.id

    # Its image has changed: another container, with the same images.
    newer = f"publish-test/registry:{uuid.uuid4().hex[:8]}"
    container.commit(*newer.split(":"), changes='LABEL "newer"="yes"')
    try:
        embedded_registry.ensure_running(engine_client, newer)
        replaced = engine_client.containers.get(embedded_registry.name(own_port))
        assert replaced.id != container.id
        assert replaced.labels["newer"] == "yes"
        with Client(registry) as client:
            assert client.digest("azureml/one", "latest") == result.digest
        assert embedded_registry.stop(engine_client)
        assert not embedded_registry.stop(engine_client)
    finally:
        engine_client.images.remove(newer, force=True)


def test_the_embedded_registry_does_not_run_as_root_and_serves_this_machine_only(
    engine_client: DockerClient, registry_image: str, own_port: int
) -> None:
    embedded_registry.ensure_running(engine_client, registry_image)

    container = engine_client.containers.get(embedded_registry.name(own_port))
    container.reload()
    assert container.exec_run("id -u", stream=False).output == b"1000\n"
    if container.attrs["HostConfig"]["NetworkMode"] == "host":
        assert f"REGISTRY_HTTP_ADDR=127.0.0.1:{own_port}" in container.attrs["Config"]["Env"]
        return
    (binding,) = container.attrs["NetworkSettings"]["Ports"]["5000/tcp"]
    assert binding["HostIp"] == "127.0.0.1"


def test_a_taken_port_is_reported_and_leaves_no_container(
    engine_client: DockerClient, registry_image: str, own_port: int
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", own_port))
        taken.listen()
        with pytest.raises(RegistryError, match=f"port {own_port} .* is used by another program") as failure:
            embedded_registry.ensure_running(engine_client, registry_image)

    assert PORT_VARIABLE in str(failure.value.fix)
    assert not embedded_registry.stop(engine_client)
