"""The registry client against servers that fail, limit, and ask for tokens, as a real registry cannot be made to."""

from __future__ import annotations

import base64
import json
import re
import socket
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from build.errors import RegistryError
from build.registry.address import Registry, parse
from build.registry.attachments import attach, attached
from build.registry.authentication import challenges
from build.registry.client import Client
from build.registry.manifests import INDEX, MANIFEST, descriptor, digest_of, to_manifest
from build.system.certificates import VARIABLES
from build.system.http import HttpClient
from build.system.parallel import run_parallel
from build.system.retries import RetryPolicy
from tests.unit.http_servers import Answer, Authority, PreparedServer, Request, Respond, in_turn, new_authority, serving

REPOSITORY = "azureml/one"
DIGEST = "sha256:" + "a" * 64
#: Fast, for tests.
POLICY = RetryPolicy(attempts=3, first_wait=0.01, first_wait_when_limited=0.01, longest_wait=2.0)

#: The answer that a tag exists.
HEAD_OK = Answer(headers={"Docker-Content-Digest": DIGEST})


def error(status: int, code: str, message: str, detail: object = None, **headers: str) -> Answer:
    """An answer with the specification's error body."""
    entry = {"code": code, "message": message, "detail": detail}
    return Answer(status=status, headers=headers, body=json.dumps({"errors": [entry]}).encode())


@pytest.fixture(autouse=True)
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Docker's configuration, without logins; no netrc, no proxy, no CA bundle."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for variable in (*VARIABLES, "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.lower(), raising=False)
    file = tmp_path / "config.json"
    file.write_text("{}", encoding="utf-8")
    return file


@pytest.fixture
def lines() -> list[str]:
    """The lines that a person sees."""
    return []


Connect = Callable[[PreparedServer], Client]


@pytest.fixture
def connect(lines: list[str]) -> Iterator[Connect]:
    """Connects to a server, with short waits."""
    clients: list[Client] = []

    def _connect(server: PreparedServer, scheme: str = "http") -> Client:
        http = HttpClient(policy=POLICY, notify=lines.append, timeout=5.0)
        clients.append(Client(parse(f"{scheme}://{server.host}"), http))
        return clients[-1]

    yield _connect
    for client in clients:
        client.__exit__()


def log_in(config: Path, server: PreparedServer, **entry: str) -> None:
    config.write_text(json.dumps({"auths": {server.host: entry}}), encoding="utf-8")


def basic(login: str) -> str:
    return base64.b64encode(login.encode()).decode()


# What answers, and how


def test_a_server_that_is_not_a_registry_is_recognised(connect: Connect) -> None:
    with (
        serving(in_turn(Answer(body=b"<html>It works!</html>"))) as server,
        pytest.raises(RegistryError, match="is not a registry") as failure,
    ):
        connect(server).check()

    assert failure.value.where == server.host


def test_a_server_without_tls_is_reported_with_the_address_to_use() -> None:
    with (
        serving(in_turn(Answer(body=b"<html>It works!</html>"))) as server,
        Client(parse(f"https://{server.host}")) as client,
        pytest.raises(RegistryError, match="speaks plain HTTP, not TLS") as failure,
    ):
        client.check()

    assert f"REGISTRY=http://{server.host}" in str(failure.value.fix)


