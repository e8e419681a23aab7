"""The image's configuration: what engines and orchestrators read without starting it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from image_container import inspect_image
from image_plan import Image

#: https://github.com/opencontainers/image-spec/blob/main/annotations.md
OCI_LABELS = ("title", "version", "created", "base.name", "base.digest")
CONTRACT_ENVIRONMENT = {
    "WORKER_TIMEOUT": "300",
    "AZUREML_INFERENCE_SERVER_HTTP_ENABLED": "True",
    "SVDIR": "/var/runit",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
}
#: Settings of the machine that built the image, and settings that change the behaviour of a user's software.
NOT_IN_ENVIRONMENT = re.compile(
    r"(?i)debian_frontend|ld_library_path|pip_.*|uv_.*|.*_proxy|ssl_cert_(file|dir)|requests_ca_bundle|curl_ca_bundle"
    r"|source_date_epoch|.*(token|password|secret).*"
)


def test_reference_is_this_image(image: Image) -> None:
    assert inspect_image(image.reference)["Id"] == image.image_id, f"{image.reference} is another image"


def test_user_is_numeric(config: dict[str, Any]) -> None:
    """Kubernetes' runAsNonRoot accepts numbers only: a name could be another name of root."""
    user = config["User"]
    assert re.fullmatch(r"1000(:1000)?", user), f"the config's user is {user!r}, not 1000"


@pytest.mark.parametrize("name", CONTRACT_ENVIRONMENT)
def test_environment(environment: dict[str, str], name: str) -> None:
    expected, actual = CONTRACT_ENVIRONMENT[name], environment.get(name)
    assert actual == expected, f"ENV {name} is {actual!r}, not {expected!r}"


def test_environment_has_no_leftovers(environment: dict[str, str]) -> None:
    # An empty value counts as unset: a Dockerfile cannot remove the base image's LD_LIBRARY_PATH, only empty it.
    left = sorted(name for name, value in environment.items() if value and NOT_IN_ENVIRONMENT.fullmatch(name))
    assert not left, f"ENV has {', '.join(left)}"


def test_port(config: dict[str, Any]) -> None:
    ports = sorted(config.get("ExposedPorts") or {})
    assert ports == ["5001/tcp"], f"EXPOSE is {ports}, not 5001"


def test_working_directory(config: dict[str, Any]) -> None:
    assert config["WorkingDir"] == "/", f"WORKDIR is {config['WorkingDir']!r}, not '/'"


def test_command(config: dict[str, Any]) -> None:
    assert config["Cmd"] == ["runsvdir", "/var/runit"], f"CMD is {config['Cmd']}"


def test_no_entrypoint(config: dict[str, Any]) -> None:
    assert not config.get("Entrypoint"), f"ENTRYPOINT is {config['Entrypoint']}"


def test_standard_labels(config: dict[str, Any]) -> None:
    labels = config.get("Labels") or {}
    missing = [key for key in OCI_LABELS if not labels.get(f"org.opencontainers.image.{key}")]
    assert not missing, f"no label org.opencontainers.image.{{{', '.join(missing)}}}"


def test_nothing_tells_the_time_or_the_commit_of_the_build(image: Image, config: dict[str, Any]) -> None:
    """The same recipe gives the same image, whoever builds it."""
    labels = config.get("Labels") or {}
    created, label = inspect_image(image.reference)["Created"], labels.get("org.opencontainers.image.created")
    assert created == label, f"the image says that it was created {created}, its label says {label}"
    assert "org.opencontainers.image.revision" not in labels, "the label revision differs from commit to commit"


def test_labels_match_the_matrix(image: Image, config: dict[str, Any]) -> None:
    labels = config.get("Labels") or {}
    wrong = [
        f"{key} is {labels.get(key)!r}, not {value!r}"
        for key, value in image.labels.items()
        if labels.get(key) != value
    ]
    assert not wrong, "; ".join(wrong)
