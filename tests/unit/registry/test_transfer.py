"""Blobs on their way from one registry to another, where servers fail in the middle."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from build.errors import RegistryError
from build.registry.address import parse
from build.registry.checked import checked
from build.registry.manifests import digest_of
from build.registry.transfer import TransferClient
from build.system.http import HttpClient
from build.system.retries import RetryPolicy
from tests.unit.http_servers import Answer, PreparedServer, Request, serving

REPOSITORY = "azureml/one"
CONTENT = bytes(range(256)) * 8000
DIGEST = digest_of(CONTENT)
OPENED = Answer(status=202, headers={"Location": "/v2/upload?state=1"})


@pytest.fixture(autouse=True)
def no_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


@contextlib.contextmanager
def connected(server: PreparedServer) -> Iterator[TransferClient]:
    http = HttpClient(
        policy=RetryPolicy(attempts=2, first_wait=0.01), notify=lambda _: None, timeout=5.0, proxies=False
    )
    with TransferClient(parse(f"http://{server.host}"), http) as client:
        yield client


def read(client: TransferClient) -> bytes:
    with client.pieces(REPOSITORY, DIGEST) as pieces:
        return b"".join(checked(pieces, DIGEST, len(CONTENT)))


def test_a_blob_is_read_piece_by_piece() -> None:
    with (
        serving(lambda _: Answer(body=CONTENT)) as server,
        connected(server) as client,
        client.pieces(REPOSITORY, DIGEST) as pieces,
    ):
        lengths = [len(piece) for piece in pieces]
    assert sum(lengths) == len(CONTENT)
    assert len(lengths) > 1 and max(lengths) <= 1024 * 1024


def test_a_read_that_breaks_may_succeed_later() -> None:
    with (
        serving(lambda _: Answer(body=CONTENT, half=True)) as server,
        connected(server) as client,
        pytest.raises(RegistryError, match="cannot be reached or stopped answering") as failure,
    ):
        read(client)
    assert failure.value.may_pass


def test_a_blob_that_is_not_there_is_a_failure_in_the_registrys_words() -> None:
    body = b'{"errors": [{"code": "BLOB_UNKNOWN", "message": "no such blob"}]}'
    with (
        serving(lambda _: Answer(status=404, body=body)) as server,
        connected(server) as client,
        pytest.raises(RegistryError) as failure,
    ):
        read(client)
    assert "no such blob" in str(failure.value.details)
    assert not failure.value.may_pass


def test_a_read_asks_for_a_token() -> None:
    def respond(request: Request) -> Answer:
        if request.path.startswith("/token"):
            return Answer(body=b'{"token": "t"}')
        if request.headers.get("authorization") == "Bearer t":
            return Answer(body=CONTENT)
        challenge = f'Bearer realm="http://{request.headers["host"]}/token",service="s"'
        return Answer(status=401, headers={"WWW-Authenticate": challenge})

    with serving(respond) as server, connected(server) as client:
        assert read(client) == CONTENT


def test_a_blob_is_sent_in_one_request_of_its_size() -> None:
    with serving(lambda request: OPENED if request.method == "POST" else Answer(status=201)) as server:
        with connected(server) as client:
            client.upload(REPOSITORY, DIGEST, len(CONTENT), [CONTENT[:1000], CONTENT[1000:]])
        _, put = server.requests
    assert put.path == f"/v2/upload?state=1&digest={DIGEST.replace(':', '%3A')}"
    assert put.headers["content-length"] == str(len(CONTENT))
    assert "transfer-encoding" not in put.headers


@pytest.mark.parametrize(
    ("status", "may_pass"),
    [(401, True), (404, True), (429, True), (502, True), (400, False), (403, False), (507, False)],
)
def test_an_upload_is_sent_once_and_says_whether_another_may_succeed(status: int, may_pass: bool) -> None:
    with serving(lambda request: OPENED if request.method == "POST" else Answer(status=status)) as server:
        with connected(server) as client, pytest.raises(RegistryError) as failure:
            client.upload(REPOSITORY, DIGEST, len(CONTENT), iter([CONTENT]))
        assert [request.method for request in server.requests] == ["POST", "PUT"]
    assert failure.value.may_pass is may_pass


def test_an_upload_that_the_client_could_not_open_is_not_begun_again() -> None:
    """The client has made all attempts: with those of its caller, there would be attempts of attempts."""
    with serving(lambda _: Answer(status=503)) as server:
        with connected(server) as client, pytest.raises(RegistryError) as failure:
            client.upload(REPOSITORY, DIGEST, len(CONTENT), iter([CONTENT]))
        assert [request.method for request in server.requests] == ["POST", "POST"]
    assert not failure.value.may_pass


def test_a_read_that_the_client_could_not_open_is_not_begun_again() -> None:
    with (
        serving(lambda _: Answer(status=503)) as server,
        connected(server) as client,
        pytest.raises(RegistryError) as failure,
    ):
        read(client)
    assert not failure.value.may_pass


def test_what_fails_while_it_is_read_is_not_sent() -> None:
    class BrokenError(Exception):
        pass

    def pieces() -> Iterator[bytes]:
        yield CONTENT[:1000]
        raise BrokenError

    arrived: list[Request] = []

    def respond(request: Request) -> Answer:
        arrived.append(request)
        return OPENED if request.method == "POST" else Answer(status=201)

    with serving(respond) as server, connected(server) as client, pytest.raises(BrokenError):
        client.upload(REPOSITORY, DIGEST, len(CONTENT), pieces())
    assert all(len(request.body) < len(CONTENT) for request in arrived)
