"""Which stored login is used."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from build.errors import RegistryError
from build.registry.address import parse
from build.registry.credentials import IdentityToken, PasswordLogin, credentials


@pytest.fixture(autouse=True)
def netrc_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The netrc file that is read; it does not exist yet."""
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    return tmp_path / "netrc"


@pytest.fixture
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path / "config.json"


def test_the_login_of_the_host_is_used_and_no_other(docker_config: Path) -> None:
    auth = base64.b64encode(b"me:secret").decode()
    docker_config.write_text(json.dumps({"auths": {"ghcr.io": {"auth": auth}}}), encoding="utf-8")

    assert credentials(parse("ghcr.io/acme")) == PasswordLogin(username="me", password="secret")
    assert credentials(parse("registry:5000")) is None


def test_a_credential_helper_is_used(docker_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = docker_config.parent / "docker-credential-test"
    helper.write_text('#!/bin/sh\necho \'{"Username": "me", "Secret": "hidden"}\'\n', encoding="utf-8")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(docker_config.parent), prepend=":")
    docker_config.write_text(json.dumps({"credHelpers": {"ghcr.io": "test"}}), encoding="utf-8")

    assert credentials(parse("ghcr.io/acme")) == PasswordLogin(username="me", password="hidden")


@pytest.mark.filterwarnings("ignore:docker-credential-not-there")
def test_a_missing_credential_helper_is_named(docker_config: Path) -> None:
    docker_config.write_text(json.dumps({"credHelpers": {"ghcr.io": "not-there"}}), encoding="utf-8")

    with pytest.raises(RegistryError, match="logins cannot be read") as failure:
        credentials(parse("ghcr.io/acme"))

    assert "docker-credential-not-there" in str(failure.value.details)
    assert failure.value.fix == "docker login ghcr.io"


@pytest.mark.parametrize(
    "entry",
    [
        {"identitytoken": "refresh-me", "auth": base64.b64encode(b"00000000-0000:").decode()},
        {"auth": base64.b64encode(b"<token>:refresh-me").decode()},
    ],
)
def test_an_identity_token_is_recognised(docker_config: Path, entry: dict[str, str]) -> None:
    docker_config.write_text(json.dumps({"auths": {"acme.example": entry}}), encoding="utf-8")

    login = credentials(parse("acme.example"))

    assert login == IdentityToken(token="refresh-me")
    assert login.for_engine() == {"identitytoken": "refresh-me"}


def test_an_identity_token_of_a_credential_helper(docker_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = docker_config.parent / "docker-credential-cloud"
    helper.write_text('#!/bin/sh\necho \'{"Username": "<token>", "Secret": "refresh-me"}\'\n', encoding="utf-8")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(docker_config.parent), prepend=":")
    docker_config.write_text(json.dumps({"credsStore": "cloud"}), encoding="utf-8")

    assert credentials(parse("acme.example")) == IdentityToken(token="refresh-me")


@pytest.mark.parametrize("auth", ["x", base64.b64encode(b"no colon").decode(), base64.b64encode(b"\xff:x").decode()])
def test_a_damaged_login_of_another_host_is_a_failure_of_the_file(docker_config: Path, auth: str) -> None:
    docker_config.write_text(json.dumps({"auths": {"other.example": {"auth": auth}}}), encoding="utf-8")

    with pytest.raises(RegistryError, match="the stored logins cannot be read") as failure:
        credentials(parse("acme.example"))

    assert "remove the damaged login" in str(failure.value.fix)


def test_docker_login_comes_before_netrc(docker_config: Path, netrc_file: Path) -> None:
    netrc_file.write_text("machine ghcr.io login me password outdated\n", encoding="utf-8")
    auth = base64.b64encode(b"me:secret").decode()
    docker_config.write_text(json.dumps({"auths": {"ghcr.io": {"auth": auth}}}), encoding="utf-8")

    assert credentials(parse("ghcr.io/acme")) == PasswordLogin(username="me", password="secret")


def test_netrc_is_used_where_docker_has_no_login(docker_config: Path, netrc_file: Path) -> None:
    docker_config.write_text("{}", encoding="utf-8")
    netrc_file.write_text(
        "machine registry login me password secret\ndefault login anyone password any\n", encoding="utf-8"
    )

    assert credentials(parse("registry:5000")) == PasswordLogin(username="me", password="secret")
    assert credentials(parse("ghcr.io/acme")) is None  # the default entry is not sent to registries


def test_a_broken_netrc_counts_as_none(docker_config: Path, netrc_file: Path) -> None:
    docker_config.write_text("{}", encoding="utf-8")
    netrc_file.write_text("machine\n", encoding="utf-8")

    assert credentials(parse("ghcr.io/acme")) is None


def test_the_variables_come_last_and_are_for_the_registry_that_is_named(
    docker_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY", "registry.example/team")
    monkeypatch.setenv("REGISTRY_USERNAME", "robot")
    monkeypatch.setenv("REGISTRY_PASSWORD", "hidden")
    assert credentials(parse("registry.example/team")) == PasswordLogin(username="robot", password="hidden")
    assert credentials(parse("other.example")) is None
    auth = base64.b64encode(b"me:secret").decode()
    docker_config.write_text(json.dumps({"auths": {"registry.example": {"auth": auth}}}), encoding="utf-8")
    assert credentials(parse("registry.example/team")) == PasswordLogin(username="me", password="secret")
