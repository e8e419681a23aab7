"""Requests to indexes that need a login, serve JSON, or serve parts of files; the servers are on this machine."""

from __future__ import annotations

import http.server
import io
import json
import re
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from build.packages import metadata
from build.packages.index import PackageIndex
from build.packages.index_client import split_login

#: ``user:secret`` in base64.
LOGIN = "Basic dXNlcjpzZWNyZXQ="
WHEEL = "demo-1.0-py3-none-any.whl"
PAGE = {
    "meta": {"api-version": "1.1"},
    "name": "demo",
    "files": [{"filename": WHEEL, "url": WHEEL, "hashes": {}, "requires-python": ">=3.9"}],
}


def wheel() -> bytes:
    """A wheel larger than the part that is read of it."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("demo/large.bin", bytes(1_000_000))
        archive.writestr("demo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo\nRequires-Dist: numpy>=2\n")
    return content.getvalue()


class _PrivateIndex(http.server.BaseHTTPRequestHandler):
    """An index that asks for a login, and serves JSON and parts of its one wheel."""

    protocol_version = "HTTP/1.1"
    sent = 0

    def do_GET(self) -> None:
        content, status, headers = b"", 404, {}
        if self.headers["Authorization"] != LOGIN:
            status = 401
        elif self.path == "/simple/demo/":
            status, content = 200, json.dumps(PAGE).encode()
            headers["Content-Type"] = "application/vnd.pypi.simple.v1+json"
        elif self.path == f"/simple/demo/{WHEEL}":
            whole = wheel()
            match = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers["Range"] or "")
            assert match is not None, "the whole wheel is asked for"
            start = int(match[1]) if match[1] else len(whole) - int(match[2])
            end = int(match[2]) if match[1] and match[2] else len(whole) - 1
            status, content = 206, whole[start : end + 1]
            headers["Content-Range"] = f"bytes {start}-{end}/{len(whole)}"
        type(self).sent += len(content)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The host and port of the index."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr(_PrivateIndex, "sent", 0)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _PrivateIndex) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_login_in_an_address_is_sent_and_never_shown(host: str) -> None:
    distribution = PackageIndex([f"http://user:secret@{host}/simple"]).distribution("demo")
    assert [file.filename for file in distribution.files] == [WHEEL]
    assert distribution.places == (f"http://{host}/simple",)


def test_the_login_in_netrc_is_sent(host: str, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login user password secret\n")
    assert PackageIndex([f"http://{host}/simple"]).distribution("demo").files


def test_an_index_that_refuses_the_login_did_not_answer(host: str) -> None:
    distribution = PackageIndex([f"http://{host}/simple"]).distribution("demo")
    assert (distribution.files, distribution.not_reached) == ((), (f"http://{host}/simple",))


def test_only_the_metadata_of_a_wheel_is_downloaded(host: str) -> None:
    assert metadata.requires(f"http://user:secret@{host}/simple/demo/{WHEEL}") == ("numpy>=2",)
    assert _PrivateIndex.sent < 200_000


def test_a_password_with_special_characters_is_decoded() -> None:
    url, headers = split_login("https://me%40example.com:a%2Fb@index.example/simple/x/")
    assert url == "https://index.example/simple/x/"
    assert headers == {"Authorization": "Basic bWVAZXhhbXBsZS5jb206YS9i"}
