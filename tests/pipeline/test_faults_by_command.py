"""`nox -s publish` on an image that passed its tests, in front of a real registry that fails once or always.

`test_registry_faults.py` has each fault in each kind of request of the client; here a person's command meets one fault
of each class.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import docker
import pytest

from build.registry.client import Client
from tests.conftest import Checkout
from tests.pipeline.registries import Running, running
from tests.pipeline.rows import MINIMAL
from tests.registry_proxy import Effect, Fault, Kind, registry_proxy, reset, status

pytestmark = pytest.mark.engine

#: Name → kind of request, and a part of its path.
REQUESTS: dict[str, tuple[Kind, str]] = {
    "read": ("manifest read", ""),
    "upload": ("upload put", ""),
    "attachment": ("attachment", MINIMAL),
    "tag": ("tag write", r"/latest$"),
}
#: Name → effect, whether it stays, and the words that a person sees.
CLASSES: dict[str, tuple[Effect, bool, tuple[str, ...]]] = {
    "transient": (status(502, "sorry"), False, ()),
    "permanent": (status(403, "not with this login", error="DENIED"), True, ("denied", "not with this login")),
    "without answer": (reset(), True, ("reset by peer",)),
}
#: One of each class and one of each kind; all others with `--thorough`.
QUICK = {("read", "transient"), ("upload", "permanent"), ("tag", "without answer"), ("attachment", "transient")}


@pytest.fixture(scope="module")
def shared(engine_client: docker.DockerClient, registry_image: str) -> Iterator[Running]:
    with running(engine_client, registry_image) as registry:
        yield registry


@pytest.mark.parametrize(
    ("request_kind", "fault_class"),
    [
        pytest.param(kind, name, marks=() if (kind, name) in QUICK else pytest.mark.thorough)
        for kind in REQUESTS
        for name in CLASSES
    ],
)
def test_publish_tells_the_truth_and_the_next_one_finishes(
    verified: Checkout, shared: Running, request_kind: str, fault_class: str
) -> None:
    namespace = f"team-{uuid.uuid4().hex[:8]}"  # no layer is there to be mounted from an earlier publish of this test
    repository = f"{namespace}/{MINIMAL}"
    kind, path = REQUESTS[request_kind]
    effect, stays, words = CLASSES[fault_class]
    fault = Fault(kind=kind, effect=effect, times=None if stays else 1, path=path)

    with registry_proxy(shared.port, fault) as proxy:
        done = verified.run("publish", MINIMAL, env={"REGISTRY": f"127.0.0.1:{proxy.port}/{namespace}"})

    output = done.one_screen()
    with Client(shared.registry) as client:
        latest = client.digest(repository, "latest")
        if stays:
            assert done.code == 5, output
            # Of a layer that is refused while it is sent, the engine passes on the status alone.
            by_status = request_kind == "upload" and "403 Forbidden" in output
            assert by_status or all(word in output for word in words), output
            assert "\n  fix:" in output
            assert "@sha256:" not in done.out, "a reference was printed"
            assert latest is None, "the tag moved although the publish failed"
        else:
            assert done.code == 0, output
            assert f"{repository}:" in done.out
            assert f"@{latest}" in done.out

        again = verified.run("publish", MINIMAL, env={"REGISTRY": f"127.0.0.1:{shared.port}/{namespace}"})
        assert again.code == 0, again.one_screen()
        assert f"@{client.digest(repository, 'latest')}" in again.out
        assert len(client.tags(f"{namespace}/releases")) == 2, "the lock and one release: a number was burnt"
