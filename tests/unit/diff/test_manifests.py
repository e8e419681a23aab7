"""Manifests and configurations, of this project and of others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from build.diff.manifests import ImageManifest, NotAnImageError, choose, read_manifest, to_facts
from build.platforms import LINUX_AMD64
from build.registry.manifests import INDEX, MANIFEST, to_manifest

CONFIG = "application/vnd.oci.image.config.v1+json"


def descriptor(letter: str, size: int = 1, media_type: str = "") -> dict[str, Any]:
    return {"digest": f"sha256:{letter * 64}", "size": size, "mediaType": media_type}


def manifest(**changes: Any) -> ImageManifest:
    document = {"config": descriptor("c", 10, CONFIG), "layers": [descriptor("1"), descriptor("2", 2)], **changes}
    return read_manifest(to_manifest(document, MANIFEST))


def test_the_facts_of_an_image() -> None:
    content = {
        "os": "linux",
        "architecture": "arm64",
        "variant": "v8",
        "config": {
            "User": "app",
            "Env": ["A=1=2", "EMPTY="],
            "Cmd": ["run", "a b"],
            "Entrypoint": None,
            "ExposedPorts": {"80/tcp": {}, "5001/tcp": {}},
            "Labels": {"l": "1"},
            "StopSignal": "SIGTERM",
            "Healthcheck": {"Test": ["NONE"]},
        },
        "rootfs": {"diff_ids": ["sha256:x", "sha256:y"]},
        "history": [{"created_by": "one"}, {"created_by": "ENV", "empty_layer": True}, {"created_by": "two"}],
    }
    facts = to_facts("r", "sha256:d", manifest(), json.dumps(content).encode())
    assert facts.environment == {"A": "1=2", "EMPTY": ""}
    assert facts.labels == {"l": "1"}
    assert facts.settings == {
        "user": "app",
        "command": '["run", "a b"]',
        "ports": "5001/tcp 80/tcp",
        "stop signal": "SIGTERM",
        "health check": '{"Test": ["NONE"]}',
        "platform": "linux/arm64/v8",
    }
    assert [(each.size, each.diff_id, each.created_by) for each in facts.layers] == [
        (1, "sha256:x", "one"),
        (2, "sha256:y", "two"),
    ]
    assert facts.size == 13


@pytest.mark.parametrize("content", ["{}", '{"config": null, "history": null}', '{"config": {"Env": null}}'])
def test_a_configuration_may_be_short(content: str) -> None:
    facts = to_facts("r", "sha256:d", manifest(), content.encode())
    assert (facts.environment, facts.labels, facts.settings) == ({}, {}, {})
    assert [(each.diff_id, each.created_by) for each in facts.layers] == [("", "")] * 2, "nothing is guessed"


@pytest.mark.parametrize("content", ["", "[]", "{", '{"history": 1}', '{"rootfs": {"diff_ids": [1]}}', "[" * 5000])
def test_what_is_not_a_configuration_is_named(content: str) -> None:
    with pytest.raises(NotAnImageError, match="its configuration cannot be read"):
        to_facts("r", "sha256:d", manifest(), content.encode())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"config": None}, r"is not one of an image \(config: "),
        ({"layers": [{"digest": "md5:1", "size": 1}]}, r"\(layers.0.digest: "),
        ({"layers": [descriptor("1", -1)]}, r"\(layers.0.size: "),
        ({"config": descriptor("c", 1, "text/chart"), "artifactType": None}, "artifact of the type text/chart"),
        ({"config": descriptor("c", 1, "text/x"), "artifactType": "text/y"}, "artifact of the type text/y"),
    ],
)
def test_what_is_not_an_image_is_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(NotAnImageError, match=words):
        manifest(**changes)


def test_an_index_is_the_image_of_the_platform() -> None:
    def index(*entries: Any) -> str:
        return choose(to_manifest({"manifests": list(entries)}, INDEX), LINUX_AMD64)

    arm = descriptor("a") | {"platform": {"os": "linux", "architecture": "arm64"}}
    amd = descriptor("b") | {"platform": {"os": "linux", "architecture": "amd64"}}
    attestation = descriptor("d") | {"platform": {"os": "unknown", "architecture": "unknown"}}
    assert index(attestation, arm, amd) == amd["digest"]
    with pytest.raises(NotAnImageError, match="no image for linux/amd64, but for linux/arm64, unknown/unknown"):
        index(attestation, arm)
    with pytest.raises(NotAnImageError, match="but for none"):
        index()
    with pytest.raises(NotAnImageError):
        index("text", None, {"platform": "text"}, {"platform": {"os": "linux", "architecture": "amd64"}})