@pytest.mark.parametrize(("number", "attempts"), [(socket.EAI_NONAME, 1), (socket.EAI_AGAIN, 3)])
def test_a_host_that_does_not_exist_is_named(
    lines: list[str], monkeypatch: pytest.MonkeyPatch, number: int, attempts: int
) -> None:
    def resolve(*_: object) -> None:
        raise socket.gaierror(number, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    registry = parse("http://registry.invalid:5000")  # .invalid never resolves: RFC 2606

    with (
        Client(registry, HttpClient(proxies=False, policy=POLICY, notify=lines.append)) as client,
        pytest.raises(RegistryError, match=r"registry\.invalid:5000 cannot be reached"),
    ):
        client.check()

    assert len(lines) == attempts - 1  # only a name server that does not answer is asked again


def test_a_missing_tag_or_repository_is_not_a_failure(connect: Connect) -> None:
    with serving(in_turn(error(404, "MANIFEST_UNKNOWN", "manifest unknown"))) as server:
        client = connect(server)
        assert client.digest(REPOSITORY, "latest") is None
        assert client.tags(REPOSITORY) == []
        assert not client.has_blob(REPOSITORY, DIGEST)


def test_the_digest_is_computed_where_the_registry_does_not_name_it(connect: Connect) -> None:
    content = b'{"schemaVersion": 2}'
    with serving(in_turn(Answer(body=content))) as server:
        assert connect(server).digest(REPOSITORY, "latest") == digest_of(content)


@pytest.mark.parametrize(
    ("status", "maybe_done"), [(400, False), (403, False), (500, False), (503, True), (504, True), (520, True)]
)
def test_a_failure_tells_whether_the_request_may_still_be_carried_out(
    connect: Connect, status: int, maybe_done: bool
) -> None:
    manifest = to_manifest({"schemaVersion": 2}, MANIFEST)
    with serving(in_turn(Answer(status=status))) as server, pytest.raises(RegistryError) as failure:
        connect(server).put_tag(REPOSITORY, "latest", manifest)

    assert failure.value.maybe_done == maybe_done


@pytest.mark.parametrize("status", [301, 307, 308])
def test_a_write_that_is_redirected_is_a_failure_with_the_address(connect: Connect, status: int) -> None:
    redirect = Answer(status=status, headers={"Location": "https://other.example:5000/v2/x?secret=1"})
    with serving(in_turn(redirect)) as server, pytest.raises(RegistryError) as failure:
        connect(server).put_tag(REPOSITORY, "latest", to_manifest({"schemaVersion": 2}, MANIFEST))

    assert f"{server.host} redirects to https://other.example:5000/v2/x (tagging" in failure.value.what
    assert "REGISTRY=" in str(failure.value.fix)


def test_content_with_another_digest_is_refused(connect: Connect) -> None:
    with serving(in_turn(Answer(body=b"{}"))) as server:
        client = connect(server)
        with pytest.raises(RegistryError) as of_manifest:
            client.manifest(REPOSITORY, DIGEST)
        with pytest.raises(RegistryError) as of_blob:
            client.read_blob(REPOSITORY, DIGEST)

    assert digest_of(b"{}") in str(of_manifest.value.details)
    assert digest_of(b"{}") in str(of_blob.value.details)


def test_a_mount_that_is_redirected_is_no_failure(connect: Connect) -> None:
    with serving(in_turn(Answer(status=307, headers={"Location": "/elsewhere"}))) as server:
        assert not connect(server).mount(REPOSITORY, DIGEST, "azureml/two")


@pytest.mark.parametrize(
    "link", ['<{page}?n=100>; rel="first", <{page}?last=b>; rel="next"', "<{page}?last=b>; title=x; rel=next"]
)
def test_the_next_page_may_be_one_of_several_links(connect: Connect, link: str) -> None:
    page = "/v2/azureml/one/tags/list"
    first = Answer(headers={"Link": link.format(page=page)}, body=b'{"tags": ["a", "b"]}')
    with serving(in_turn(first, Answer(body=b'{"tags": ["c"]}'))) as server:
        assert connect(server).tags(REPOSITORY) == ["a", "b", "c"]
        assert [request.path for request in server.requests] == [page, f"{page}?last=b"]


def test_a_page_that_leads_to_itself_is_the_last_one(connect: Connect) -> None:
    loop = Answer(headers={"Link": '</v2/azureml/one/tags/list?last=b>; rel="next"'}, body=b'{"tags": ["a"]}')
    with serving(in_turn(loop)) as server:
        assert connect(server).tags(REPOSITORY) == ["a", "a"]


def test_tags_are_read_from_all_pages(connect: Connect) -> None:
    first = Answer(headers={"Link": '</v2/azureml/one/tags/list?last=b&n=2>; rel="next"'}, body=b'{"tags": ["a", "b"]}')
    second = Answer(body=b'{"tags": ["c"]}')
    with serving(lambda request: second if "last=b" in request.path else first) as server:
        assert connect(server).tags(REPOSITORY) == ["a", "b", "c"]


def test_a_registry_without_tags_answers_null(connect: Connect) -> None:
    with serving(in_turn(Answer(body=b'{"tags": null}'))) as server:
        assert connect(server).tags(REPOSITORY) == []


# Retries, and the registry's own words


@pytest.mark.parametrize(
    "limited",
    [
        error(429, "TOOMANYREQUESTS", "retry-after: 1ms, allowed: 44000/minute"),
        Answer(status=429, headers={"Retry-After": "12.5ms"}),
        Answer(status=429, headers={"Retry-After": "0"}),
        Answer(status=403, body=b"You have exceeded a secondary rate limit"),
        Answer(status=502),
        Answer(drop=True),
    ],
    ids=["429", "malformed Retry-After", "Retry-After 0", "secondary rate limit", "502", "dropped"],
)
def test_a_temporary_failure_is_retried_and_printed(connect: Connect, lines: list[str], limited: Answer) -> None:
    answers = in_turn(limited, Answer(body=b'{"tags": ["a"]}'))
    with serving(answers) as server:
        assert connect(server).tags(REPOSITORY) == ["a"]

    assert len(lines) == 1
    assert "trying again in" in lines[0]


def test_a_rate_limit_that_lasts_is_reported_in_the_registrys_words(connect: Connect, lines: list[str]) -> None:
    limited = error(429, "TOOMANYREQUESTS", "You have reached your pull rate limit", "as 10.0.0.1")
    with (
        serving(in_turn(limited)) as server,
        pytest.raises(RegistryError, match="limits the number of requests") as failure,
    ):
        connect(server).tags(REPOSITORY)

    assert str(failure.value.details).splitlines() == [
        "TOOMANYREQUESTS: You have reached your pull rate limit (as 10.0.0.1)",
        "gave up after 3 attempts",
    ]
    assert len(lines) == 2


def test_a_registry_that_asks_to_wait_an_hour_is_reported_at_once(connect: Connect, lines: list[str]) -> None:
    limited = error(429, "TOOMANYREQUESTS", "slow down", **{"Retry-After": "3600"})
    with serving(in_turn(limited)) as server, pytest.raises(RegistryError) as failure:
        connect(server).tags(REPOSITORY)

    assert "TOOMANYREQUESTS: slow down" in str(failure.value.details)
    assert "the server asks to wait 60 min 0 s" in str(failure.value.details)
    assert lines == []
    assert len(server.requests) == 1


def test_a_secondary_rate_limit_is_not_reported_as_a_login(connect: Connect) -> None:
    words = "You have exceeded a secondary rate limit. Please wait a few minutes."

    def respond(request: Request) -> Answer:
        return Answer(status=403, body=b"" if request.method == "HEAD" else words.encode())

    with serving(respond) as server, pytest.raises(RegistryError, match="limits the number of requests") as failure:
        connect(server).digest(REPOSITORY, "latest")  # the answer to HEAD has no words

    assert words in str(failure.value.details)


def test_a_refusal_is_reported_in_the_registrys_words(connect: Connect, docker_config: Path) -> None:
    denied = error(403, "DENIED", "installation not allowed to Create organization package", {"scope": "write"})
    with serving(in_turn(denied)) as server, pytest.raises(RegistryError, match="denied the request") as failure:
        connect(server).put_tag(REPOSITORY, "latest", to_manifest({}, MANIFEST))

    assert failure.value.details == (
        "DENIED: installation not allowed to Create organization package ({'scope': 'write'})"
    )


def test_a_repository_that_must_be_created_is_named(connect: Connect) -> None:
    unknown = error(404, "NAME_UNKNOWN", "The repository with name 'azureml/one' does not exist")
    with serving(in_turn(unknown)) as server, pytest.raises(RegistryError, match="no such repository") as failure:
        connect(server).put_tag(REPOSITORY, "latest", to_manifest({}, MANIFEST))

    assert "create the repository" in str(failure.value.fix)


class Uploads:
    """A registry that stores blobs, and fails as its test says.

    Args:
        puts: The answers to the PUTs of blobs, one after the other; 201 stores.
    """

    def __init__(self, *puts: int) -> None:
        self._puts = list(puts)
        self.stored = False
        self.opened = 0

    def __call__(self, request: Request) -> Answer:
        if request.method == "HEAD":
            return Answer(status=200 if self.stored else 404)
        if request.method == "POST":
            self.opened += 1
            return Answer(status=202, headers={"Location": f"/v2/azureml/one/blobs/uploads/{self.opened}?state=x"})
        if "/blobs/uploads/" in request.path:
            status = self._puts.pop(0)
            self.stored = status == 201
            return Answer(status=status)
        return Answer(status=201)


@pytest.mark.parametrize(
    ("puts", "opened"),
    [((201,), 1), ((502, 201), 1), ((502, 404, 201), 2), ((502, 416, 404, 201), 3)],
    ids=["at once", "one 502", "a forgotten upload", "two forgotten uploads"],
)
def test_an_upload_is_repeated(connect: Connect, puts: tuple[int, ...], opened: int) -> None:
    uploads = Uploads(*puts)
    with serving(uploads) as server:
        connect(server).put_artifact(REPOSITORY, to_manifest({}, MANIFEST), [b"{}"])

    assert uploads.stored
    assert uploads.opened == opened
    assert server.requests[-1].path.endswith(f"/manifests/{digest_of(b'{}')}")
    upload = next(each for each in server.requests if each.method == "PUT")
    assert urllib.parse.parse_qs(urllib.parse.urlsplit(upload.path).query) == {
        "state": ["x"],
        "digest": [digest_of(b"{}")],
    }


# Logins and tokens


class TokenServer:
    """A registry whose token server is the same server; ``accept`` gives the token for a request, None refuses.

    As at GitHub's registry, a request that is about no repository is asked for a token for another one, ``user/image``,
    for which nobody gets one.
    """

    def __init__(self, accept: Callable[[Request], str | None], answer: Answer = HEAD_OK) -> None:
        self.accept = accept
        self.answer = answer
        self.valid: set[str] = set()
        self.exchanges: list[Request] = []
        self.host = ""

    def __call__(self, request: Request) -> Answer:
        if request.path.startswith("/token"):
            self.exchanges.append(request)
            if "user/image" in urllib.parse.unquote(f"{request.path} {request.body.decode()}"):
                return Answer(status=403, body=b'{"errors": [{"code": "DENIED", "message": "not yours"}]}')
            token = self.accept(request)
            if token is None:
                return Answer(status=401, body=b'{"errors": [{"code": "UNAUTHORIZED", "message": "bad token"}]}')
            self.valid.add(f"Bearer {token}")
            return Answer(body=json.dumps({"token": token}).encode())
        if request.headers.get("authorization") in self.valid:
            return self.answer
        challenge = f'Bearer realm="http://{request.headers["host"]}/token",service="registry.example"'
        repository = re.match(r"/v2/(.+)/(?:manifests|blobs|tags)/", request.path)
        scope = f"repository:{repository[1] if repository else 'user/image'}:pull"
        return Answer(status=401, headers={"WWW-Authenticate": f'{challenge},scope="{scope}"'})


@pytest.mark.parametrize("entry", [{"auth": basic("me:secret")}, {"identitytoken": "refresh-me"}, {}])
def test_the_repository_of_somebody_else_is_not_asked_for(
    connect: Connect, docker_config: Path, entry: dict[str, str]
) -> None:
    respond = TokenServer(lambda request: "mine", Answer(body=b"{}"))
    with serving(respond) as server:
        if entry:
            log_in(docker_config, server, **entry)
        connect(server).check()
    (exchange,) = respond.exchanges
    assert "scope" not in f"{exchange.path} {exchange.body.decode()}"


def test_a_public_registry_gives_a_token_without_a_login(connect: Connect) -> None:
    respond = TokenServer(lambda request: None if "authorization" in request.headers else "anonymous")
    with serving(respond) as server:
        client = connect(server)
        assert client.digest(REPOSITORY, "latest") == DIGEST
        assert client.digest(REPOSITORY, "other") == DIGEST

    (exchange,) = respond.exchanges  # the token is kept
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(exchange.path).query)
    assert query == {"service": ["registry.example"], "scope": ["repository:azureml/one:pull"]}


