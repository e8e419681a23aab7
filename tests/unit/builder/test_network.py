"""How builds reach package indexes and archives: what is in the secret, and that no log shows a password."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from build.builder import network, only_here
from build.builder.bake import Baker, Request
from build.builder.buildx_log import Step
from build.engine.buildx import Buildx
from build.errors import UsageError
from build.paths import Paths

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


def test_a_build_gets_no_directories_of_this_machine_and_no_other_index_instead(tmp_path: Path) -> None:
    for indexes in (["file:///srv/simple"], []):
        assert network.of(indexes, [tmp_path, "/srv/wheels"], {}).secret == "INFERENCE_IMAGES_NO_INDEX=1\n"


def test_pages_of_links_are_separated_as_uv_separates_them() -> None:
    pages = ["https://links.example/a,b", "https://user:secret,word@links.example/c"]
    found = network.of([INDEX], pages, {})
    links = found.variables["UV_FIND_LINKS"]
    assert links == "https://links.example/a%2Cb,https://user:secret%2Cword@links.example/c"
    assert (
        found.without_passwords(f"{links} secret,word")
        == "https://links.example/a%2Cb,https://****@links.example/c ****"
    )


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a machine with an index, but for the index."""
    found = dict(network.of([INDEX], [], environ).variables)
    del found["UV_DEFAULT_INDEX"]
    return found


def test_proxies_are_in_both_cases() -> None:
    environ = {"HTTPS_PROXY": "http://upper.example", "https_proxy": "http://lower.example", "NO_PROXY": ".example"}
    environ |= {"HTTP_PROXY": "http://upper.example", "http_proxy": ""}
    assert variables(environ) == {
        "https_proxy": "http://lower.example",
        "HTTPS_PROXY": "http://lower.example",
        "no_proxy": ".example",
        "NO_PROXY": ".example",
    }


def test_the_proxy_for_everything_is_the_one_of_programs_that_read_only_the_others() -> None:
    found = variables({"ALL_PROXY": "all.example:3128", "http_proxy": ""})
    assert {name: found.get(name) for name in ("http_proxy", "https_proxy", "all_proxy")} == {
        "http_proxy": None,
        "https_proxy": "http://all.example:3128",
        "all_proxy": "http://all.example:3128",
    }
    socks = variables({"ALL_PROXY": "socks5://all.example"})
    assert socks == dict.fromkeys(("all_proxy", "ALL_PROXY"), "socks5://all.example"), "apt cannot use it"


def test_the_password_of_a_proxy_without_a_scheme_is_hidden() -> None:
    found = network.of([], [], {"HTTPS_PROXY": "user:secretpass@proxy:3128"})
    assert found.variables["https_proxy"] == "http://user:secretpass@proxy:3128"
    assert found.without_passwords("user:secretpass@proxy secretpass") == "****@proxy ****"


