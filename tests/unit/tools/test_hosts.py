"""The check that no tracked file names an index or archive of this machine's clients."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools import hosts


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with one file that names a mirror, and others that look like it."""
    files = {
        "build/mirror.py": b'"""A mirror."""\n\nINDEX = "https://Mirror.Company.example.com/simple/"\n',
        "docs/near.md": b"https://mirror.company.example.com.other/ and my-mirror.company.example.com\n",
        "docs/sentence.md": b"The index is mirror.company.example.com.\n",
        "picture.png": b"\x89PNG\0mirror.company.example.com",
        "untracked.txt": b"mirror.company.example.com\n",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "build", "docs", "picture.png"], cwd=tmp_path, check=True)
    return tmp_path


def test_the_file_the_line_and_the_setting_are_named(tree: Path) -> None:
    configured = {"mirror.company.example.com": "UV_INDEX_URL"}
    assert [str(one) for one in hosts.findings(tree, hosts.tracked(tree), configured)] == [
        f"{path}: names mirror.company.example.com, the host in this machine's UV_INDEX_URL"
        for path in ("build/mirror.py:3", "docs/sentence.md:1")
    ]


def test_a_tree_without_the_hosts_has_no_findings(tree: Path) -> None:
    assert list(hosts.findings(tree, hosts.tracked(tree), {"other.company.example.com": "UV_INDEX_URL"})) == []
    assert list(hosts.findings(tree, hosts.tracked(tree), {})) == []


def test_settings_of_the_environment_and_of_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "uv").mkdir()
    (tmp_path / "uv/uv.toml").write_text('[[index]]\nurl = "https://user:secret@uv.company.example.com/simple"\n')
    environment = {
        "XDG_CONFIG_HOME": str(tmp_path),
        "UV_EXTRA_INDEX_URL": "https://one.company.example.com/ https://two.company.example.com:8443/x",
        "https_proxy": "http://127.0.0.1:3128",
    }
    configured = hosts.hosts_of(hosts.uv_settings(environment))
    assert configured["uv.company.example.com"] == f"uv configuration ({tmp_path / 'uv/uv.toml'})"
    assert configured["one.company.example.com"] == configured["two.company.example.com"] == "UV_EXTRA_INDEX_URL"
    assert not any(host.startswith("127.") for host in configured)


def test_addresses_of_pip_itself_are_among_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://pip.company.example.com/simple")
    configured = hosts.hosts_of(hosts.pip_settings())
    assert configured["pip.company.example.com"] == "pip configuration"
    assert "pip defaults" in configured.values()


@pytest.mark.parametrize("address", ["http://localhost:8080/", "http://127.0.0.1:5000", "https://index.example/simple"])
def test_names_for_examples_and_this_machine_are_harmless(address: str) -> None:
    assert list(hosts.hosts_in(address)) == []
