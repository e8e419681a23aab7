"""Where the registry is, whose login is taken, and what a person is told when something else answers."""

from __future__ import annotations

import base64
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from build.errors import RegistryError, UsageError
from build.registry.address import Registry, from_environment, parse
from build.registry.client import Client
from build.registry.credentials import credentials

IMAGE = "azureml/sklearn-1.9-debian12-py311-cpu-inference"


def test_without_a_name_it_is_the_embedded_one() -> None:
    registry = from_environment({})

    assert registry == Registry(host="127.0.0.1:5000", insecure=True, embedded=True)
    assert registry.reference(IMAGE, "latest") == f"127.0.0.1:5000/{IMAGE}:latest"


def test_the_embedded_registry_moves_to_another_port() -> None:
    assert from_environment({"INFERENCE_IMAGES_REGISTRY_PORT": "5001"}).host == "127.0.0.1:5001"


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "٣"])
def test_what_is_no_port_is_refused(port: str) -> None:
    with pytest.raises(UsageError, match="is not a port"):
        from_environment({"INFERENCE_IMAGES_REGISTRY_PORT": port})


@pytest.mark.parametrize(
    ("text", "reference", "insecure"),
    [
        ("ghcr.io/acme", "ghcr.io/acme/sklearn-1.9-debian12-py311-cpu-inference:t", False),
        ("ghcr.io/acme/ml/", "ghcr.io/acme/ml/sklearn-1.9-debian12-py311-cpu-inference:t", False),
        ("acme.azurecr.io", f"acme.azurecr.io/{IMAGE}:t", False),
        ("registry:5000", f"registry:5000/{IMAGE}:t", False),
        ("localhost", f"localhost/{IMAGE}:t", True),
        ("127.0.0.1:5055", f"127.0.0.1:5055/{IMAGE}:t", True),
        ("[::1]:5055", f"[::1]:5055/{IMAGE}:t", True),
        ("https://127.0.0.1:5055", f"127.0.0.1:5055/{IMAGE}:t", False),
        ("http://registry:5000/acme", "registry:5000/acme/sklearn-1.9-debian12-py311-cpu-inference:t", True),
    ],
)
def test_a_named_registry_and_its_namespace(text: str, reference: str, insecure: bool) -> None:
    registry = from_environment({"REGISTRY": text})

    assert registry.reference(IMAGE, "t") == reference
    assert registry.insecure is insecure
    assert not registry.embedded


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("acme", "is a namespace and not a host"),
        ("acme/ml", "docker.io/acme"),
        ("ftp://registry:5000", "neither http nor https"),
        ("ghcr.io/Acme", "'Acme' cannot be part"),
        ("ghcr.io//acme", "'' cannot be part"),
        ("ghcr.io/acme:latest", "'acme:latest' cannot be part"),
        ("gh cr.io", "'gh cr.io' is not a host"),
        ("/acme", "'' is not a host"),
    ],
)
def test_what_cannot_be_a_registry_is_refused_before_anything_runs(text: str, said: str) -> None:
    with pytest.raises(UsageError, match="REGISTRY=") as failure:
        parse(text)

    assert said in failure.value.what
    assert "host[:port][/namespace]" in str(failure.value.fix)


@pytest.fixture
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path / "config.json"


def test_the_login_of_the_host_is_taken_and_no_other(docker_config: Path) -> None:
    auth = base64.b64encode(b"me:secret").decode()
    docker_config.write_text(json.dumps({"auths": {"ghcr.io": {"auth": auth}}}), encoding="utf-8")

    found = credentials(parse("ghcr.io/acme"))
    assert found is not None
    assert (found["username"], found["password"]) == ("me", "secret")
    assert credentials(parse("registry:5000")) is None


def test_a_credential_helper_is_asked(docker_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = docker_config.parent / "docker-credential-test"
    helper.write_text('#!/bin/sh\necho \'{"Username": "me", "Secret": "hidden"}\'\n', encoding="utf-8")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(docker_config.parent), prepend=":")
    docker_config.write_text(json.dumps({"credHelpers": {"ghcr.io": "test"}}), encoding="utf-8")

    found = credentials(parse("ghcr.io/acme"))

    assert found is not None
    assert (found["username"], found["password"]) == ("me", "hidden")


@pytest.mark.filterwarnings("ignore:docker-credential-not-there")
def test_a_credential_helper_that_is_missing_is_named(docker_config: Path) -> None:
    docker_config.write_text(json.dumps({"credHelpers": {"ghcr.io": "not-there"}}), encoding="utf-8")

    with pytest.raises(RegistryError, match="logins cannot be read") as failure:
        credentials(parse("ghcr.io/acme"))

    assert "docker-credential-not-there" in str(failure.value.details)
    assert failure.value.fix == "docker login ghcr.io"


class _Page(http.server.BaseHTTPRequestHandler):
    """A web server that is no registry."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>It works!</html>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web_server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_program_that_is_no_registry_is_told_apart(web_server: str) -> None:
    with (
        Client(parse(web_server)) as client,
        pytest.raises(RegistryError, match="is not a registry") as failure,
    ):
        client.check()

    assert failure.value.where == web_server


def test_a_server_without_tls_is_told_with_the_way_to_say_so(web_server: str) -> None:
    with (
        Client(parse(f"https://{web_server}")) as client,
        pytest.raises(RegistryError, match="speaks plain HTTP, not TLS") as failure,
    ):
        client.check()

    assert f"REGISTRY=http://{web_server}" in str(failure.value.fix)


def test_a_host_that_does_not_exist_is_named() -> None:
    registry = parse("registry.invalid:5000")  # .invalid never resolves: RFC 2606

    with (
        Client(registry) as client,
        pytest.raises(RegistryError, match=r"registry\.invalid:5000 is not there"),
    ):
        client.check()
