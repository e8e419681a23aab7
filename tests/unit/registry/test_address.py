"""The address of the registry."""

from __future__ import annotations

import pytest

from build.errors import UsageError
from build.registry.address import Registry, from_environment, parse

IMAGE = "azureml/sklearn-1.9-debian12-py311-cpu-inference"


def test_the_default_is_the_embedded_registry() -> None:
    registry = from_environment({})

    assert registry == Registry(host="127.0.0.1:5000", insecure=True, embedded=True)
    assert registry.reference(IMAGE, "latest") == f"127.0.0.1:5000/{IMAGE}:latest"
    assert registry.reference(IMAGE, "sha256:ab") == f"127.0.0.1:5000/{IMAGE}@sha256:ab"


def test_the_embedded_registry_moves_to_another_port() -> None:
    assert from_environment({"INFERENCE_IMAGES_REGISTRY_PORT": "5001"}).host == "127.0.0.1:5001"


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "٣"])
def test_an_invalid_port_is_refused(port: str) -> None:
    with pytest.raises(UsageError, match="is not a port"):
        from_environment({"INFERENCE_IMAGES_REGISTRY_PORT": port})


@pytest.mark.parametrize(
    ("text", "reference", "insecure"),
    [
        ("ghcr.io/acme", "ghcr.io/acme/sklearn-1.9-debian12-py311-cpu-inference:t", False),
        ("ghcr.io/acme/ml/", "ghcr.io/acme/ml/sklearn-1.9-debian12-py311-cpu-inference:t", False),
        ("acme.azurecr.io", f"acme.azurecr.io/{IMAGE}:t", False),
        ("registry:5000", f"registry:5000/{IMAGE}:t", False),
        ("localhost", f"localhost/{IMAGE}:t", True),
        ("127.0.0.1:5055", f"127.0.0.1:5055/{IMAGE}:t", True),
        ("[::1]:5055", f"[::1]:5055/{IMAGE}:t", True),
        ("https://127.0.0.1:5055", f"127.0.0.1:5055/{IMAGE}:t", False),
        ("http://registry:5000/acme", "registry:5000/acme/sklearn-1.9-debian12-py311-cpu-inference:t", True),
    ],
)
def test_a_named_registry_and_its_namespace(text: str, reference: str, insecure: bool) -> None:
    registry = from_environment({"REGISTRY": text})

    assert registry.reference(IMAGE, "t") == reference
    assert registry.insecure is insecure
    assert not registry.embedded


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("acme", "is a namespace and not a host"),
        ("acme/ml", "docker.io/acme"),
        ("ftp://registry:5000", "neither http nor https"),
        ("ghcr.io/Acme", "'Acme' cannot be part"),
        ("ghcr.io//acme", "'' cannot be part"),
        ("ghcr.io/acme:latest", "'acme:latest' cannot be part"),
        ("gh cr.io", "'gh cr.io' is not a host"),
        ("/acme", "'' is not a host"),
        ("registry.example:99999/acme", "'99999' is not a port"),
        ("[::1]:0", "'0' is not a port"),
    ],
)
def test_an_invalid_address_is_refused_before_anything_runs(text: str, words: str) -> None:
    with pytest.raises(UsageError, match="REGISTRY=") as failure:
        parse(text)

    assert words in failure.value.what
    assert "host[:port][/namespace]" in str(failure.value.fix)


def test_an_argument_is_not_called_a_variable() -> None:
    with pytest.raises(UsageError, match=r"^'acme' is not a registry: ") as failure:
        parse("acme", is_argument=True)

    assert failure.value.where is None
    assert "REGISTRY" not in failure.value.reason


def test_the_capitals_of_a_github_account_are_lower_case_in_its_registry() -> None:
    assert str(from_environment({"REGISTRY": "ghcr.io/Acme/Images"})) == "ghcr.io/acme/images"
    with pytest.raises(UsageError, match="lower case"):
        from_environment({"REGISTRY": "registry.example/Acme"})
