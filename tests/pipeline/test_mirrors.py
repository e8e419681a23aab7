"""A machine that reaches packages only through a mirror that asks for a login, behind a proxy that asks for another.

The mirror is this machine's own index behind a server with a name that exists nowhere: only the proxy knows it.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import tarfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

import docker
import pytest

from build.packages.index import configured
from build.packages.index_client import IndexClient
from build.packages.index_logins import with_login_of
from build.publish import documents, foundations
from build.publish import release as releases
from build.registry.attachments import attach
from build.registry.client import Client
from build.system.certificates import ca_bundle
from build.system.http import HttpClient
from build.verify import reports
from tests.conftest import FOUNDATIONS, ROOT, Checkout
from tests.connect_proxy import ConnectProxy, connect_proxy
from tests.pipeline.helpers import local_image, reference
from tests.pipeline.leaks import Leaks, stored, uncompressed
from tests.pipeline.registries import Running
from tests.pipeline.rows import MINIMAL
from tests.pipeline.stored_images import StoredImage
from tests.unit.http_servers import Answer, Request, guarded, new_authority, serving

pytestmark = pytest.mark.network

#: Another one in each run: builds keep what an index of one name gave them.
MIRROR = f"mirror-{uuid.uuid4().hex[:12]}.example"
#: As addresses have them: percent-encoded.
INDEX_LOGIN = "index-user-4711:index%2Fpassword%404711"
PROXY_LOGIN = "proxy-user-4712:proxy%2Fpassword%404712"
LOGINS = Leaks.of(*INDEX_LOGIN.split(":"), *PROXY_LOGIN.split(":"))
ALL = Leaks.of(*LOGINS.secrets, MIRROR)
#: An index at an address that means this machine, and in a build the build's container.
HERE = {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple", "UV_HTTP_RETRIES": "0"}
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
        serving(guarded(mirror, unquote(INDEX_LOGIN)), authority.context("index", f"DNS:{MIRROR}")) as server,
        connect_proxy(unquote(PROXY_LOGIN), {f"{MIRROR}:443": server.server_address[1]}, address=gateway) as proxy,
    ):
        yield Network(mirror=mirror, proxy=proxy, environment=environment)


def test_an_image_is_built_through_mirror_and_proxy_and_knows_neither(
    checkout: Checkout, engine_client: docker.DockerClient, network: Network, there: Running, tmp_path: Path
) -> None:
    usual = checkout.run("build", MINIMAL)
    assert usual.code == 0, usual.text
    before = local_image(engine_client, checkout, MINIMAL)

    done = checkout.run("build", MINIMAL, "--no-cache", env=network.with_())

    assert done.code == 0, done.text
    assert network.proxy.connected
    assert not network.proxy.refused
    after = local_image(engine_client, checkout, MINIMAL)
    assert after.layers == before.layers, "the layers depend on the mirror"
    assert ALL.find(done.text.encode()) == []
    image = engine_client.images.get(reference(checkout, MINIMAL))
    assert ALL.find(json.dumps([image.attrs, image.history()]).encode()) == []
    # Its layers, its configuration and everything else that the engine would give away.
    saved = tmp_path / "saved.tar"
    with saved.open("wb") as stream:
        stream.writelines(image.save())
    with tarfile.open(saved) as archive:
        for member in archive:
            file = archive.extractfile(member)
            assert file is None or ALL.find(uncompressed(file.read())) == [], member.name

    # What `publish` adds: documents of the image and of its base, the record of the release; and what commands note.
    published = checkout.run("pipeline", MINIMAL, env={**network.with_(), **there.environment})
    assert published.code == 0, published.text
    assert ALL.find(published.text.encode()) == []
    types = {documents.INPUTS_TYPE, reports.MEDIA_TYPE, foundations.MEDIA_TYPE, releases.MEDIA_TYPE}
    assert types <= document_types(there, tmp_path)
    assert ALL.find_in_registry(there, tmp_path) == []
    own = checkout.root / Path(__file__).relative_to(ROOT)
    assert ALL.find_in_folder(checkout.root, but=[own]) == []
    assert ALL.find_in_folder(checkout.root / FOUNDATIONS) == []


def document_types(registry: Running, scratch: Path) -> set[str]:
    """The types of the documents that a registry has."""
    found = set()
    for _, content in stored(registry, scratch):
        if content.startswith(b"{"):
            found.add(json.loads(content).get("artifactType"))
    return found - {None}


def test_a_login_in_the_registry_is_found_in_each_spelling(there: Running, tmp_path: Path) -> None:
    """The search of the test above, which finds nothing."""
    secret = LOGINS.secrets[1]
    spelled = (secret, quote(secret, safe=""), base64.b64encode(f"{LOGINS.secrets[0]}:{secret}".encode()).decode())
    for number, text in enumerate(spelled):
        image = StoredImage(layers=[{"a": b"a"}]).write(there.registry, f"azureml/{number}", "v1")
        with Client(there.registry) as client:
            content = json.dumps({"text": text}).encode()
            created = "2026-11-27T00:00:00Z"
            attach(client, f"azureml/{number}", image, content, media_type="a/b", title="t", created=created)
    for number, compression in enumerate(("gzip", "zstd", "tar")):
        layer = {"etc/config": f"x {secret}".encode()}
        StoredImage(layers=[layer], compression=compression).write(there.registry, f"azureml/layer-{number}", "v1")
    found = [each for each in LOGINS.find_in_registry(there, tmp_path) if each.endswith(secret)]
    assert len(found) == len(spelled) + 3, found


def test_each_failure_of_mirror_and_proxy_has_its_message(checkout: Checkout, network: Network) -> None:
    nowhere = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), "http://127.0.0.1:9")
    cases = (
        (network.with_(proxy="proxy-user-4712:other"), f"the proxy for {MIRROR} asks for a login"),
        (network.with_(index=""), f"the package index https://{MIRROR}/simple asks for a login"),
        (network.with_() | nowhere, f"the proxy for {MIRROR} cannot be reached"),
        (HERE, "the package index 127.0.0.1:9 cannot be reached from the build"),
    )
    for environment, words in cases:
        done = checkout.run("build", MINIMAL, "--no-cache", env=environment)
        assert words in done.one_screen(), done.text
        assert done.code == 6
        assert LOGINS.find(done.text.encode()) == []
        is_here = environment is HERE
        assert ("builds do not reach http://127.0.0.1:9/simple (UV_DEFAULT_INDEX): they run in" in done.err) is is_here
        assert ("127.0.0.1:9 is the container itself: in UV_DEFAULT_INDEX, use an" in done.err) is is_here
    network.mirror.instead["/files/requests-2"] = Answer(status=404)
    done = checkout.run("build", MINIMAL, "--no-cache", env=network.with_())
    assert f"{MIRROR} lists requests==" in done.one_screen(), done.text
    assert done.code == 1