def test_a_password_is_exchanged_for_a_token(connect: Connect, docker_config: Path) -> None:
    respond = TokenServer(
        lambda request: "mine" if request.headers.get("authorization") == f"Basic {basic('me:secret')}" else None
    )
    with serving(respond) as server:
        log_in(docker_config, server, auth=basic("me:secret"))
        assert connect(server).digest(REPOSITORY, "latest") == DIGEST


@pytest.mark.parametrize(
    "entry", [{"identitytoken": "refresh-me", "auth": basic("0000:")}, {"auth": basic("<token>:refresh-me")}]
)
def test_an_identity_token_is_exchanged_at_the_token_server(
    connect: Connect, docker_config: Path, entry: dict[str, str]
) -> None:
    def accept(request: Request) -> str | None:
        form = urllib.parse.parse_qs(request.body.decode())
        return "mine" if form.get("refresh_token") == ["refresh-me"] and request.method == "POST" else None

    respond = TokenServer(accept)
    with serving(respond) as server:
        log_in(docker_config, server, **entry)
        assert connect(server).digest(REPOSITORY, "latest") == DIGEST

    form = urllib.parse.parse_qs(respond.exchanges[0].body.decode())
    assert form["grant_type"] == ["refresh_token"]
    assert form["service"] == ["registry.example"]
    assert form["scope"] == ["repository:azureml/one:pull"]


