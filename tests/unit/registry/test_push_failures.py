"""The failures of a push, from the words of engines and registries."""

from __future__ import annotations

import pytest

from build.registry.address import Registry
from build.registry.push_failures import explain, is_of_one_repository, is_temporary

REGISTRY = Registry(host="registry.example:5000")


@pytest.fixture(autouse=True)
def no_login(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path_factory.mktemp("docker")
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    monkeypatch.setenv("NETRC", str(folder / "netrc"))


@pytest.mark.parametrize(
    "words",
    [
        "received unexpected HTTP status: 502 Bad Gateway",
        "unexpected status from PUT request to https://r/v2/x/blobs/uploads/1: 503 Service Unavailable",
        "received unexpected HTTP status: 500 Internal Server Error",
        "write tcp 10.0.0.1:3->10.0.0.2:443: write: connection reset by peer",
        'Patch "https://r/v2/x/blobs/uploads/1": unexpected EOF',
        "toomanyrequests: retry-after: 12.5ms, allowed: 44000/minute",
        "denied: You have exceeded a secondary rate limit.",
    ],
)
def test_temporary_failures_are_repeated(words: str) -> None:
    assert is_temporary(words)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("denied: You have exceeded a secondary rate limit.", "limits the number of requests"),
        ("unauthorized: authentication required", "asks for a login"),
        ("denied: requested access to the resource is denied", "asks for a login"),
        ("x509: certificate signed by unknown authority", "is not trusted"),
        ("x509: certificate has expired or is not yet valid: current time A is after B", "has expired"),
        ("x509: certificate has expired or is not yet valid: current time A is before B", "is not valid yet"),
        ("x509: certificate relies on legacy Common Name field, use SANs instead", "is not accepted"),
        ("x509: certificate is valid for other.example, not registry.example", "is for another name"),
        ("http: server gave HTTP response to HTTPS client", "speaks plain HTTP"),
        ("tls: first record does not look like a TLS handshake", "speaks plain HTTP"),
        ("dial tcp: lookup registry.example: no such host", "cannot be reached"),
        ("write: connection reset by peer", "cannot be reached or stopped answering"),
        ("received unexpected HTTP status: 504 Gateway Timeout", "did not take one"),
        ("received unexpected HTTP status: 500 Internal Server Error", "did not take one"),
    ],
)
def test_each_failure_is_told_apart_and_keeps_the_registrys_words(words: str, what: str) -> None:
    failure = explain("one", "registry.example:5000/azureml/one:x", REGISTRY, words)

    assert what in failure.what
    assert failure.details == words


@pytest.mark.parametrize(
    ("words", "logged_in", "expected"),
    [
        ("name unknown: The repository with name 'one' does not exist", False, True),
        ("denied: requested access to the resource is denied", True, True),
        ("denied: requested access to the resource is denied", False, False),
        ("unauthorized: authentication required", True, False),
        ("x509: certificate has expired", True, False),
        ("dial tcp: lookup registry.example: no such host", True, False),
        ("unexpected status: 503 Service Unavailable", True, False),
    ],
)
def test_other_repositories_may_take_pushes(words: str, logged_in: bool, expected: bool) -> None:
    assert is_of_one_repository(words, logged_in=logged_in) is expected
