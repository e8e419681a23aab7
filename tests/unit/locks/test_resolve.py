"""Resolution: the choice of a wheel, uv's messages made short, and the certificates that uv trusts."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import uv
from tiny_package import TinyPackage

from build.errors import NetworkError
from build.locks import lock as locks
from build.locks import resolve
from build.locks.resolve import UnsatisfiableError
from build.packages import metadata
from build.packages.target import Target, supported_tags
from build.system.certificates import VARIABLES
from tests.connect_proxy import connect_proxy
from tests.pipeline.local_index import LocalIndex, Release
from tests.unit.http_servers import Answer, guarded, in_turn, new_authority, serving

TARGET = Target(python="3.11", glibc="2.36", exclude_newer="2026-11-19")


def wheel(name: str) -> dict[str, object]:
    return {"url": f"somewhere/{name}", "hashes": {"sha256": name[-20:]}, "size": 5}


def chosen(*names: str) -> str:
    package: dict[str, object] = {"name": "Some_Package", "version": "1.0", "wheels": [wheel(name) for name in names]}
    return resolve._locked(package, supported_tags(TARGET.python, TARGET.glibc)).filename


def test_the_wheel_that_the_interpreter_would_take_is_locked() -> None:
    best = "some_package-1.0-cp311-cp311-manylinux_2_28_x86_64.whl"
    others = ("some_package-1.0-py3-none-any.whl", "some_package-1.0-cp39-abi3-manylinux2014_x86_64.whl")
    assert chosen(*others, best) == best


def test_a_wheel_for_a_newer_glibc_or_another_python_is_not_taken() -> None:
    assert (
        chosen(
            "some_package-1.0-cp311-cp311-manylinux_2_39_x86_64.whl",
            "some_package-1.0-cp313-cp313-manylinux2014_x86_64.whl",
            "some_package-1.0-py3-none-any.whl",
        )
        == "some_package-1.0-py3-none-any.whl"
    )


def test_a_local_version_in_a_file_name_is_decoded() -> None:
    encoded = wheel("torch-2.13.0%2Bcpu-cp311-cp311-linux_x86_64.whl")
    package: dict[str, object] = {"name": "torch", "version": "2.13.0+cpu", "wheels": [encoded]}
    locked = resolve._locked(package, supported_tags(TARGET.python, TARGET.glibc))
    assert locked.filename == "torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl"


@pytest.mark.parametrize(
    ("glibc", "platform"),
    [("2.27", "2_17"), ("2.28", "2_28"), ("2.30", "2_28"), ("2.36", "2_36"), ("2.41", "2_40")],
)
def test_uv_resolves_for_its_newest_platform_that_the_base_runs(glibc: str, platform: str) -> None:
    assert resolve._uv_platform(glibc) == f"x86_64-manylinux_{platform}"


def test_the_platforms_are_those_of_this_uv() -> None:
    usage = subprocess.run([uv.find_uv_bin(), "pip", "compile", "--help"], capture_output=True, text=True, check=True)
    assert {int(number) for number in re.findall(r"x86_64-manylinux_2_(\d+)", usage.stdout)} == set(
        resolve._UV_PLATFORMS
    )


UNSATISFIABLE = """  × No solution found when resolving dependencies:
  ╰─▶ Because there is no version of scikit-learn==99.9 and you require
      scikit-learn==99.9, we can conclude that your requirements are
      unsatisfiable.
"""
OFFLINE = """error: Failed to fetch: `https://index.example/simple/flask/`
  Caused by: error sending request for url (https://index.example/simple/flask/)
  Caused by: client error (Connect)
  Caused by: dns error: failed to lookup address information: Temporary failure in name resolution
"""


def test_the_resolvers_reason_is_kept_without_its_drawing() -> None:
    failure = resolve.explain(UNSATISFIABLE, ["scikit-learn==99.9"])
    assert isinstance(failure, UnsatisfiableError)
    assert failure.details is not None
    assert failure.details.startswith("Because there is no version of scikit-learn==99.9")


def test_an_unreachable_index_is_a_network_error() -> None:
    assert isinstance(resolve.explain(OFFLINE, ["flask"]), NetworkError)


def test_preferred_versions_are_written_as_uv_reads_them() -> None:
    import tomllib

    read = tomllib.loads(resolve._pylock({"numpy": "2.4.6", "certifi": "2026.10.18"}))
    assert read["lock-version"] == "1.0"
    assert [(item["name"], item["version"]) for item in read["packages"]] == [
        ("numpy", "2.4.6"),
        ("certifi", "2026.10.18"),
    ]


@pytest.mark.parametrize("variable", VARIABLES)
def test_uv_trusts_the_certificates_that_each_variable_names(
    tmp_path: Path, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = new_authority(tmp_path)
    for each in VARIABLES:
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(variable, str(authority.bundle))
    for each in ("UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))

    with serving(in_turn(Answer(status=404)), authority.context("index", "IP:127.0.0.1")) as server:
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"https://{server.host}/simple")
        with pytest.raises(UnsatisfiableError):  # the index answered that it has none; a refused one is a NetworkError
            resolve.resolve(["some-package==1.0"], TARGET)

    assert server.requests[0].path == "/simple/some-package/"


def test_a_lock_that_was_made_through_a_mirror_and_a_proxy_names_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = new_authority(tmp_path)
    release = Release(package=TinyPackage(name="some_package", version="1.0"), uploaded="2026-01-01")
    for each in ("UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX", "https_proxy"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.bundle))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    index = guarded(LocalIndex(releases=[release]), "index-user:index-password")

    with (
        serving(index, authority.context("index", "DNS:mirror.example")) as mirror,
        connect_proxy("proxy-user:proxy-password", {"mirror.example:443": mirror.server_address[1]}) as proxy,
    ):
        monkeypatch.setenv("UV_DEFAULT_INDEX", "https://index-user:index-password@mirror.example/simple")
        monkeypatch.setenv("HTTPS_PROXY", f"http://proxy-user:proxy-password@{proxy.host}")
        lock = resolve.lock("some", ("some-package",), TARGET)
        (found,) = lock.packages
        assert metadata.requires(str(found.url)) == ()
        with pytest.raises(NetworkError, match=r"the proxy for mirror\.example asks for a login"):
            monkeypatch.setenv("HTTPS_PROXY", f"http://proxy-user:other-password@{proxy.host}")
            resolve.resolve(["other-package"], TARGET)

    assert proxy.connected
    assert found.version == "1.0"
    text = locks.to_text(lock)
    for word in ("example", "password", "user", proxy.host, mirror.host):
        assert word not in text
