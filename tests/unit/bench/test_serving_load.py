"""The load tool of the phase serving: its output, and that its failures are seen.  The server is in this process."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench import serving, wrk
from build.engine import install
from build.errors import EngineError, PipelineError
from build.paths import repository

LINE = (
    '{"requests": 2491, "microseconds": 3020000, "p50": 16940, "p99": 71870, '
    '"connect": 0, "read": 2, "write": 0, "timeout": 0, "status": 91}'
)
SCRIPTS = repository().root / serving.SCRIPTS


def test_the_last_line_has_the_figures() -> None:
    load = wrk.parse(f"Running 3s test @ http://127.0.0.1:5001/score\n  1 threads and 16 connections\n{LINE}\n")
    assert (load.requests, load.seconds, load.p50, load.p99) == (2491, 3.02, 0.01694, 0.07187)
    assert load.errors == {"read": 2, "status": 91}
    assert (load.answered, load.rate) == (2400, 2400 / 3.02)


@pytest.mark.parametrize("output", ["", "unable to connect\n", "[]", LINE.replace("2491", "91"), '{"requests": 1}'])
def test_output_without_answers_is_a_failure(output: str) -> None:
    with pytest.raises(PipelineError):
        wrk.parse(output)


def test_who_cannot_install_it_is_told_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apt = tmp_path / "apt-get"
    apt.write_text("#!/bin/sh\nexit 1\n")
    monkeypatch.setattr(install, "PATH", str(tmp_path))
    monkeypatch.setattr(wrk, "PATH", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(EngineError) as without_apt:
        wrk.find_wrk()
    assert "Debian or Ubuntu" in without_apt.value.what
    apt.chmod(0o755)
    with pytest.raises(EngineError) as failure:
        wrk.find_wrk()
    assert failure.value.what == "the load tool of the phase serving (wrk) is missing, and only root can install it"
    assert failure.value.fix == "as root: apt-get install wrk"


class _Handler(BaseHTTPRequestHandler):
    """Answers as the server's class attributes say, and records what was asked."""

    protocol_version = "HTTP/1.1"
    status = 200
    asked: set[tuple[str, str, str]]
    connections: int

    def setup(self) -> None:
        super().setup()
        type(self).connections += 1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.add((self.path, self.headers["Content-Type"], body.decode()))
        with contextlib.suppress(OSError):  # wrk closes its connections when its time is over
            self.answer()

    def answer(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", "1")
        if self.close_connection:
            self.send_header("Connection", "close")  # without it, wrk counts the end of the connection as an error
        self.end_headers()
        self.wfile.write(b"1")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextlib.contextmanager
def server(code: int) -> Iterator[tuple[type[_Handler], str]]:
    class Handler(_Handler):
        status = code

    Handler.asked, Handler.connections = set(), 0
    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield Handler, f"http://127.0.0.1:{running.server_port}/score"
    finally:
        running.shutdown()
        running.server_close()
        thread.join()


@pytest.mark.parametrize(("code", "kept"), [(200, True), (200, False), (503, True)])
def test_wrk_sends_the_request_and_reports_what_failed(code: int, kept: bool) -> None:
    program = shutil.which("wrk")
    if program is None:
        pytest.skip("wrk is not installed")
    with server(code) as (handler, url):
        if code != 200:
            with pytest.raises(PipelineError, match="no request"):
                wrk.run(program, url, SCRIPTS, clients=2, kept=kept, seconds=1)
            return
        load = wrk.run(program, url, SCRIPTS, clients=2, kept=kept, seconds=1)
    assert handler.asked == {("/score", "application/json", '{"data": [[10.0], [20.0]]}')}
    assert load.errors == {}
    assert 0 < load.p50 <= load.p99 < 1
    # wrk opens one more connection, to see that the server is there.
    assert (handler.connections <= 3) is kept
