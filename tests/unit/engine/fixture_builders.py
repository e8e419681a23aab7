"""Docker contexts, and a buildx that gives prepared answers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

REMOTE = """\
Name:          far
Driver:        remote
Last Activity: 2026-11-27 07:17:06 +0000 UTC

Nodes:
Name:             far0
Endpoint:         tcp://build.example:1234
Status:           running
BuildKit version: v0.13.2
Platforms:        linux/amd64*, linux/amd64/v2, linux/386
Labels:
 org.mobyproject.buildkit.worker.executor:         oci
GC Policy rule#0:
 All:           false
"""


def docker_contexts(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, host: str = "tcp://work:2375") -> None:
    """Use a configuration of Docker with a context."""
    place = folder / "contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
    place.mkdir(parents=True)
    meta = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host}}}
    (place / "meta.json").write_text(json.dumps(meta))
    (folder / "config.json").write_text("{}")
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))


def prepared_buildx(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, inspect: str = "", errors: str = "", code: int = 0
) -> None:
    """Put a program on PATH that answers as `docker buildx` does."""
    (folder / "inspect").write_text(inspect)
    (folder / "errors").write_text(errors)
    program = folder / "docker"
    program.write_text(f"""#!/bin/sh
case "$2" in
version) echo "github.com/docker/buildx v0.13.1 x";;
ls) printf 'NAME/NODE DRIVER/ENDPOINT\\nfar remote\\n \\\\_ far0 tcp://build.example:1234\\ndefault* docker\\n';;
inspect) case "$3" in -*) [ "$3" = -- ] || {{ echo "Usage: docker buildx inspect"; exit 0; }};; esac
    /bin/cat {folder}/errors >&2; /bin/cat {folder}/inspect; exit {code};;
esac
""")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
