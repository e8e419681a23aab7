"""Clients in a container of their own (``inside/clients/``): neither the server's limits nor a proxy is theirs.

A published port may lead through the engine's proxy, which reads and closes connections for the server.
"""

from __future__ import annotations

import json
import math
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from image_container import APP_ROOT, INSIDE, START_TIMEOUT, Container, Start, docker
from scoring_scripts import PATIENCE, make_file, script, wait_for_file

#: What the servers of these tests run.
SCORING = {"main.py": script("clients.py")}
#: The files of a server with TLS, and the variable that makes it use them.
TLS = {"GUNICORN_CMD_ARGS": f"--certfile {APP_ROOT}/certificate.pem --keyfile {APP_ROOT}/key.pem"}
#: Probes are answered in this time (ms) by the 99th percentile, in addition to what they take on the idle server:
#: while run() sleeps, and while it computes in Python.
PROMISED = {"sleep": 100, "compute": 300}
#: No probe takes longer than this (ms), in addition to what the slowest takes on the idle server.
LONGEST = 1000


@dataclass(kw_only=True)
class Running:
    """A function of ``inside/clients`` that is running."""

    process: subprocess.Popen[bytes]
    #: What it returned, once its block has ended.
    result: Any = None

    def finish(self, seconds: float = 2 * PATIENCE) -> Any:
        """Close its standard input, wait for its end, and return its result."""
        if self.process.returncode is not None:
            return self.result
        out, err = self.process.communicate(timeout=seconds)
        assert self.process.returncode == 0, f"the clients failed: {err.decode()[-2000:]}"
        self.result = json.loads(out.strip().splitlines()[-1])
        return self.result


@dataclass(frozen=True, kw_only=True)
class Clients:
    """A container in which clients run, and probes that do not share a process with them."""

    container: Container
    _addresses: dict[str, str] = field(default_factory=dict)

    @classmethod
    def start(cls, start: Start) -> Clients:
        """Start the container; it can open 20,000 files."""
        files = {f"clients/{path.name}": path.read_bytes() for path in (INSIDE / "clients").glob("*.py")}
        return cls(container=start(files, command=["sleep", "infinity"], options=["--ulimit=nofile=20000:20000"]))

    def certificate(self) -> dict[str, bytes]:
        """Make a certificate, and return the files of a server that uses it."""
        make = "cd /tmp && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x -keyout k -out c 2>&1"
        docker("exec", self.container.id, "sh", "-c", make)
        read = ("exec", self.container.id, "cat")
        return {"certificate.pem": docker(*read, "/tmp/c").encode(), "key.pem": docker(*read, "/tmp/k").encode()}

    def ask(self, function: str, server: Container, *, tls: bool = False, **arguments: Any) -> Any:
        """Run a function of ``inside/clients``, and return its result."""
        return Running(process=self._run(function, server, tls, arguments)).finish()

    @contextmanager
    def present(self, function: str, server: Container, *, tls: bool = False, **arguments: Any) -> Iterator[Running]:
        """Run `hold` or `burst` while the block runs, which begins when their clients are there."""
        running = Running(process=self._run(function, server, tls, arguments))
        try:
            assert running.process.stdout is not None
            line = running.process.stdout.readline()
            assert line == b"ready\n", f"the clients: {line!r} {running.process.communicate()[1].decode()[-2000:]}"
            yield running
            running.finish()
        finally:
            running.process.kill()
            running.process.communicate()

    def _run(self, function: str, server: Container, tls: bool, arguments: dict[str, Any]) -> subprocess.Popen[bytes]:
        if server.id not in self._addresses:
            self._addresses[server.id] = server.address()
        to = {"host": self._addresses[server.id], "tls": tls}
        return subprocess.Popen(
            [
                *("docker", "exec", "--interactive", self.container.id, "python", "-B", f"{APP_ROOT}/clients"),
                *(function, json.dumps({"to": to, **arguments})),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,  # `communicate` does not return what a buffer holds
        )

    def wait_until_ready(self, server: Container, *, tls: bool = False) -> None:
        """Wait until a server answers its probe."""
        give_up = time.monotonic() + START_TIMEOUT
        while not self.ask("wait", server, tls=tls):
            server.must_run()
            assert time.monotonic() < give_up, f"no answer to GET / in {START_TIMEOUT:.0f} s\n{server.logs()}"

    @contextmanager
    def predicting(self, server: Container, do: str, name: str, *, tls: bool = False) -> Iterator[Running]:
        """Have a prediction (``sleep`` or ``compute``) in progress while the block runs."""
        with self.present("burst", server, tls=tls, requests=[{"do": do, "name": name}]) as running:
            wait_for_file(server, f"/tmp/entered.{name}")
            try:
                yield running
            finally:
                make_file(server, f"/tmp/release.{name}")
        assert running.result[0]["status"] == 200, f"the prediction: {running.result[0]}"
        assert '"released"' in running.result[0]["body"], f"it ended before its signal: {running.result[0]}"


def percentile(times: Sequence[float], share: float = 0.99) -> float:
    """Return the time (ms) within which this share of the probes was answered."""
    return sorted(times)[math.ceil(share * len(times)) - 1]


def slow_probes(
    clients: Clients,
    server: Container,
    *disturbances: Callable[[], AbstractContextManager[object]],
    promised: int,
    count: int,
    tls: bool = False,
) -> str:
    """Say which health probes take longer than promised during disturbances; return an empty text if none does.

    A slow machine delays the idle server too: its times are added to the promise.

    Args:
        clients: Where the probes come from.
        server: The server.
        disturbances: They are entered one after the other, and last while the probes run.
        promised: The 99th percentile, in milliseconds.
        count: Number of probes.
        tls: The server speaks TLS.

    Raises:
        AssertionError: A probe failed.
    """
    idle = clients.ask("probe", server, tls=tls, count=count)
    assert not idle["failed"], f"GET / of the idle server: {idle['failed'][:3]}"
    with ExitStack() as stack:
        for disturbance in disturbances:
            stack.enter_context(disturbance())
        times = clients.ask("probe", server, tls=tls, count=count)
    assert not times["failed"], f"{len(times['failed'])} of {count} probes failed: {times['failed'][:3]}"
    p99, idle_p99 = percentile(times["ms"]), percentile(idle["ms"])
    longest, idle_longest = max(times["ms"]), max(idle["ms"])
    print(f"probes: p99 {p99} ms, longest {longest} ms; idle: {idle_p99} and {idle_longest} ms")
    if p99 > promised + idle_p99:
        return f"the 99th percentile of {count} probes is {p99:.0f} ms ({idle_p99:.0f} ms idle), promised: {promised}"
    if longest > LONGEST + idle_longest:
        return f"the slowest of {count} probes took {longest:.0f} ms ({idle_longest:.0f} ms idle)"
    return ""
