"""The benchmark of the server, with real containers: its figures, and that no container stays. No speed is tested."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import docker
import pytest

from tests.conftest import Checkout, interrupt
from tests.pipeline.rows import MINIMAL

pytestmark = [
    pytest.mark.engine,
    pytest.mark.usefixtures("bases_here"),
    pytest.mark.skipif(shutil.which("wrk") is None and os.geteuid() != 0, reason="only root can install wrk"),
]

LABEL = "inference-images.bench-serving"


def serving(*options: str) -> tuple[str, ...]:
    """Return the arguments of the shortest run."""
    return ("bench", "--only", "serving", "--image", MINIMAL, "--pairs", "1", *options)


def containers(client: docker.DockerClient, pid: int) -> list[str]:
    """Return the names of the containers that a process of the benchmark made."""
    return [str(one.name) for one in client.containers.list(all=True, filters={"label": f"{LABEL}={pid}"})]


def test_a_point_is_measured(checkout: Checkout, engine_client: docker.DockerClient, tmp_path: Path) -> None:
    built = checkout.run("build", MINIMAL)
    assert built.code == 0, built.text
    file = tmp_path / "figures.json"
    process = checkout.start(*serving("--seconds", "1", "--points", "trivial-1w-1", "--json", str(file)))
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    assert containers(engine_client, process.pid) == []
    assert "trivial-1w-1" in out
    (point,) = json.loads(file.read_text(encoding="utf-8"))["serving"]
    (runs,) = point["rounds"]
    for name in ("ours", "bare", "again"):
        load = runs[name]["load"]
        assert load["errors"] == {}, name
        assert load["requests"] > 0
        assert 0 < runs[name]["cpu"] * load["requests"] < 1.5 * load["seconds"] * (os.cpu_count() or 1), name


def test_ctrl_c_leaves_no_container(checkout: Checkout, engine_client: docker.DockerClient) -> None:
    built = checkout.run("build", MINIMAL)
    assert built.code == 0, built.text
    process = checkout.start(*serving("--seconds", "60", "--points", "trivial-1w-1"))
    deadline = time.monotonic() + 60
    while len(containers(engine_client, process.pid)) < 3:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert interrupt(process).code == 130
    assert containers(engine_client, process.pid) == []
