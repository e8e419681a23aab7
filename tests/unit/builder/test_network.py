"""How builds reach package indexes and archives: what is in the secret, and that no log shows a password."""

from __future__ import annotations

from pathlib import Path

import pytest

from build.builder import network
from build.errors import UsageError

INDEX = "https://user:secret%2Fword@index.example/simple"


@pytest.fixture(autouse=True)
def _netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine netrc.example login me@example.com password a/b\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def test_a_build_searches_the_same_indexes_in_the_same_order() -> None:
    found = network.of(["https://one.example/simple", INDEX], ["https://links.example/page"], {})
    assert found.secret == (
        f"UV_DEFAULT_INDEX={INDEX}\nUV_INDEX=https://one.example/simple\nUV_FIND_LINKS=https://links.example/page\n"
    )


def test_a_login_in_netrc_becomes_a_part_of_the_address() -> None:
    found = network.of(["https://netrc.example/simple"], [], {})
    assert found.variables["UV_DEFAULT_INDEX"] == "https://me%40example.com:a%2Fb@netrc.example/simple"


def test_a_build_gets_no_directories_of_this_machine(tmp_path: Path) -> None:
    assert network.of(["file:///srv/simple"], [tmp_path, "/srv/wheels"], {}).secret == ""


def test_proxies_are_in_both_cases() -> None:
    environ = {"HTTPS_PROXY": "http://upper.example", "https_proxy": "http://lower.example", "NO_PROXY": ".example"}
    environ |= {"HTTP_PROXY": "http://upper.example", "http_proxy": ""}
    assert network.of([], [], environ).variables == {
        "https_proxy": "http://lower.example",
        "HTTPS_PROXY": "http://lower.example",
        "no_proxy": ".example",
        "NO_PROXY": ".example",
    }


def test_the_mirrors_of_apt_are_in_the_secret() -> None:
    mirrors = "http://archive.example/debian/=https://u:p%26w@mirror.example/debian"
    found = network.of([], [], {"INFERENCE_IMAGES_APT_MIRRORS": mirrors, "UV_HTTP_TIMEOUT": "90"})
    assert found.variables == {
        "UV_HTTP_TIMEOUT": "90",
        "INFERENCE_IMAGES_APT_MIRRORS": "http://archive.example/debian=https://mirror.example/debian",
        "INFERENCE_IMAGES_APT_LOGINS": "https://mirror.example/debian u p&w",
    }


@pytest.mark.parametrize(
    "value",
    [
        "http://a.example",
        "http://a.example=http://u:a#b@b.example",
        "archive=mirror",
        "http://a=http://b|c",
        "http://a=http://[b",
    ],
)
def test_what_is_no_mirror_is_refused_without_its_text(value: str) -> None:
    with pytest.raises(UsageError, match="entry 1 is not ARCHIVE=MIRROR") as caught:
        network.of([], [], {"INFERENCE_IMAGES_APT_MIRRORS": value})
    assert value not in caught.value.reason


def test_no_log_shows_a_password() -> None:
    environ = {
        "HTTPS_PROXY": "http://proxy-user:pw@proxy.example:3128",
        "INFERENCE_IMAGES_APT_MIRRORS": "http://a.example/debian=http://apt-user:apt-password@b.example/debian",
    }
    found = network.of([INDEX], [], environ)
    shown = found.without_passwords(f"{found.secret} secret/word")
    for word in ("secret%2Fword", "secret/word", ":pw@", "apt-password"):
        assert word not in shown
    assert "index.example" in shown
    assert found.without_passwords("pwd") == "pwd", "a short password is hidden in other words"