def test_an_expired_token_is_renewed(connect: Connect) -> None:
    names = iter(["first", "second"])
    respond = TokenServer(lambda request: next(names))
    with serving(respond) as server:
        client = connect(server)
        assert client.digest(REPOSITORY, "latest") == DIGEST
        respond.valid.clear()
        assert client.digest(REPOSITORY, "latest") == DIGEST

    assert len(respond.exchanges) == 2


def test_parallel_reads_share_one_token(connect: Connect) -> None:
    respond = TokenServer(lambda request: "shared")
    with serving(respond) as server:
        client = connect(server)
        digests = run_parallel(lambda tag: client.digest(REPOSITORY, str(tag)), range(40))

    assert digests == [DIGEST] * 40
    assert len(respond.exchanges) == 1


def test_a_mount_asks_for_both_repositories(connect: Connect) -> None:
    respond = TokenServer(lambda request: "both", Answer(status=201))
    with serving(respond) as server:
        assert connect(server).mount(REPOSITORY, DIGEST, "azureml/other")

    scopes = urllib.parse.parse_qs(urllib.parse.urlsplit(respond.exchanges[0].path).query)["scope"]
    assert {"repository:azureml/one:pull,push", "repository:azureml/other:pull"} <= set(scopes)


def test_a_mount_that_is_refused_is_not_a_failure(connect: Connect) -> None:
    with serving(in_turn(Answer(status=202, headers={"Location": "/upload"}), Answer(status=405))) as server:
        client = connect(server)
        assert not client.mount(REPOSITORY, DIGEST, "azureml/other")
        assert not client.mount(REPOSITORY, DIGEST, "azureml/other")


