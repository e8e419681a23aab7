"""Why uv got nothing from an index: real runs of uv against servers and proxies that fail in known ways."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import uv
from tiny_package import TinyPackage

from build.packages import uv_failures
from build.packages.uv_failures import Reason
from tests.pipeline.local_index import LocalIndex, Release
from tests.unit.http_servers import Answer, PreparedServer, Request, Respond, guarded, serving

PACKAGE = TinyPackage(name="demo", version="1.0")
INDEX = LocalIndex(releases=[Release(package=PACKAGE, uploaded="2026-01-01")])
SHA256 = hashlib.sha256(INDEX(Request(method="GET", path=f"/{PACKAGE.wheel_name}", headers={}, body=b"")).body)
#: Another file of the same name.
OTHER = dataclasses.replace(PACKAGE, requires=("numpy",)).wheel
LOGIN = "someuser:secretword"
#: Nothing listens there.
CLOSED = "127.0.0.1:1"


def install(
    folder: Path, index: str, variables: Mapping[str, str], *, locked: bool
) -> subprocess.CompletedProcess[str]:
    """Install the package as a build does it, or resolve it as `nox -s lock` does."""
    requirements = folder / "requirements.txt"
    requirements.write_text(
        f"demo==1.0 --hash=sha256:{SHA256.hexdigest()}\n" if locked else "demo==1.0\n", encoding="utf-8"
    )
    clean = {name: text for name, text in os.environ.items() if not name.upper().startswith(("UV_", "PIP_"))}
    clean = {name: text for name, text in clean.items() if not name.lower().endswith("_proxy")}
    install = ("install", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--requirement")
    return subprocess.run(
        [
            *(uv.find_uv_bin(), "pip", *(install if locked else ("compile", "--python-version", "3.11"))),
            *(requirements, "--quiet", "--no-config"),
            *(("--target", folder / "to", "--python", sys.executable) if locked else ()),
        ],
        env={
            **clean,
            "UV_DEFAULT_INDEX": index,
            "UV_CACHE_DIR": str(folder / "cache"),
            "UV_HTTP_RETRIES": "0",
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def why(
    folder: Path,
    index: str,
    variables: Mapping[str, str] | None = None,
    *,
    locked: bool = True,
    in_build: bool = False,
) -> Reason:
    """Return why it failed, and check that no password is written."""
    variables = variables or {}
    done = install(folder, index, variables, locked=locked)
    assert done.returncode != 0
    proxy = next((text for name, text in variables.items() if name.endswith("_PROXY")), "")
    reason = uv_failures.explain(
        done.stderr, [index], locked=locked, in_build=in_build, proxy=lambda url: proxy if "example" in url else ""
    )
    assert reason is not None, done.stderr
    for text in (done.stderr, done.stdout, reason.what, reason.fix):
        assert LOGIN.partition(":")[2] not in text
    return reason


def with_answers(**answers: Answer) -> Respond:
    """The index, but for paths that contain a text."""
    return dataclasses.replace(INDEX, instead={name.replace("_", "."): answer for name, answer in answers.items()})


@pytest.fixture
def closed() -> str:
    return f"http://{LOGIN}@{CLOSED}"


@pytest.fixture
def refusing(request: pytest.FixtureRequest) -> Iterator[PreparedServer]:
    """A proxy that answers everything with one status."""
    with serving(lambda _: Answer(status=request.param)) as server:
        yield server


def test_a_login_reaches_the_index_and_stays_out_of_the_cache(tmp_path: Path) -> None:
    with serving(guarded(INDEX, LOGIN)) as server:
        done = install(tmp_path, f"http://{LOGIN}@{server.host}/simple", {}, locked=True)
    assert done.returncode == 0, done.stderr
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and b"secretword" in file.read_bytes()]


@pytest.mark.parametrize("locked", [True, False])
def test_an_index_that_asks_for_a_login(tmp_path: Path, locked: bool) -> None:
    with serving(guarded(INDEX, LOGIN)) as server:
        asks = why(tmp_path, f"http://{server.host}/simple", locked=locked)
        refuses = why(tmp_path, f"http://someuser:other@{server.host}/simple", locked=locked)
    assert asks.what == f"the package index http://{server.host}/simple asks for a login"
    assert "UV_DEFAULT_INDEX=https://USER:PASSWORD@" in asks.fix
    assert refuses.what == f"the package index http://{server.host}/simple refuses the login"
    assert asks.is_network
    assert refuses.is_network


def test_an_index_that_forbids(tmp_path: Path) -> None:
    with serving(lambda _: Answer(status=403)) as server:
        reason = why(tmp_path, f"http://{server.host}/simple", locked=False)
    assert reason.what == f"the package index http://{server.host}/simple refuses (403 Forbidden)"


def test_a_mirror_that_lacks_a_package_a_version_or_its_wheels(tmp_path: Path) -> None:
    other = LocalIndex(releases=[Release(package=dataclasses.replace(PACKAGE, version="0.9"), uploaded="2026-01-01")])
    reasons = []
    for respond in (other, LocalIndex(releases=[])):
        with serving(respond) as server:
            reasons.append(why(tmp_path, f"http://{LOGIN}@{server.host}/simple"))
            assert reasons[-1].what == f"http://{server.host}/simple does not have demo 1.0"
    assert not any(reason.is_network for reason in reasons)


def test_a_mirror_that_has_only_wheels_of_other_platforms(tmp_path: Path) -> None:
    page = (
        '{"meta": {"api-version": "1.1"}, "name": "demo", "files": [{"filename": '
        '"demo-1.0-cp311-cp311-macosx_11_0_arm64.whl", "url": "/other.whl", "hashes": {}}]}'
    )
    answer = Answer(body=page.encode(), headers={"Content-Type": "application/vnd.pypi.simple.v1+json"})
    with serving(lambda _: answer) as server:
        reason = why(tmp_path, f"http://{server.host}/simple")
    assert reason.what == f"http://{server.host}/simple has no wheel of demo 1.0 for this image"


def test_a_mirror_that_lists_a_file_and_does_not_have_it(tmp_path: Path) -> None:
    with serving(with_answers(files=Answer(status=404))) as server:
        reason = why(tmp_path, f"http://{LOGIN}@{server.host}/simple")
    assert reason.what == f"{server.host} lists demo==1.0, but does not have its file {PACKAGE.wheel_name}"


def test_a_mirror_that_serves_another_file(tmp_path: Path) -> None:
    with serving(with_answers(_whl=Answer(body=OTHER))) as server:
        reason = why(tmp_path, f"http://{LOGIN}@{server.host}/simple")
    assert reason.what == (
        f"the file of demo==1.0 from http://{server.host}/simple is not the one in the lock: its SHA-256 differs"
    )
    assert not reason.is_network


def test_a_mirror_that_serves_a_damaged_file(tmp_path: Path) -> None:
    with serving(with_answers(_whl=Answer(body=OTHER[:-30]))) as server:
        reason = why(tmp_path, f"http://{server.host}/simple")
    assert reason.what.endswith(f"demo==1.0 from http://{server.host}/simple is damaged, or not the one in the lock")


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("locked", [True, False])
def test_a_proxy_that_is_not_there(tmp_path: Path, closed: str, scheme: str, locked: bool) -> None:
    reason = why(tmp_path, f"{scheme}://index.example/simple", {f"{scheme.upper()}_PROXY": closed}, locked=locked)
    assert reason.what == "the proxy for index.example cannot be reached"
    assert "HTTPS_PROXY" in reason.fix
    if locked:
        in_build = why(tmp_path, f"{scheme}://index.example/simple", {f"{scheme.upper()}_PROXY": closed}, in_build=True)
        assert in_build.what == "the proxy for index.example cannot be reached from the build"
        assert f"a build runs in a container, where {CLOSED} is the container itself" in in_build.fix


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("refusing", "words"),
    [
        (403, "the proxy refuses to connect to index.example"),
        (407, "the proxy for index.example asks for a login, or refuses it"),
    ],
    indirect=["refusing"],
)
def test_a_proxy_that_refuses(tmp_path: Path, refusing: PreparedServer, words: str, scheme: str) -> None:
    proxy = {f"{scheme.upper()}_PROXY": f"http://{LOGIN}@{refusing.host}"}
    reason = why(tmp_path, f"{scheme}://index.example/simple", proxy)
    if scheme == "http" and "refuses to" in words:  # its answer is like one of the index
        words = "the package index http://index.example/simple, or the proxy in front of it, refuses (403 Forbidden)"
    assert reason.what == words
    assert reason.is_network


def test_an_index_that_is_not_there(tmp_path: Path) -> None:
    index = f"http://{CLOSED}/simple"
    assert why(tmp_path, index, locked=False).what == f"the package index {CLOSED} cannot be reached"
    in_build = why(tmp_path, index, in_build=True)
    assert in_build.what == f"the package index {CLOSED} cannot be reached from the build"
    assert "the container itself" in in_build.fix
    unknown = why(tmp_path, "http://index.invalid/simple", in_build=True)
    assert unknown.what == "the package index index.invalid cannot be reached from the build"
    assert "UV_DEFAULT_INDEX" in unknown.fix


def test_an_index_that_fails(tmp_path: Path) -> None:
    with serving(lambda _: Answer(status=502)) as server:
        reason = why(tmp_path, f"http://{server.host}/simple")
    assert reason.what == f"{server.host} answers 502 Bad Gateway"


def test_an_address_that_is_no_index(tmp_path: Path) -> None:
    with serving(lambda _: Answer(body=b"x", headers={"Content-Type": "text/plain"})) as server:
        reason = why(tmp_path, f"http://{server.host}/simple")
    assert reason.what == f"http://{server.host}/simple/demo/ is not a page of a package index"


def test_a_build_that_uses_no_index(tmp_path: Path) -> None:
    """uv would take its default index otherwise, so that `image/scripts/install-layer` has it use none."""
    (tmp_path / "wheels").mkdir()
    done = subprocess.run(
        [
            *(uv.find_uv_bin(), "pip", "install", "--no-config", "--no-index", "--no-deps", "demo==1.0"),
            *("--target", tmp_path / "to", "--python", sys.executable),
        ],
        env={**os.environ, "UV_FIND_LINKS": str(tmp_path / "wheels")},
        capture_output=True,
        text=True,
        check=False,
    )
    reason = uv_failures.explain(done.stderr, [], locked=True, in_build=True)
    assert reason is not None
    assert reason.what.startswith("builds reach no package index")
    assert uv_failures.explain(done.stderr, [], locked=True) is None


def test_requirements_that_contradict_each_other_are_no_failure_of_an_index(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("demo==1.0\ndemo==2.0\n", encoding="utf-8")
    done = subprocess.run(
        [uv.find_uv_bin(), "pip", "compile", "--offline", "--no-config", tmp_path / "requirements.txt"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert uv_failures.explain(done.stderr, [], locked=False) is None
