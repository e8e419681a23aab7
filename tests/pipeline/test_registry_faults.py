"""Each kind of fault in each kind of request of the registry client, between the client and a real registry."""

from __future__ import annotations

import itertools
import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from docker import DockerClient

from build.errors import RegistryError
from build.registry.address import Registry
from build.registry.attachments import attach, attached
from build.registry.client import Client
from build.registry.manifests import MANIFEST, Manifest, descriptor, digest_of, to_manifest
from build.system.http import HttpClient
from tests.pipeline.registries import Running, running
from tests.registry_proxy import (
    Effect,
    Fault,
    Kind,
    delay,
    half_body,
    late_answer,
    lost_answer,
    rate_limit,
    registry_proxy,
    reset,
    secondary_rate_limit,
    slow_body,
    status,
)

pytestmark = pytest.mark.engine

#: Seconds that all waits of one request may take.
LONGEST = 60.0


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image in a repository of its own."""

    repository: str
    manifest: Manifest
    layer: bytes

    @property
    def second(self) -> Manifest:
        """Another manifest of the same blobs."""
        return to_manifest({**self.manifest.document, "annotations": {"second": "yes"}}, MANIFEST)


def upload(client: Client) -> Image:
    """Put a new image into a registry, as ``latest``."""
    config, layer = b"{}", os.urandom(1000)
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
    }
    image = Image(repository=f"azureml/{uuid.uuid4().hex[:12]}", manifest=to_manifest(document, MANIFEST), layer=layer)
    client.put_artifact(image.repository, image.manifest, [config, layer])
    client.put_tag(image.repository, "latest", image.manifest)
    return image


def attach_report(client: Client, image: Image) -> bool:
    """Attach a report, and tell whether it is what is attached then."""
    attach(
        client,
        image.repository,
        image.manifest,
        b"a report",
        media_type="text/x-report",
        title="report",
        created="2026-11-26T00:00:00Z",
    )
    return len(attached(client, image.repository, image.manifest.digest, "text/x-report")) == 1


def put_second(client: Client, image: Image) -> bool:
    """Move ``latest``, and tell whether it is where it should be."""
    client.put_tag(image.repository, "latest", image.second)
    return client.digest(image.repository, "latest") == image.second.digest


Operation = Callable[[Client, Image], object]

#: What the client does that needs a request of a kind. A result is the same with and without a fault that passes.
OPERATIONS: dict[Kind, Operation] = {
    "ping": lambda client, image: client.check(),
    "catalogue": lambda client, image: image.repository in client.repositories(),
    "tags list": lambda client, image: client.tags(image.repository),
    "manifest read": lambda client, image: client.manifest(image.repository, "latest").digest == image.manifest.digest,
    "tag write": put_second,
    "attachment": attach_report,
    "blob read": lambda client, image: client.read_blob(image.repository, digest_of(image.layer)) == image.layer,
    "mount": lambda client, image: client.mount(f"{image.repository}-2", digest_of(image.layer), image.repository),
    "upload start": attach_report,
    "upload put": attach_report,
    "referrers": lambda client, image: client.referrers(image.repository, image.manifest.digest),
    "token": lambda client, image: client.tags(image.repository),
}

#: The kinds after whose operation the registry is what it was before.
READING: tuple[Kind, ...] = ("ping", "catalogue", "tags list", "manifest read", "blob read", "referrers", "token")

#: Faults that pass, and whether the client asks again.
PASSING: dict[str, tuple[Effect, bool]] = {
    "delay": (delay(0.05), False),
    "late answer": (late_answer(0.05), False),
    "slow body": (slow_body(0.05), False),
    "429": (rate_limit(), True),
    "429, 1 s": (rate_limit("1"), True),
    "429, 12.5ms": (rate_limit("12.5ms"), True),
    "secondary rate limit": (secondary_rate_limit(), True),
    "500": (status(500, "sorry"), True),
    "502": (status(502), True),
    "503": (status(503), True),
    "504": (status(504), True),
    "reset": (reset(), True),
    "lost answer": (lost_answer(), True),
    "half body": (half_body(), True),
}

#: Faults that stay, a part of the message, and of the words below it.
STAYING: dict[str, tuple[Effect, str, str]] = {
    "429": (rate_limit(), "limits the number of requests", "TOOMANYREQUESTS: slow down"),
    "429, an hour": (rate_limit("3600"), "limits the number of requests", "the server asks to wait 60 min"),
    "secondary rate limit": (secondary_rate_limit(), "limits the number of requests", "secondary rate limit"),
    "403": (status(403, "not with this login", error="DENIED"), "denied the request", "DENIED: not with this login"),
    "404": (status(404, "create it first", error="NAME_UNKNOWN"), "no such repository", "create it first"),
    "412": (status(412, "frozen", error="PRECONDITION"), "", "PRECONDITION: frozen"),
    "500": (status(500, "sorry"), r"HTTP 500 \(Internal Server Error\)", "UNKNOWN: sorry\ngave up after 5 attempts"),
    "502": (status(502), r"HTTP 502 \(Bad Gateway\)", "gave up after 5 attempts"),
    "reset": (reset(), "cannot be reached or stopped answering", "reset by peer"),
    "lost answer": (lost_answer(), "cannot be reached or stopped answering", "reset by peer"),
}

#: Of faults that the client treats alike, CI has one for each kind, and all for one that reads and one that writes.
ALIKE = ("429, 12.5ms", "502", "504")
WITH_ALL: tuple[Kind, ...] = ("manifest read", "tag write")


def in_ci_or_thorough(cases: Iterable[tuple[Kind, str]]) -> list[Any]:
    """Return kinds and faults as parameters of a test."""
    return [
        pytest.param(kind, name, marks=[pytest.mark.thorough] * (name in ALIKE and kind not in WITH_ALL))
        for kind, name in cases
    ]


#: What is not a failure: the registry does not have the thing, or the client has another way.
ANSWERS: dict[tuple[Kind, str], object] = {
    ("catalogue", "404"): False,
    ("tags list", "404"): [],
    ("attachment", "404"): False,
    ("referrers", "404"): None,
    **{("mount", name): False for name in STAYING if name not in ("reset", "lost answer")},  # it uploads instead
}


@pytest.fixture(scope="module")
def there(engine_client: DockerClient, registry_image: str) -> Iterator[Running]:
    """A registry for all of these tests; each has repositories of its own."""
    with running(engine_client, registry_image) as registry:
        yield registry


@pytest.fixture(scope="module")
def direct(there: Running) -> Iterator[Client]:
    """A client that reaches the registry without a fault."""
    with Client(there.registry) as client:
        yield client


@pytest.fixture(scope="module")
def expected(direct: Client) -> dict[Kind, object]:
    """The result of each operation without a fault."""
    return {kind: operation(direct, upload(direct)) for kind, operation in OPERATIONS.items()}


@pytest.fixture(scope="module")
def untouched(direct: Client) -> Image:
    """An image that tests only read."""
    return upload(direct)


@pytest.fixture
def image(direct: Client, untouched: Image, kind: Kind) -> Image:
    """An image for the operation of a kind."""
    return untouched if kind in READING else upload(direct)


@pytest.fixture(autouse=True)
def no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("DOCKER_CONFIG", "NETRC"):
        monkeypatch.setenv(variable, "/nonexistent")


@dataclass(frozen=True, kw_only=True)
class Waits:
    """The waits of a client, which does not really wait."""

    seconds: list[float]
    #: The lines that a person sees.
    lines: list[str]


@pytest.fixture
def waits() -> Waits:
    return Waits(seconds=[], lines=[])


def impatient(registry: Registry, waits: Waits) -> Client:
    """A client with the usual policy that notes its waits instead of waiting."""

    def wait(seconds: float) -> bool:
        waits.seconds.append(seconds)
        return False

    return Client(registry, HttpClient(proxies=False, timeout=5.0, notify=waits.lines.append, wait=wait))


@pytest.mark.parametrize(
    ("kind", "name"),
    # The answers to writes have no body that could break off.
    in_ci_or_thorough(
        (kind, name) for kind in OPERATIONS for name in PASSING if name != "half body" or kind in READING
    ),
)
def test_a_fault_that_passes_changes_no_result(
    there: Running, expected: dict[Kind, object], image: Image, waits: Waits, kind: Kind, name: str
) -> None:
    effect, again = PASSING[name]

    with (
        registry_proxy(there.port, Fault(kind=kind, effect=effect), tokens=kind == "token") as proxy,
        impatient(proxy.registry, waits) as client,
    ):
        result = OPERATIONS[kind](client, image)

    assert result == expected[kind]
    assert len(waits.lines) == len(waits.seconds) == again
    assert all("trying again in" in line for line in waits.lines)


@pytest.mark.parametrize(("kind", "name"), in_ci_or_thorough(itertools.product(OPERATIONS, STAYING)))
def test_a_fault_that_stays_is_one_failure_in_the_registrys_words(
    there: Running, direct: Client, image: Image, waits: Waits, kind: Kind, name: str
) -> None:
    effect, what, words = STAYING[name]

    with (
        registry_proxy(there.port, Fault(kind=kind, effect=effect, times=None), tokens=kind == "token") as proxy,
        impatient(proxy.registry, waits) as client,
    ):
        if (kind, name) in ANSWERS:
            assert OPERATIONS[kind](client, image) == ANSWERS[kind, name]
        else:
            with pytest.raises(RegistryError) as failure:
                OPERATIONS[kind](client, image)
            if (kind, name) == ("ping", "404"):
                what, words = "is not a registry", "HTTP 404 for /v2/"
            assert re.search(what, failure.value.what)
            assert words in str(failure.value.details)
            assert failure.value.fix

    assert sum(waits.seconds) <= LONGEST
    assert len(waits.lines) == len(waits.seconds)
    landed = (kind, name) == ("tag write", "lost answer")
    assert direct.digest(image.repository, "latest") == (image.second if landed else image.manifest).digest
