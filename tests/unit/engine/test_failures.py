"""The explanations of engine failures."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import requests
from docker.errors import DockerException

from build.engine import failures
from build.engine.connect import Connection, connect
from tests.unit.engine.fixture_engine import ENGINE

#: As Docker 26.1 and buildx 0.13 wrote them, the engine killed in the middle of a build or gone before it.
KILLED_IN_A_BUILD = """\
#5 [2/2] RUN --network=none ["/bin/sleep", "15"]
ERROR: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF
"""
KILLED_WHILE_IT_SOLVED = """\
#5 [2/2] RUN --network=none ["/usr/bin/sleep", "60"]
ERROR: failed to solve: Unavailable: error reading from server: EOF
"""
GONE_BEFORE = "ERROR: Cannot connect to the Docker daemon at unix:///r/docker.sock. Is the docker daemon running?\n"
REFUSED = 'error during connect: Get "http://x/_ping": dial unix /r/docker.sock: connect: connection refused'
_SNAPSHOT = "/data/docker/containerd/daemon/io.containerd.snapshotter.v1.overlayfs/snapshots/3/fs/b"
FULL = f"""\
#3 ERROR: write {_SNAPSHOT}: no space left on device
------
 > [internal] load build context:
------
ERROR: failed to solve: write {_SNAPSHOT}: no space left on device
"""
FULL_IN_PIP = "#9 4.21 ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"
#: Failures with other causes, in similar words.
A_REGISTRY_REFUSES = (
    'ERROR: failed to push 127.0.0.1:1/x: failed to do request: Head "http://127.0.0.1:1/v2/x": '
    "dial tcp 127.0.0.1:1: connect: connection refused"
)
AN_INDEX_REFUSES = "#9 1.3 error: Failed to fetch: Connection refused (os error 111)\n#9 ERROR: exit code: 2"
A_STEP_FAILS = 'ERROR: failed to solve: process "/bin/false" did not complete successfully: exit code: 1'


@pytest.mark.parametrize("text", [KILLED_IN_A_BUILD, KILLED_WHILE_IT_SOLVED, GONE_BEFORE, REFUSED])
def test_an_engine_that_stopped_answering(text: str) -> None:
    error = failures.explain(text, ENGINE)
    assert error is not None
    assert error.what == "the engine at unix:///run/somewhere/docker.sock stopped answering"
    assert error.fix


@pytest.mark.parametrize("text", [FULL, FULL_IN_PIP, FULL + KILLED_IN_A_BUILD])
def test_a_full_disk(text: str, tmp_path: Path) -> None:
    error = failures.explain(text, dataclasses.replace(ENGINE, data_root=str(tmp_path)))
    assert error is not None
    assert error.what == "the disk with the engine's data folder is full"
    assert str(error.where).startswith(f"{tmp_path} (")
    assert "free)" in str(error.where)
    assert "docker buildx prune" in str(error.fix)
    assert "docker image prune" in str(error.fix)


@pytest.mark.parametrize("text", [A_REGISTRY_REFUSES, AN_INDEX_REFUSES, A_STEP_FAILS, ""])
def test_failures_that_are_not_the_engines(text: str) -> None:
    assert failures.explain(text, ENGINE) is None


#: A log in which the connection that sends a build context broke, but another error ended the build.
BROKE_OFF = "#64 ERROR: rpc error: code = Unavailable desc = error reading from server: EOF\n"
OTHER_ENDS = [
    'ERROR: failed to solve: process "/bin/sh -c x" did not complete successfully: exit code: 127',
    'ERROR: failed to solve: failed to compute cache key: "/no-such-file": not found',
    "ERROR: failed to solve: registry.example/base@sha256:1: not found",
]


@pytest.mark.engine
@pytest.mark.parametrize("end", OTHER_ENDS)
def test_an_engine_that_answers_has_not_stopped(connection: Connection, end: str, tmp_path: Path) -> None:
    assert failures.explain(BROKE_OFF + end, connection.engine) is None
    stopped = dataclasses.replace(connection.engine, host=f"unix://{tmp_path}/docker.sock")
    error = failures.explain(BROKE_OFF + end, stopped)
    assert error is not None
    assert "stopped answering" in error.what


@pytest.mark.engine
@pytest.mark.parametrize("text", [KILLED_IN_A_BUILD, KILLED_WHILE_IT_SOLVED])
def test_a_lost_connection_to_an_engine_that_answers_again(connection: Connection, text: str) -> None:
    error = failures.explain(text, connection.engine)
    assert error is not None
    assert error.what == f"the connection to the engine at {connection.engine.host} broke, and the engine answers again"
    assert failures.explain(text, connection.engine, has_another_cause=True) is None


def test_a_registry_that_refuses_is_not_the_engines_failure() -> None:
    with pytest.raises(requests.ConnectionError) as caught:
        requests.get("http://127.0.0.1:1/v2/", timeout=5)
    assert failures.explain(caught.value, ENGINE) is None


def test_a_pipe_that_nobody_reads_is_not_the_engines_failure() -> None:
    assert failures.explain(BrokenPipeError(32, "Broken pipe"), ENGINE) is None


def test_the_sdk_does_not_reach_the_engine(tmp_path: Path) -> None:
    gone = dataclasses.replace(ENGINE, host=f"unix://{tmp_path}/docker.sock")
    with pytest.raises(DockerException) as caught:
        connect(gone)
    error = failures.explain(caught.value, gone)
    assert error is not None
    assert error.what == f"the engine at {gone.host} stopped answering"


def test_the_error_lines_of_an_engines_log() -> None:
    log = """\
time="2026-11-23T05:20:31Z" level=info msg="Starting up"
time="2026-11-23T05:20:31Z" level=error msg="no iptables"
time="2026-11-23T05:20:32Z" level=info msg="stopping"
failed to start daemon: no room
"""
    assert failures.error_lines(log) == [
        'time="2026-11-23T05:20:31Z" level=error msg="no iptables"',
        "failed to start daemon: no room",
    ]
