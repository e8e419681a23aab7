"""The HTTP client against servers that fail, limit, redirect, and have wrong certificates."""

from __future__ import annotations

import email.utils
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from build.errors import NetworkError
from build.system.certificates import VARIABLES
from build.system.http import HttpClient
from build.system.http_connections import proxy_of
from build.system.http_failures import (
    CertificateError,
    HttpError,
    NoAnswerError,
    PlainHttpError,
    StatusError,
    StoppedError,
    TimedOutError,
)
from build.system.parallel import run_parallel
from build.system.retries import RetryPolicy, retry_after
from tests.unit.http_servers import Answer, Authority, Request, in_turn, new_authority, serving

#: Fast, for tests.
POLICY = RetryPolicy(attempts=3, first_wait=0.01, first_wait_when_limited=0.01, longest_wait=2.0)


@pytest.fixture(autouse=True)
def no_proxy_or_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (*VARIABLES, "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.lower(), raising=False)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return new_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def lines() -> list[str]:
    """The lines that a person sees."""
    return []


@pytest.fixture
def client(lines: list[str]) -> Iterator[HttpClient]:
    with HttpClient(policy=POLICY, notify=lines.append, timeout=1.0) as client:
        yield client


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_temporary_failure_is_retried_and_printed(client: HttpClient, lines: list[str], status: int) -> None:
    with serving(in_turn(Answer(status=status), Answer(body=b"fine"))) as server:
        response = client.get(f"http://{server.host}/")

    assert response.content == b"fine"
    (line,) = lines
    assert line.startswith(f"{server.host} answered HTTP {status} (")
    assert line.endswith("trying again in 0.0 s (attempt 2 of 3)")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 501])
def test_a_lasting_failure_is_not_retried(client: HttpClient, lines: list[str], status: int) -> None:
    with serving(in_turn(Answer(status=status, body=b"no"))) as server:
        response = client.get(f"http://{server.host}/")

    assert (response.status, response.content, lines) == (status, b"no", [])
    assert len(server.requests) == 1


def test_retries_end(client: HttpClient, lines: list[str]) -> None:
    with serving(in_turn(Answer(status=503, body=b"down for maintenance"))) as server:
        response = client.get(f"http://{server.host}/")

        assert len(server.requests) == 3
        assert len(lines) == 2
        with pytest.raises(StatusError, match=r"answered HTTP 503 \(Service Unavailable\)") as failure:
            response.raise_for_status()
    assert str(failure.value.details).splitlines() == ["down for maintenance", "gave up after 3 attempts"]


@pytest.mark.parametrize(
    ("first", "is_unsettled"),
    [
        (Answer(drop=True), True),
        (Answer(status=504), True),
        (Answer(status=500), False),
        (Answer(status=429), False),
        (Answer(status=403), False),
    ],
)
def test_an_attempt_without_an_answer_is_noted_in_the_answer_to_a_later_one(
    client: HttpClient, first: Answer, is_unsettled: bool
) -> None:
    with serving(in_turn(first, Answer(status=403))) as server:
        response = client.request("PUT", f"http://{server.host}/", body=b"x")

    assert (response.status, response.unsettled) == (403, is_unsettled)


def test_a_host_that_did_not_answer_in_time_gets_one_attempt_until_it_answers() -> None:
    hangs = threading.Event()
    hangs.set()

    def respond(request: Request) -> Answer:
        return Answer(body=b"slow", seconds=0.5 if hangs.is_set() else 0.0)

    with HttpClient(policy=POLICY, notify=lambda _: None, timeout=0.1) as client, serving(respond) as server:
        for attempts in (3, 1, 1):
            before = len(server.requests)
            with pytest.raises(TimedOutError):
                client.get(f"http://{server.host}/")
            assert len(server.requests) - before == attempts
        hangs.clear()
        assert client.get(f"http://{server.host}/").ok
        hangs.set()
        with pytest.raises(TimedOutError):
            client.get(f"http://{server.host}/")
        assert len(server.requests) - before == 1 + 1 + 3


def test_a_post_is_repeated_only_on_request(client: HttpClient) -> None:
    with serving(in_turn(Answer(status=502), Answer(status=201))) as server:
        assert client.request("POST", f"http://{server.host}/").status == 502
    with serving(in_turn(Answer(status=502), Answer(status=201))) as server:
        assert client.request("POST", f"http://{server.host}/", retry=True).status == 201


def test_retry_after_is_waited_for(client: HttpClient, lines: list[str]) -> None:
    with serving(in_turn(Answer(status=429, headers={"Retry-After": "1"}), Answer())) as server:
        began = time.monotonic()
        assert client.get(f"http://{server.host}/").ok

    assert time.monotonic() - began >= 1.0
    assert "HTTP 429 (Too Many Requests); trying again in 1.0 s" in lines[0]