def test_the_mirrors_of_apt_are_in_the_secret() -> None:
    mirrors = "http://archive.example/debian/=https://u:p%26w@mirror.example/debian"
    assert variables({"INFERENCE_IMAGES_APT_MIRRORS": mirrors, "UV_HTTP_TIMEOUT": "90"}) == {
        "UV_HTTP_TIMEOUT": "90",
        "INFERENCE_IMAGES_APT_MIRRORS": "http://archive.example/debian=https://mirror.example/debian",
        "INFERENCE_IMAGES_APT_LOGINS": "https://mirror.example/debian/ u p&w mirror.example/debian/ u p&w",
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


@pytest.mark.parametrize(
    ("index", "text", "shown"),
    [
        ("https://py@h.example/simple", "#5 [py-stage] https://py@h.example", "#5 [py-stage] https://****@h.example"),
        ("https://u:pw@h.example/x", "pwd u:pw@h.example", "pwd u:****@h.example"),
        ("https://py-token@h.example/x", "py py-token", "py ****"),
    ],
)
def test_a_short_login_is_hidden_only_where_it_is_one(index: str, text: str, shown: str) -> None:
    assert network.of([index], [], {}).without_passwords(text) == shown


def test_a_password_that_is_a_part_of_names_does_not_hide_them_from_the_builder(tmp_path: Path) -> None:
    """A program in place of buildx prints a build that failed, with the password in the output of its step."""
    log = (
        "#5 [sklearn-1.9 secret-layer 2/3] RUN install\n#5 1.2 secret-layer\n#5 ERROR: process\n------\n"
        " > [sklearn-1.9 secret-layer 2/3] RUN install:\n1.2 secret-layer\n------\n"
        "ERROR: target sklearn-1.9: failed to solve\n"
    )
    (tmp_path / "log.txt").write_text(log, encoding="utf-8")
    program = tmp_path / "buildx"
    program.write_text(f"#!/bin/sh\ncat '{tmp_path}/log.txt'\nexit 1\n", encoding="utf-8")
    program.chmod(0o700)
    baker = Baker(
        paths=Paths(root=tmp_path),
        buildx=Buildx(command=(str(program),), version="0.13"),
        environment={},
        network=network.of(["https://secret-layer@h.example/simple"], [], {}),
        log=tmp_path / "log",
    )
    steps: list[Step] = []
    result = baker.run(Request(targets=["a", "b"], overrides={}), steps.append)
    assert {(step.target, step.stage) for step in steps} == {("sklearn-1.9", "secret-layer")}
    assert (result.cause.target, result.cause.stage) == ("sklearn-1.9", "secret-layer")
    for text in (result.log, result.cause.lines, (tmp_path / "log").read_text(encoding="utf-8")):
        assert "****" in text
        assert "secret-layer" not in text


def test_what_only_this_machine_reaches_is_left_out_and_named() -> None:
    """A container may have a working proxy by docker's configuration; an address of this machine would replace it."""
    environ = {
        "http_proxy": "http://user:secret@127.0.0.1:3128",
        "HTTPS_PROXY": "localhost:3128",
        "no_proxy": ".example",
        "INFERENCE_IMAGES_APT_MIRRORS": "http://a.example/debian=file:///srv/debian",
    }
    found = network.of([INDEX], [], environ)
    assert dict(found.variables) == {"UV_DEFAULT_INDEX": INDEX}
    assert list(found.left_out) == ["http://127.0.0.1:3128", "http://localhost:3128", "file:///srv/debian"]
    one_reached = network.of([INDEX], [], {**environ, "https_proxy": "http://proxy.example"})
    assert set(one_reached.variables) == {"UV_DEFAULT_INDEX", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"}


def test_a_secret_that_somebody_wrote_counts_and_its_passwords_are_hidden() -> None:
    secret = f"UV_DEFAULT_INDEX={INDEX}\nUV_INDEX=https://own.example/simple\nhttps_proxy=me:proxy-word@proxy.example\n"
    found = network.of_machine({"BUILD_NETWORK": secret, "http_proxy": "http://other.example"})
    assert found.secret == secret
    assert found.indexes == ("https://own.example/simple", INDEX)
    assert found.without_passwords("secret/word proxy-word") == "**** ****"


def test_an_index_and_a_mirror_of_this_machine_are_named_with_what_names_them(tmp_path: Path) -> None:
    """They are in the secret all the same: a builder may run in this machine's network."""
    (tmp_path / "uv.toml").write_text('[[index]]\nurl = "http://[::1]:3141/simple"\n', encoding="utf-8")
    environ = {
        "UV_CONFIG_FILE": str(tmp_path / "uv.toml"),
        "UV_INDEX": "http://127.0.0.1:8080/a https://one.example/simple",
        "UV_DEFAULT_INDEX": "http://user:secret@127.0.0.1:80/simple",
        "PIP_INDEX_URL": "http://127.0.0.1:8080/a",
        "INFERENCE_IMAGES_APT_MIRRORS": "http://a.example/debian=http://u:secret@localhost/debian",
    }
    indexes = ["http://[::1]:3141/simple", *environ["UV_INDEX"].split(), environ["UV_DEFAULT_INDEX"]]
    found = network.of(indexes, ["http://127.0.0.1:9/links"], environ)
    assert list(found.indexes) == indexes
    assert [str(each) for each in found.only_here] == [
        f"http://[::1]:3141/simple ({tmp_path}/uv.toml)",
        "http://127.0.0.1:8080/a (UV_INDEX)",
        "http://127.0.0.1:80/simple (UV_DEFAULT_INDEX)",
        "http://127.0.0.1:9/links (the configuration of uv or pip)",
        "http://localhost/debian (INFERENCE_IMAGES_APT_MIRRORS)",
    ]
    assert "secret" not in only_here.warning(found.only_here)


def test_what_names_an_index_or_a_mirror_is_found_although_one_server_has_them_all() -> None:
    server = "127.0.0.1:8081/repository"
    environ = {
        "UV_DEFAULT_INDEX": f"http://user:secret@{server}/pypi/simple/",
        "UV_INDEX": f"http://{server}/own http://{server}/pypi",
        "INFERENCE_IMAGES_APT_MIRRORS": f"http://a.example/debian=http://{server}/debian",
    }
    indexes = [*environ["UV_INDEX"].split(), environ["UV_DEFAULT_INDEX"], f"http://{server}/from-a-file"]
    found = network.of(indexes[:3], [], environ).only_here
    assert [each.source for each in found] == ["UV_INDEX"] * 2 + ["UV_DEFAULT_INDEX", "INFERENCE_IMAGES_APT_MIRRORS"]
    environ = {"INFERENCE_IMAGES_APT_MIRRORS": environ["INFERENCE_IMAGES_APT_MIRRORS"], "UV_NO_CONFIG": "1"}
    found = network.of(indexes[3:], [], environ).only_here
    assert [each.source for each in found] == ["the configuration of uv or pip", "INFERENCE_IMAGES_APT_MIRRORS"]


def test_without_an_address_of_this_machine_there_is_no_warning() -> None:
    assert network.of([INDEX], [], {}).only_here == ()
