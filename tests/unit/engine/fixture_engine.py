"""An engine that the unit tests talk about and that does not exist."""

from __future__ import annotations

from build.engine.model import Engine

ENGINE = Engine(
    host="unix:///run/somewhere/docker.sock",
    source="DOCKER_HOST",
    product="Docker",
    version="26.1.5+dfsg1",
    api_version="1.45",
    platform="linux/amd64",
    containerd_store=True,
    rootless=False,
    data_root="/var/lib/docker",
)
