"""`nox -s bases -- --publish`: what it says where a base is not in the registry at its end."""

from __future__ import annotations

import json

import pytest

from build.bases import rootfs, rootfs_image
from build.bases.local import local_base
from build.commands.bases import fail_if_missing
from build.errors import PipelineError
from build.locks import debian
from build.matrix.origins import Bootstrapped
from build.registry import address
from build.registry.manifests import digest_of
from tests.unit.fixture_project import PROJECT
from tests.unit.http_servers import Answer, Request, serving

NAME = next(name for name in PROJECT.matrix.bases if isinstance(local_base(PROJECT, name).origin, Bootstrapped))


def test_a_base_that_the_registry_does_not_have_is_a_failure() -> None:
    with serving(lambda request: Answer(status=404)) as server:
        registry = address.parse(server.host)
        fail_if_missing(PROJECT, [], registry)
        with pytest.raises(PipelineError, match=f"still does not have the base {NAME}$") as failure:
            fail_if_missing(PROJECT, [NAME], registry)
    assert failure.value.where == str(registry)
    assert "Debian 12" in str(failure.value.fix)


def test_a_base_that_the_registry_has_is_none() -> None:
    local = local_base(PROJECT, NAME)
    assert isinstance(local.origin, Bootstrapped)
    lock = rootfs_image.lock_of(local, local.origin)
    recorded = debian.recorded_rootfs(local.paths, NAME, rootfs.arguments(local.origin))
    packages = debian.recorded(local.paths, NAME)
    assert lock is not None and packages is not None
    diff_id = recorded or "sha256:" + "1" * 64
    config = rootfs_image.RootfsImage(base_name=NAME, lock=lock, diff_id=diff_id, packages=packages).config()
    media_type = "application/vnd.oci.image.manifest.v1+json"
    blob = {"digest": digest_of(config), "size": len(config)}
    manifest = json.dumps({"mediaType": media_type, "config": blob, "layers": []}).encode()

    def respond(request: Request) -> Answer:
        if f"/manifests/lock-{lock}" in request.path:
            return Answer(headers={"Content-Type": media_type}, body=manifest)
        return Answer(body=config) if "/blobs/" in request.path else Answer(status=404)

    with serving(respond) as server:
        fail_if_missing(PROJECT, [NAME], address.parse(server.host))