def test_a_server_that_asks_to_wait_an_hour_is_not_waited_for(client: HttpClient, lines: list[str]) -> None:
    with serving(in_turn(Answer(status=429, headers={"Retry-After": "3600"}))) as server:
        response = client.get(f"http://{server.host}/")

    assert len(server.requests) == 1
    assert lines == []
    assert "the server asks to wait 60 min 0 s, until " in response.gave_up
    assert response.gave_up.endswith("a run waits 2.0 s at most")


def test_a_malformed_retry_after_counts_as_none(client: HttpClient) -> None:
    with serving(in_turn(Answer(status=429, headers={"Retry-After": "12.5ms"}), Answer(body=b"fine"))) as server:
        assert client.get(f"http://{server.host}/").content == b"fine"


def test_a_server_that_asks_to_wait_no_time_is_not_asked_again_at_once() -> None:
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return False

    with (
        HttpClient(policy=RetryPolicy(), notify=lambda _: None, wait=wait) as client,
        serving(in_turn(Answer(status=429, headers={"Retry-After": "0"}))) as server,
    ):
        client.get(f"http://{server.host}/")

    assert waits == [0.5, 1.0, 2.0, 4.0]


def test_retry_after_as_a_date() -> None:
    now = email.utils.parsedate_to_datetime("Thu, 26 Nov 2026 01:00:00 GMT")

    assert retry_after("Thu, 26 Nov 2026 01:00:20 GMT", now) == 20.0
    assert retry_after("Thu, 26 Nov 2026 00:00:00 GMT", now) == 0.0
    assert retry_after("7", now) == 7.0
    assert [retry_after(text, now) for text in (None, "", "soon", "nan", "inf", "12.5ms")] == [None] * 6
    assert retry_after("Thu, 26 Nov 99999999999 01:00:00 GMT", now) is None


def test_a_wait_beyond_the_calendar_is_not_waited_for(client: HttpClient) -> None:
    with serving(in_turn(Answer(status=429, headers={"Retry-After": "99999999999999"}))) as server:
        response = client.get(f"http://{server.host}/")

    assert "the server asks to wait" in response.gave_up


def test_a_secondary_rate_limit_is_a_rate_limit(client: HttpClient, lines: list[str]) -> None:
    limited = Answer(status=403, body=b"You have exceeded a secondary rate limit.")
    with serving(in_turn(limited, Answer(body=b"fine"))) as server:
        assert client.get(f"http://{server.host}/").content == b"fine"

    assert len(lines) == 1


def test_a_dropped_connection_is_retried(client: HttpClient, lines: list[str]) -> None:
    with serving(in_turn(Answer(drop=True), Answer(body=b"fine"))) as server:
        assert client.get(f"http://{server.host}/").content == b"fine"

    assert lines[0].startswith(f"the connection to {server.host} failed; trying again in")


def test_an_answer_that_breaks_off_is_retried(client: HttpClient) -> None:
    short = Answer(headers={"Content-Length": "10", "Connection": "close"}, body=b"half")
    with serving(in_turn(short, Answer(body=b"fine"))) as server:
        assert client.get(f"http://{server.host}/").content == b"fine"


