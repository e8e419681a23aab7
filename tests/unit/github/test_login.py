"""Which login a job has for a registry: never one that is for another registry."""

from __future__ import annotations

import pytest

from build.github.login import registry_login

JOB = {"GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "me", "GITHUB_TOKEN": "of-the-job"}
OWN = {"REGISTRY_USERNAME": "robot", "REGISTRY_PASSWORD": "secret"}


@pytest.mark.parametrize(
    ("host", "named", "variables", "login"),
    [
        ("ghcr.io", "ghcr.io", JOB, ("me", "of-the-job")),
        ("ghcr.io", "ghcr.io", {**JOB, **OWN}, ("robot", "secret")),
        ("ghcr.io", "ghcr.io", {**JOB, "REGISTRY_USERNAME": "", "REGISTRY_PASSWORD": ""}, ("me", "of-the-job")),
        ("registry.example", "registry.example", JOB, None),
        ("registry.example", "registry.example", {**JOB, **OWN}, ("robot", "secret")),
        ("other.example", "registry.example", {**JOB, **OWN}, None),
        ("ghcr.io.example", "ghcr.io.example", JOB, None),
        ("127.0.0.1:5000", "", {**JOB, **OWN}, None),
        ("ghcr.io", "ghcr.io", {**JOB, "GITHUB_ACTIONS": ""}, None),
        ("ghcr.io", "ghcr.io", {"GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "me"}, None),
    ],
)
def test_the_login(host: str, named: str, variables: dict[str, str], login: tuple[str, str] | None) -> None:
    assert registry_login(host, named, variables) == login
