"""A machine that reaches packages only through a mirror that asks for a login, behind a proxy that asks for another.

The mirror is this machine's own index behind a server with a name that exists nowhere: only the proxy knows it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import tarfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from build.packages.index import configured
from build.packages.index_client import IndexClient
from build.packages.index_logins import with_login_of
from build.system.certificates import ca_bundle
from build.system.http import HttpClient
from tests.conftest import Checkout
from tests.connect_proxy import ConnectProxy, connect_proxy
from tests.pipeline.helpers import local_image, reference
from tests.pipeline.rows import MINIMAL
from tests.unit.http_servers import Answer, Request, guarded, new_authority, serving

pytestmark = pytest.mark.network

#: Another one in each run: builds keep what an index of one name gave them.
MIRROR = f"mirror-{uuid.uuid4().hex[:12]}.example"
INDEX_LOGIN = "index-user-4711:index-password-4711"
PROXY_LOGIN = "proxy-user-4712:proxy-password-4712"
SECRETS = (b"index-password-4711", b"proxy-password-4712", b"index-user-4711", b"proxy-user-4712")
_JSON = "application/vnd.pypi.simple.v1+json"


@dataclass(kw_only=True)
class Mirror:
    """Answers with the pages and files of this machine's own index."""

    #: What replaces an answer: a part of the path → the answer.
    instead: dict[str, Answer] = dataclasses.field(default_factory=dict)
    _files: dict[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        self._indexes = configured().indexes
        self._client = IndexClient(HttpClient())

    def __call__(self, request: Request) -> Answer:
        for part, answer in self.instead.items():
            if part in request.path:
                return answer
        kind, _, name = request.path.strip("/").partition("/")
        if kind == "files":
            file, is_metadata = name.removesuffix(".metadata"), name.endswith(".metadata")
            if file not in self._files:
                return Answer(status=404)
            found = self._client.read(self._files[file] + (".metadata" if is_metadata else ""))
            return Answer(status=found.status, body=found.content)
        page = self._client.read(f"{self._indexes[-1].rstrip('/')}/{name}/", headers={"Accept": _JSON})
        if not page.ok:
            return Answer(status=page.status)
        content = page.json()
        for entry in content["files"]:
            self._files[entry["filename"]] = with_login_of(entry["url"], self._indexes)
            entry["url"] = f"/files/{entry['filename']}"
        return Answer(body=json.dumps(content).encode(), headers={"Content-Type": _JSON})


@dataclass(frozen=True, kw_only=True)
class Network:
    """The mirror, the proxy, and the environment of a machine behind them."""

    mirror: Mirror
    proxy: ConnectProxy
    environment: Mapping[str, str]

    def with_(self, *, index: str = INDEX_LOGIN, proxy: str = PROXY_LOGIN) -> dict[str, str]:
        """The environment with other logins."""
        return {
            **self.environment,
            "UV_DEFAULT_INDEX": f"https://{index}@{MIRROR}/simple" if index else f"https://{MIRROR}/simple",
            **dict.fromkeys(("HTTPS_PROXY", "https_proxy"), f"http://{proxy}@{self.proxy.host}"),
        }


@pytest.fixture(scope="module")
def gateway(engine_client: docker.DockerClient) -> str:
    """The address of this machine in the network of containers."""
    configuration = engine_client.networks.get("bridge").attrs["IPAM"]["Config"]
    return str(configuration[0]["Gateway"])


@pytest.fixture
def network(gateway: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    mirror = Mirror()
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    (tmp_path / "ca").mkdir()
    authority = new_authority(tmp_path / "ca")
    bundle = tmp_path / "ca.pem"
    others = ca_bundle()
    bundle.write_text(
        authority.bundle.read_text(encoding="utf-8") + (others.read_text(encoding="utf-8") if others else ""),
        encoding="utf-8",
    )
    environment = {"SSL_CERT_FILE": str(bundle), "NO_PROXY": "127.0.0.1", "UV_HTTP_RETRIES": "0"}
    with (
        serving(guarded(mirror, INDEX_LOGIN), authority.context("index", f"DNS:{MIRROR}")) as server,
        connect_proxy(PROXY_LOGIN, {f"{MIRROR}:443": server.server_address[1]}, address=gateway) as proxy,
    ):
        yield Network(mirror=mirror, proxy=proxy, environment=environment)


def find_secrets(content: bytes, *more: str) -> list[bytes]:
    return [secret for secret in (*SECRETS, *(each.encode() for each in more)) if secret in content]


def test_an_image_is_built_through_mirror_and_proxy_and_knows_neither(
    checkout: Checkout, engine_client: docker.DockerClient, network: Network, tmp_path: Path
) -> None:
    usual = checkout.run("build", MINIMAL, "--no-cache")
    assert usual.code == 0, usual.text
    before = local_image(engine_client, checkout, MINIMAL)

    done = checkout.run("build", MINIMAL, "--no-cache", env=network.with_())

    assert done.code == 0, done.text
    assert network.proxy.connected
    assert not network.proxy.refused
    after = local_image(engine_client, checkout, MINIMAL)
    assert after.layers == before.layers, "the layers depend on the mirror"
    assert find_secrets(done.text.encode(), MIRROR) == []
    image = engine_client.images.get(reference(checkout, MINIMAL))
    assert find_secrets(json.dumps([image.attrs, image.history()]).encode(), MIRROR) == []
    # Its layers, its configuration and everything else that the engine would give away.
    saved = tmp_path / "saved.tar"
    with saved.open("wb") as stream:
        stream.writelines(image.save())
    with tarfile.open(saved) as archive:
        for member in archive:
            file = archive.extractfile(member)
            assert file is None or find_secrets(plain(file.read()), MIRROR) == [], member.name
    for path in checkout.root.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.name != Path(__file__).name:
            assert find_secrets(path.read_bytes(), MIRROR) == [], path


def plain(blob: bytes) -> bytes:
    """Uncompress a layer."""
    if blob.startswith(b"\x28\xb5\x2f\xfd"):
        return subprocess.run(["zstd", "--decompress", "--stdout"], input=blob, capture_output=True, check=True).stdout
    if blob.startswith(b"\x1f\x8b"):
        return subprocess.run(["gzip", "--decompress", "--stdout"], input=blob, capture_output=True, check=True).stdout
    return blob


def test_each_failure_of_mirror_and_proxy_has_its_message(checkout: Checkout, network: Network) -> None:
    nowhere = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), "http://127.0.0.1:9")
    cases = (
        (network.with_(proxy="proxy-user-4712:other"), f"the proxy for {MIRROR} asks for a login"),
        (network.with_(index=""), f"the package index https://{MIRROR}/simple asks for a login"),
        (network.with_() | nowhere, f"the proxy for {MIRROR} cannot be reached"),
    )
    for environment, words in cases:
        done = checkout.run("build", MINIMAL, "--no-cache", env=environment)
        assert words in done.one_screen(), done.text
        assert done.code == 6
        assert find_secrets(done.text.encode()) == []
    network.mirror.instead["/files/requests-2"] = Answer(status=404)
    done = checkout.run("build", MINIMAL, "--no-cache", env=network.with_())
    assert f"{MIRROR} lists requests==" in done.one_screen(), done.text
    assert done.code == 1
