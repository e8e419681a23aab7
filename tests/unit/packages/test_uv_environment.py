"""Which index uv uses on this machine: uv's own settings, else pip's ``index-url``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from build.builder import network
from build.errors import PipelineError
from build.packages import index, uv_environment

OWN = "https://uv.example/simple"
PIPS = "https://user:secret@pip.example/simple"


@pytest.fixture(autouse=True)
def _no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "system"))
    uv_environment._pip_settings.cache_clear()
    uv_environment._uv_has_an_index.cache_clear()


def pip_configuration(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    file = folder / "pip.conf"
    file.write_text(text, encoding="utf-8")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))


def test_pips_variable_names_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", PIPS)
    assert index.configured().indexes == (PIPS,)


def test_pips_configuration_names_the_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip_configuration(tmp_path, monkeypatch, f"[global]\nindex-url = {PIPS}\n")
    assert index.configured().indexes == (PIPS,)


def test_pips_extra_indexes_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = index.configured().indexes
    pip_configuration(tmp_path, monkeypatch, f"[global]\nextra-index-url = {PIPS}\n")
    assert index.configured().indexes == usual


def test_what_only_other_commands_of_pip_use_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip_configuration(
        tmp_path,
        monkeypatch,
        f"[search]\nindex-url = {OWN}\n[global]\nindex-url = {OWN}\n[install]\nindex-url = {PIPS}\n",
    )
    assert index.configured().indexes == (PIPS,)


def test_a_variable_that_uv_does_not_have_names_no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", PIPS)
    monkeypatch.setenv("UV_NO_INDEX", "1")
    assert index.configured().indexes == (PIPS,)


@pytest.mark.parametrize("variable", ["UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_uvs_variable_comes_first(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", PIPS)
    monkeypatch.setenv(variable, OWN)
    assert index.configured().indexes == (OWN,)


def test_uvs_configuration_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "uv").mkdir()
    (tmp_path / "uv" / "uv.toml").write_text(f'[[index]]\nurl = "{OWN}"\ndefault = true\n', encoding="utf-8")
    monkeypatch.setenv("PIP_INDEX_URL", PIPS)
    assert index.configured().indexes == (OWN,)


@pytest.mark.parametrize(
    "address",
    [
        "https://user:secret@[index/simple",
        "user:secret@index.example/simple",
        "https://user:pass/secret@index.example/simple",
        "https://secret@index.example:99999999/simple",
        "https://user:p@secret@[index/simple",
        "https://user:p'secret@[index/simple",
        "https://user:a secret word@[index/simple",
    ],
)
def test_an_address_that_is_none_is_shown_without_its_password(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", address)
    try:
        places = index.configured().distribution("demo").not_reached
    except PipelineError as failure:
        places = (failure.what, str(failure.details))
    assert "****@" in " ".join(places)
    assert "secret" not in " ".join(places)


def test_the_login_of_a_named_index_is_a_part_of_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_INDEX", "my-company=https://own.example/simple https://other.example/simple")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "mirror=https://mirror.example/simple")
    monkeypatch.setenv("UV_INDEX_MY_COMPANY_USERNAME", "me@example.com")
    monkeypatch.setenv("UV_INDEX_MY_COMPANY_PASSWORD", "a/b")
    monkeypatch.setenv("UV_INDEX_MIRROR_PASSWORD", "token")
    assert index.configured().indexes == (
        "https://me%40example.com:a%2Fb@own.example/simple",
        "https://other.example/simple",
        "https://:token@mirror.example/simple",
    )


FILE = """
index-strategy = "first-index"
allow-insecure-host = ["one.example", "two.example:8443"]
[[index]]
name = "my-company"
url = "https://own.example/simple"
[[index]]
url = "https://other.example/simple"
[pip]
index-strategy = "unsafe-best-match"
"""


def configure(folder: Path, text: str) -> None:
    (folder / "uv").mkdir(parents=True)
    (folder / "uv" / "uv.toml").write_text(text, encoding="utf-8")


def test_an_index_that_a_file_names_has_the_login_of_the_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(tmp_path, FILE)
    monkeypatch.setenv("UV_INDEX_MY_COMPANY_USERNAME", "me")
    monkeypatch.setenv("UV_INDEX_MY_COMPANY_PASSWORD", "a/b")
    assert index.configured().indexes[:2] == ("https://me:a%2Fb@own.example/simple", "https://other.example/simple")


def test_builds_use_indexes_as_the_file_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(tmp_path, FILE)
    configure(tmp_path / "system", 'index-strategy = "unsafe-first-match"\n')
    variables = network.of_machine().variables
    assert variables["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert variables["UV_INSECURE_HOST"] == "one.example two.example:8443"
    monkeypatch.setenv("UV_INDEX_STRATEGY", "first-index")
    assert network.of_machine().variables["UV_INDEX_STRATEGY"] == "first-index"
    monkeypatch.delenv("UV_INDEX_STRATEGY")
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    assert "UV_INDEX_STRATEGY" not in network.of_machine().variables
    monkeypatch.delenv("UV_NO_CONFIG")
    (tmp_path / "uv" / "uv.toml").unlink()
    assert network.of_machine().variables["UV_INDEX_STRATEGY"] == "unsafe-first-match"