def test_a_host_that_refuses_is_retried_once_for_all_requests(client: HttpClient, lines: list[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        with pytest.raises(NoAnswerError, match="refuses the connection") as failure:
            client.get(url)
        assert len(lines) == 2
        with pytest.raises(NoAnswerError):
            client.get(url)

    assert len(lines) == 2
    assert "gave up after 3 attempts" in str(failure.value.details)
    assert failure.value.exit_code == NetworkError.exit_code


def test_a_silent_server_is_given_up(client: HttpClient) -> None:
    def respond(request: Request) -> Answer:
        time.sleep(1.5)
        return Answer(drop=True)

    with (
        HttpClient(timeout=0.2, policy=RetryPolicy(attempts=1)) as impatient,
        serving(respond) as server,
        pytest.raises(TimedOutError, match=r"did not answer within 0 s"),
    ):
        impatient.get(f"http://{server.host}/")


def test_closing_ends_a_wait(lines: list[str]) -> None:
    waiting = threading.Event()
    policy = RetryPolicy(attempts=2, first_wait=60.0)
    with serving(in_turn(Answer(status=503))) as server:
        client = HttpClient(policy=policy, notify=lambda _: waiting.set())
        failures: list[HttpError] = []

        def run() -> None:
            try:
                client.get(f"http://{server.host}/")
            except HttpError as failure:
                failures.append(failure)

        thread = threading.Thread(target=run)
        thread.start()
        assert waiting.wait(5)
        client.close()
        thread.join(5)

    assert not thread.is_alive()
    assert isinstance(failures[0], StoppedError)


def test_a_redirect_to_another_server_does_not_get_the_login(client: HttpClient) -> None:
    with (
        serving(in_turn(Answer(body=b"blob"))) as storage,
        serving(in_turn(Answer(status=307, headers={"Location": f"http://{storage.host}/blob?key=1"}))) as server,
    ):
        response = client.get(f"http://{server.host}/", headers={"Authorization": "Bearer secret"})

    assert response.content == b"blob"
    assert server.requests[0].headers["authorization"] == "Bearer secret"
    assert "authorization" not in storage.requests[0].headers


def test_endless_redirects_end(client: HttpClient) -> None:
    with (
        serving(in_turn(Answer(status=302, headers={"Location": "/again"}))) as server,
        pytest.raises(HttpError, match="too many redirects"),
    ):
        client.get(f"http://{server.host}/")


def test_a_redirect_to_no_address_is_a_failure_with_its_reason(client: HttpClient) -> None:
    with (
        serving(in_turn(Answer(status=302, headers={"Location": "http://[broken/"}))) as server,
        pytest.raises(HttpError, match="redirects to an address that is not one") as failure,
    ):
        client.get(f"http://{server.host}/")

    assert "http://[broken/" in str(failure.value.details)


def test_a_stream_is_read_as_far_as_asked(client: HttpClient) -> None:
    with (
        serving(in_turn(Answer(status=206, body=b"0123456789"))) as server,
        client.stream(f"http://{server.host}/", headers={"Range": "bytes=0-9"}) as stream,
    ):
        assert stream.response.status == 206
        assert stream.read(4) == b"0123"
        assert stream.read() == b"456789"
    assert server.requests[0].headers["range"] == "bytes=0-9"


@pytest.mark.parametrize("variable", VARIABLES)
def test_each_variable_names_the_certificates(
    client: HttpClient, authority: Authority, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(authority.bundle))

    with serving(in_turn(Answer(body=b"safe")), authority.context("good", "IP:127.0.0.1")) as server:
        assert client.get(f"https://{server.host}/").content == b"safe"


def test_an_unknown_authority_is_named_with_the_certificates_in_use(client: HttpClient, authority: Authority) -> None:
    with (
        serving(in_turn(Answer()), authority.context("good", "IP:127.0.0.1")) as server,
        pytest.raises(CertificateError, match="is signed by an unknown CA") as failure,
    ):
        client.get(f"https://{server.host}/")

    assert failure.value.problem == "unknown CA"
    assert "name the file in SSL_CERT_FILE; now in use: " in str(failure.value.fix)


def test_a_self_signed_certificate_is_called_so(client: HttpClient, authority: Authority, tmp_path: Path) -> None:
    with (
        serving(in_turn(Answer()), new_authority(tmp_path).own_context()) as server,
        pytest.raises(CertificateError, match="is self-signed") as failure,
    ):
        client.get(f"https://{server.host}/")

    assert "name the file in SSL_CERT_FILE; now in use: " in str(failure.value.fix)


def test_a_certificate_that_no_bundle_can_help_is_described_in_the_librarys_words(
    client: HttpClient, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.bundle))
    context = authority.context("purpose", "IP:127.0.0.1", usage="clientAuth")

    with (
        serving(in_turn(Answer()), context) as server,
        pytest.raises(CertificateError, match=r"is not accepted: .*purpose") as failure,
    ):
        client.get(f"https://{server.host}/")

    assert "SSL_CERT_FILE" not in str(failure.value.fix)


@pytest.mark.parametrize(
    ("name", "subject", "days", "words"),
    [
        ("expired", "IP:127.0.0.1", ("20200101", "20200201"), "has expired"),
        ("early", "IP:127.0.0.1", ("20980101", "20990101"), "is not valid yet"),
        ("address", "IP:127.0.0.2", ("20200101", "20990101"), "is for another name"),
        ("host", "DNS:other.example", ("20200101", "20990101"), "is for another name"),
    ],
)
def test_each_certificate_failure_has_its_words(
    client: HttpClient,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    subject: str,
    days: tuple[str, str],
    words: str,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.bundle))
    context = authority.context(name, subject, start=days[0], end=days[1])

    with serving(in_turn(Answer()), context) as server, pytest.raises(CertificateError, match=words) as failure:
        client.get(f"https://{server.host}/")

    assert "SSL_CERT_FILE" not in str(failure.value.fix)  # that would not help


def test_a_server_without_tls_is_recognised(client: HttpClient) -> None:
    with serving(in_turn(Answer())) as server, pytest.raises(PlainHttpError, match="speaks plain HTTP, not TLS"):
        client.get(f"https://{server.host}/")