def test_a_login_that_the_token_server_refuses(connect: Connect, docker_config: Path) -> None:
    with serving(TokenServer(lambda request: None)) as server:
        log_in(docker_config, server, auth=basic("me:wrong"))
        with pytest.raises(RegistryError, match="refused the stored login") as failure:
            connect(server).digest(REPOSITORY, "latest")

    assert failure.value.details == "UNAUTHORIZED: bad token"
    assert failure.value.fix == f"docker login {server.host}"


def test_no_login_where_one_is_wanted(connect: Connect) -> None:
    challenge = {"WWW-Authenticate": 'Basic realm="registry"'}
    with (
        serving(in_turn(error(401, "UNAUTHORIZED", "authentication required", **challenge))) as server,
        pytest.raises(RegistryError, match="asks for a login and none is stored") as failure,
    ):
        connect(server).digest(REPOSITORY, "latest")

    assert failure.value.details == "UNAUTHORIZED: authentication required"


def test_docker_login_beats_netrc(connect: Connect, docker_config: Path) -> None:
    def respond(request: Request) -> Answer:
        if request.headers.get("authorization") == f"Basic {basic('me:secret')}":
            return HEAD_OK
        return Answer(status=401, headers={"WWW-Authenticate": 'Basic realm="registry"'})

    with serving(respond) as server:
        (docker_config.parent / "netrc").write_text("machine 127.0.0.1 login me password wrong\n", encoding="utf-8")
        log_in(docker_config, server, auth=basic("me:secret"))
        assert connect(server).digest(REPOSITORY, "latest") == DIGEST

    sent = {request.headers.get("authorization") for request in server.requests}
    assert f"Basic {basic('me:wrong')}" not in sent


