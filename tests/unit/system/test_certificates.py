"""The order of precedence of CA bundles."""

from __future__ import annotations

from pathlib import Path

import pytest

from build.system import certificates


@pytest.fixture
def bundles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Three bundles; that named ``system`` is the system's."""
    files = {name: tmp_path / f"{name}.crt" for name in ("ssl", "requests", "system")}
    for file in files.values():
        file.touch()
    monkeypatch.setattr(certificates, "SYSTEM_BUNDLES", (tmp_path / "absent.crt", files["system"]))
    return files


def test_ssl_cert_file_comes_first(bundles: dict[str, Path]) -> None:
    environ = {"REQUESTS_CA_BUNDLE": str(bundles["requests"]), "SSL_CERT_FILE": str(bundles["ssl"])}
    assert certificates.ca_bundle(environ) == bundles["ssl"]


def test_a_variable_that_names_no_file_is_ignored(bundles: dict[str, Path]) -> None:
    environ = {"REQUESTS_CA_BUNDLE": str(bundles["requests"]), "SSL_CERT_FILE": "/absent"}
    assert certificates.ca_bundle(environ) == bundles["requests"]


def test_the_systems_bundle_comes_last(bundles: dict[str, Path]) -> None:
    assert certificates.ca_bundle({"SSL_CERT_FILE": ""}) == bundles["system"]


def test_a_machine_without_certificates(bundles: dict[str, Path]) -> None:
    bundles["system"].unlink()
    assert certificates.ca_bundle({}) is None


def test_curls_variable_comes_after_the_others(bundles: dict[str, Path]) -> None:
    environ = {"CURL_CA_BUNDLE": str(bundles["ssl"])}
    assert certificates.ca_bundle(environ) == bundles["ssl"]
    assert certificates.ca_bundle({**environ, "REQUESTS_CA_BUNDLE": str(bundles["requests"])}) == bundles["requests"]


def test_a_message_names_the_bundle_and_the_variables_that_name_no_file(bundles: dict[str, Path]) -> None:
    environ = {"REQUESTS_CA_BUNDLE": str(bundles["requests"]), "SSL_CERT_FILE": "/absent"}
    text = f"{bundles['requests']} (REQUESTS_CA_BUNDLE); not a file: SSL_CERT_FILE=/absent"
    assert certificates.describe_ca_bundle(environ) == text
    assert certificates.describe_ca_bundle({}) == f"{bundles['system']} (the system's)"