def test_a_broken_file_of_certificates_is_named(
    client: HttpClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate\n", encoding="utf-8")
    monkeypatch.setenv("SSL_CERT_FILE", str(broken))

    with pytest.raises(NetworkError, match="CA certificates cannot be read") as failure:
        client.get("https://127.0.0.1:1/")

    assert failure.value.where == f"{broken} (SSL_CERT_FILE)"


def test_requests_go_through_the_proxy(client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(in_turn(Answer(body=b"by proxy"))) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://me:secret@{proxy.host}")
        assert client.get("http://packages.example/simple/").content == b"by proxy"

    assert proxy.requests[0].path == "http://packages.example/simple/"
    assert proxy.requests[0].headers["proxy-authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    ("url", "direct"),
    [
        ("https://registry.example/v2/", False),
        ("https://registry.internal.example/v2/", True),
        ("https://10.1.2.3:5000/v2/", True),
        ("https://11.1.2.3:5000/v2/", False),
        ("https://localhost:5000/", True),
    ],
)
def test_no_proxy(url: str, direct: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "localhost,.internal.example,10.0.0.0/8")

    assert (proxy_of(url) == "") is direct


def test_a_failing_proxy_is_named_without_its_password(client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://me:secret@127.0.0.1:1")

    with pytest.raises(HttpError, match=r"the proxy for packages\.example cannot be used") as failure:
        client.get("http://packages.example/")

    assert "secret" not in f"{failure.value.what} {failure.value.where} {failure.value.details}"
    assert "HTTPS_PROXY" in str(failure.value.fix)


def test_an_address_that_is_none_is_a_failure_with_its_reason(client: HttpClient) -> None:
    with pytest.raises(HttpError, match="this is not a usable address") as failure:
        client.get("http://me:secret@[broken/")

    assert "secret" not in f"{failure.value.where} {failure.value.details}"


@pytest.mark.parametrize(
    "proxy", ["http://me:secret@[::1", "http://me:secret@proxy.example:port", "ftp://proxy.example"]
)
def test_a_proxy_that_is_no_address_is_named(
    client: HttpClient, lines: list[str], proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)

    with pytest.raises(HttpError, match=r"the proxy for packages\.example cannot be used") as failure:
        client.get("http://packages.example/")

    assert "secret" not in f"{failure.value.what} {failure.value.where} {failure.value.details}"
    assert "HTTPS_PROXY" in str(failure.value.fix)
    assert lines == []


def test_secrets_in_an_address_are_not_shown(client: HttpClient) -> None:
    with pytest.raises(HttpError) as failure:
        client.get("http://me:secret@127.0.0.1:1/simple/?token=hidden")

    shown = f"{failure.value.what} {failure.value.where} {failure.value.fix} {failure.value.details}"
    assert "secret" not in shown
    assert "hidden" not in shown


def test_parallel_work_keeps_the_order_and_raises_the_first_failure() -> None:
    assert run_parallel(lambda number: number * 2, range(20)) == list(range(0, 40, 2))

    def fail(number: int) -> int:
        if number >= 1:
            raise ValueError(str(number))
        return number

    with pytest.raises(ValueError, match="1"):
        run_parallel(fail, range(20))


def test_parallel_work_is_bounded() -> None:
    running, most = [0], [0]
    lock = threading.Lock()

    def work(_: int) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.01)
        with lock:
            running[0] -= 1

    run_parallel(work, range(20), workers=4)

    assert 1 < most[0] <= 4


@pytest.mark.parametrize(
    "work",
    [
        "client.get(url)",
        "run_parallel(lambda _: client.get(url), range(4))",
    ],
)
@pytest.mark.parametrize("silent", [True, False], ids=["a silent server", "a wait for the next attempt"])
def test_ctrl_c_does_not_wait(work: str, silent: bool) -> None:
    program = f"""
import signal, sys
from build.system.http import HttpClient
from build.system.parallel import run_parallel
from build.system.retries import RetryPolicy
signal.signal(signal.SIGINT, signal.default_int_handler)
url = sys.argv[1]
with HttpClient(policy=RetryPolicy(first_wait=60.0)) as client:
    {work}
"""
    asked = threading.Event()
    done = threading.Event()

    def respond(request: Request) -> Answer:
        asked.set()
        if silent:
            done.wait(20)
        return Answer(status=503)

    with serving(respond) as server:
        process = subprocess.Popen(
            [sys.executable, "-c", program, f"http://{server.host}/"], stderr=subprocess.PIPE, text=True
        )
        assert asked.wait(20)
        time.sleep(0.3)  # until the answer has arrived and the wait has begun
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        took = time.monotonic() - began
        done.set()

    assert "KeyboardInterrupt" in errors
    assert took < 3
