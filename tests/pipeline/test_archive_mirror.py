"""A mirror of Debian's archive that changes while it is read; apt reads the real archive through a proxy."""

from __future__ import annotations

import http.server
import os
import shutil
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from build.bases import rootfs
from build.bases.local import LocalBase
from build.errors import NetworkError
from build.matrix.origins import Bootstrapped
from build.matrix.sources import Base
from build.paths import Paths

pytestmark = pytest.mark.network

#: Without a Python of its own, so that little is installed.
BASE = Base.model_validate(
    {
        "title": "Debian 12",
        "os": "debian12",
        "python": "3.11",
        "glibc": "2.36",
        "bootstrap": {"suite": "bookworm"},
        "prefix": {"version": "3.11.2"},
    }
)


class Mirror(http.server.ThreadingHTTPServer):
    """A forward proxy that cuts the archive's index of packages in the first answers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        #: How many more answers are cut.
        self.short_answers = 0
        self.cut = 0

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing: apt closes a connection as soon as it knows that an answer is too short."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        try:
            with urllib.request.urlopen(urllib.request.Request(self.path), timeout=60) as answer:
                body = answer.read()
        except urllib.error.HTTPError as error:
            self.send_error(error.code)
            return
        except urllib.error.URLError as error:
            self.send_error(502, str(error.reason))
            return
        is_index = "/binary-amd64/" in self.path
        if is_index and self.server.short_answers > 0:
            self.server.short_answers -= 1
            self.server.cut += 1
            body = body[: len(body) // 2]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the standard library
        """Print nothing."""


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    if shutil.which("mmdebstrap") is None:
        pytest.skip("mmdebstrap is not installed")
    if os.geteuid() != 0:
        pytest.skip("a bootstrap without root needs subordinate user ids")
    monkeypatch.delenv("http_proxy", raising=False)
    with Mirror() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setattr(urllib.request, "_opener", urllib.request.build_opener(urllib.request.ProxyHandler({})))
        monkeypatch.setattr(rootfs, "WAITS", (0.1, 0.1))
        yield server
        server.shutdown()
        thread.join()


def bootstrap(folder: Path) -> rootfs.Rootfs:
    local = LocalBase(name="a-base", base=BASE, paths=Paths(root=folder))
    assert isinstance(local.origin, Bootstrapped)
    return rootfs.bootstrap(local, local.origin, folder / "log")


def test_a_mirror_that_changes_is_read_again(
    mirror: Mirror, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror.short_answers = 1
    made = bootstrap(tmp_path)
    assert mirror.cut == 1
    assert any(package.startswith("libc6=") for package in made.packages)
    warning = " ".join(capsys.readouterr().err.split())
    assert "is between two states of the archive: trying again in 0 s" in warning
    assert "warning: the mirror http://" in warning


def test_a_mirror_that_stays_so_is_named(mirror: Mirror, tmp_path: Path) -> None:
    mirror.short_answers = 1000
    with pytest.raises(NetworkError, match="between two states") as caught:
        bootstrap(tmp_path)
    assert caught.value.exit_code == 6
    assert (caught.value.where or "").startswith("http://")
    assert "Mirror sync in progress" in (caught.value.details or "")
    assert not list(tmp_path.rglob("*.tar")), "a partial root file system was left"
    assert mirror.cut >= 3