def test_a_token_server_over_plain_http_gets_no_password(
    connect: Connect, authority: Authority, monkeypatch: pytest.MonkeyPatch, docker_config: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.bundle))
    with serving(TokenServer(lambda request: "mine"), authority.context("good", "IP:127.0.0.1")) as server:
        log_in(docker_config, server, auth=basic("me:secret"))
        with Client(parse(f"https://{server.host}")) as client, pytest.raises(RegistryError) as failure:
            client.digest(REPOSITORY, "latest")

    assert "which is not https" in str(failure.value.details)
    assert not [request for request in server.requests if request.path.startswith("/token")]


def test_challenges() -> None:
    assert challenges('Bearer realm="https://a.example/t?x=1,2",service=s,scope="a:b:pull c:d:push"') == {
        "bearer": {"realm": "https://a.example/t?x=1,2", "service": "s", "scope": "a:b:pull c:d:push"}
    }
    assert challenges('Basic realm="one", Bearer realm="https://two"') == {
        "basic": {"realm": "one"},
        "bearer": {"realm": "https://two"},
    }
    assert challenges("Negotiate") == {}


# Certificates


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return new_authority(tmp_path_factory.mktemp("authority"))


def check(respond: Respond, authority: Authority, **certificate: str) -> Registry:
    """Ask a registry with a certificate whether it is there; the port is free again afterwards."""
    name = "-".join(["server", *certificate.values()]).replace(":", "-")
    context = authority.context(
        name, certificate.get("subject", "IP:127.0.0.1"), end=certificate.get("end", "20990101")
    )
    with serving(respond, context) as server, Client(parse(f"https://{server.host}")) as client:
        client.check()
    return client.registry


@pytest.mark.parametrize("variable", VARIABLES)
def test_each_variable_names_the_certificates(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(authority.bundle))

    assert not check(in_turn(Answer(body=b"{}")), authority).insecure


def test_an_expired_certificate_is_reported_as_expired(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.bundle))

    with pytest.raises(RegistryError, match="has expired") as failure:
        check(in_turn(Answer(body=b"{}")), authority, end="20200201")

    assert "SSL_CERT_FILE" not in str(failure.value.fix)  # that would not help


def test_a_certificate_for_another_name_is_reported_so(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.bundle))

    with pytest.raises(RegistryError, match="is for another name"):
        check(in_turn(Answer(body=b"{}")), authority, subject="IP:127.0.0.2")


def test_an_unknown_authority_is_reported_with_the_certificates_in_use(authority: Authority) -> None:
    with pytest.raises(RegistryError, match="is not trusted: it is signed by an unknown CA") as failure:
        check(in_turn(Answer(body=b"{}")), authority)

    assert "SSL_CERT_FILE" in str(failure.value.fix)
    assert "now in use: " in str(failure.value.details)


# Attachments


def test_attachments_are_listed_in_a_tag_where_the_registry_has_no_referrers(connect: Connect) -> None:
    subject = to_manifest({"schemaVersion": 2}, MANIFEST)
    tag = subject.digest.replace(":", "-")
    stored: dict[str, bytes] = {}

    def respond(request: Request) -> Answer:
        name = request.path.rpartition("/")[2]
        if "/referrers/" in request.path:
            return error(404, "NAME_UNKNOWN", "no such API")
        if request.method == "PUT" and "/manifests/" in request.path:
            stored[name] = request.body
            return Answer(status=201)
        if "/manifests/" in request.path:
            if name not in stored:
                return Answer(status=404)
            return Answer(headers={"Content-Type": INDEX}, body=stored[name])
        return Answer(status=200)  # it has every blob

    with serving(respond) as server:
        client = connect(server)
        for day in (23, 24):
            assert attach(
                client,
                REPOSITORY,
                subject,
                f"{day}".encode(),
                media_type="text/x-report",
                title="report",
                created=f"2026-11-{day}T00:00:00Z",
            )
        entries = attached(client, REPOSITORY, subject.digest, "text/x-report")

    assert tag in stored
    assert [entry["annotations"]["org.opencontainers.image.created"][:10] for entry in entries] == [
        "2026-11-24",
        "2026-11-23",
    ]
    assert descriptor(INDEX, stored[tag])["size"] == len(stored[tag])
    assert len([request for request in server.requests if "/referrers/" in request.path]) == 1
