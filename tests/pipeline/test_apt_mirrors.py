"""A machine that reaches Debian's archive only through a mirror that asks for a login, and a proxy: the same base."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from build.bases import rootfs
from build.bases.local import LocalBase
from build.builder import network
from build.errors import UsageError
from build.locks import debian_archive
from build.locks.debian_index import from_archive
from build.matrix.origins import Bootstrapped
from build.paths import Paths, repository
from build.system import apt_mirrors
from tests.pipeline.test_archive_mirror import BASE
from tests.unit.http_servers import Answer, PreparedServer, Request, guarded, serving

pytestmark = pytest.mark.network

LOGIN = "mirror-user:mirror%26password%5Cn"
#: Port 9 of this machine: nothing listens there. What goes there instead of to the mirror fails.
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module", autouse=True)
def _possible() -> None:
    if shutil.which("mmdebstrap") is None:
        pytest.skip("mmdebstrap is not installed")
    if os.geteuid() != 0:
        pytest.skip("a bootstrap without root needs subordinate user ids")


def bootstrap(folder: Path) -> LocalBase:
    local = LocalBase(name="a-base", base=BASE, paths=Paths(root=folder))
    assert isinstance(local.origin, Bootstrapped)
    rootfs.bootstrap(local, local.origin, folder / "log")
    return local


@pytest.fixture(scope="module")
def archives() -> list[str]:
    """The addresses of the archives as apt's sources name them."""
    sources = from_archive("bookworm", 'cp "$1/etc/apt/sources.list" "$1/available"', elsewhere="")
    return sorted({line.split()[1] for line in sources.splitlines() if line.startswith("deb ")})


DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def fetch(url: str) -> Answer:
    try:
        with DIRECT.open(url, timeout=60) as answer:
            return Answer(body=answer.read())
    except urllib.error.HTTPError as error:
        return Answer(status=error.code)


@pytest.fixture
def mirror(archives: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[PreparedServer]:
    """A mirror of all archives, each below its number; the proxy for everything else does not exist."""

    def respond(request: Request) -> Answer:
        number, _, path = request.path.lstrip("/").partition("/")
        return fetch(f"{archives[int(number)]}/{path}")

    with serving(guarded(respond, unquote(LOGIN))) as server:
        pairs = [f"{archive}=http://{LOGIN}@{server.host}/{number}" for number, archive in enumerate(archives)]
        monkeypatch.setenv(apt_mirrors.VARIABLE, " ".join(pairs))
        use_proxy(monkeypatch, NOWHERE)
        yield server


def use_proxy(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Set the proxy in upper case, which apt itself does not read."""
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.setenv("HTTP_PROXY", address)
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")


@pytest.mark.thorough
def test_a_base_from_a_mirror_is_the_same_base(
    mirror: PreparedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    local = bootstrap(tmp_path / "mirror")
    assert any(request.path.endswith(".deb") for request in mirror.requests)
    content = local.rootfs_file.read_bytes()
    log = (tmp_path / "mirror" / "log").read_text(encoding="utf-8")
    for word in (LOGIN.partition(":")[2], unquote(LOGIN).partition(":")[2]):
        assert word not in log
        assert word.encode() not in content
    for variable in (apt_mirrors.VARIABLE, "HTTP_PROXY"):
        monkeypatch.delenv(variable)
    assert content == bootstrap(tmp_path / "usual").rootfs_file.read_bytes(), "a base depends on the mirror"


@pytest.mark.thorough
def test_a_build_installs_packages_from_the_mirror(mirror: PreparedServer, tmp_path: Path) -> None:
    """The script of the builds in a root file system, without an engine."""
    local = bootstrap(tmp_path / "clone")
    root = tmp_path / "root"
    root.mkdir()
    subprocess.run(["tar", "--extract", "--file", local.rootfs_file, "--directory", root], check=True)
    secrets = root / "run" / "secrets"
    secrets.mkdir(parents=True)
    shutil.copy(repository().root / "image" / "scripts" / "install-packages", root / "install-packages")
    sources = (root / "etc" / "apt" / "sources.list").read_bytes()
    # As a shell would give it to buildx, without the end of the last line.
    secret = network.of([], [], os.environ).secret.removesuffix("\n")
    (secrets / "network").write_text(secret, encoding="utf-8")
    done = install(root, "--component", "non-free", "unrar")
    assert done.returncode == 0, done.stderr
    assert (root / "etc" / "apt" / "sources.list").read_bytes() == sources
    assert [each.name for each in (root / "run").iterdir() if each.name not in ("lock", "secrets")] == []
    files = [
        file for file in root.rglob("*") if file.is_file() and not file.is_symlink() and secrets not in file.parents
    ]
    assert [file for file in files if b"mirror-user" in file.read_bytes()] == []
    (secrets / "network").write_text(secret.replace("mirror&password\\n", "other"), encoding="utf-8")
    refused = install(root, "hello")
    assert refused.returncode != 0
    assert "401  Unauthorized" in refused.stderr
    # A base may have logins of its own.
    of_machine = apt_mirrors.auth_conf(apt_mirrors.from_environment())
    (root / "etc" / "apt" / "auth.conf").write_text(of_machine, encoding="utf-8")
    (secrets / "network").write_text(re.sub("(?m)^.*APT_LOGINS=.*$", "", secret), encoding="utf-8")
    shutil.rmtree(root / "run" / "mirrors")  # of the step that failed, which a build throws away
    with_own = install(root, "hello")
    assert with_own.returncode == 0, with_own.stderr
    for output in (done, refused, with_own):
        assert "password" not in output.stdout + output.stderr


def install(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["chroot", root, "/install-packages", *arguments], capture_output=True, text=True, check=False
    )


def test_the_archives_index_is_read_from_the_mirror(mirror: PreparedServer) -> None:
    assert debian_archive.fetch("bookworm", {"tzdata"})["tzdata"].version
    assert any("/dists/bookworm/" in request.path for request in mirror.requests)


def test_the_archives_index_is_read_through_a_proxy_in_upper_case(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda request: fetch(request.path)) as proxy:
        use_proxy(monkeypatch, f"http://{proxy.host}")
        assert debian_archive.fetch("bookworm", {"tzdata"})["tzdata"].version
    assert all(request.path.startswith("http://") for request in proxy.requests)
    assert proxy.requests


def test_a_variable_that_names_no_mirrors_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(apt_mirrors.VARIABLE, "http://user:secret@mirror.example/debian")
    with pytest.raises(UsageError, match="entry 1 is not ARCHIVE=MIRROR") as caught:
        debian_archive.fetch("bookworm", {"tzdata"})
    assert "secret" not in f"{caught.value.reason}"
