"""Time to the first scored answer: figures, targets and who is compared; no engine."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, cast

import pytest

from bench import first_answer as bench_first_answer
from bench import first_answer_report as report
from bench import report as bench_report
from bench.first_answer_report import FirstAnswer, Start
from build.errors import EngineError, PipelineError
from build.paths import repository


def starts(*seconds: float, memory: int = 100_000_000) -> list[Start]:
    return [Start(seconds=value, memory=memory, anonymous=memory // 2) for value in seconds]


def first(ours: float, plain: float, bare: float) -> FirstAnswer:
    return FirstAnswer(
        starts={"ours": starts(ours), "plain": starts(plain), "bare": starts(bare)}, container=[0.4, 0.3, 0.5]
    )


def missed(found: FirstAnswer) -> list[str]:
    return [row.phase for row in report.rows(found) if row.reached is False]


def test_as_fast_as_plain_and_a_tenth_above_bare_reaches_both_targets() -> None:
    assert bench_report.verdict(report.rows(first(2.2, 2.2, 2.0))) == "all 2 targets reached"


@pytest.mark.parametrize(
    ("found", "named"),
    [
        (first(2.01, 2.0, 2.0), "first answer"),
        (first(2.21, 2.3, 2.0), "first answer, against the bare server in our image (2.00 s (2.00–2.00))"),
    ],
)
def test_slower_than_plain_or_more_than_a_tenth_above_bare_is_a_missed_target(found: FirstAnswer, named: str) -> None:
    assert missed(found) == [named]


def test_every_round_counts_and_the_median_is_compared() -> None:
    found = FirstAnswer(starts={"ours": starts(9.0, 2.0, 2.1), "plain": starts(2.2, 1.0, 2.3)})
    row = report.rows(found)[0]
    assert (row.plain, row.ours, row.ratio) == ("2.20 s (1.00–2.30)", "2.10 s (2.00–9.00)", "95.5%")
    figures = cast(dict[str, Any], report.as_json(found))["contenders"]["ours"]["seconds"]
    assert figures == {"median": 2.1, "min": 2.0, "max": 9.0, "rounds": [9.0, 2.0, 2.1]}


def test_memory_is_compared_with_plain_and_said_of_the_bare_server() -> None:
    found = FirstAnswer(
        starts={
            "ours": starts(1, 1, memory=90_000_000),
            "plain": starts(1, 1, memory=100_000_000),
            "bare": starts(1, 1, memory=80_000_000),
        }
    )
    row = report.rows(found)[-1]
    assert row.cells == ("memory at idle (the bare server's: 80.0 MB)", "100.0 MB", "90.0 MB", "90.0%", "-", "-")


def test_one_side_alone_gives_figures_and_no_verdict_on_the_other() -> None:
    plain = report.rows(FirstAnswer(starts={"plain": starts(2.0)}))
    assert [(row.plain, row.ours, row.reached) for row in plain] == [
        ("2.00 s (2.00–2.00)", "-", None),
        ("100.0 MB", "-", None),
    ]
    ours = FirstAnswer(starts={"ours": starts(2.0), "bare": starts(2.0)})
    assert [row.reached for row in report.rows(ours)] == [None, True, None]
    json.dumps(report.as_json(ours))


def test_nothing_measured_is_no_line() -> None:
    assert report.rows(None) == []
    assert report.as_json(None) is None


def test_each_comes_first_equally_often() -> None:
    orders = [report.rotated(["a", "b", "c"], number) for number in range(4)]
    assert orders == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]]


@pytest.mark.parametrize(
    "details",
    [
        {"inactive_file": 30, "anon": 50},  # cgroup v2
        {"total_inactive_file": 30, "inactive_file": 7, "total_rss": 50},  # cgroup v1
    ],
)
def test_memory_is_what_docker_stats_shows(details: dict[str, int]) -> None:
    assert report.memory_used({"memory_stats": {"usage": 100, "stats": details}}) == (70, 50)


def test_first_answer_alone_runs_no_other_phase() -> None:
    assert bench_report.choose(["first-answer"]).builds == ()
    assert "first-answer" in bench_report.choose([]).phases


def test_our_image_starts_by_itself_and_the_bare_server_in_the_same_image_by_hand() -> None:
    by_name = {item.name: item for item in bench_first_answer.contenders(ours="our:1", plain="plain:1")}
    assert by_name["ours"].command == by_name["plain"].command == ()
    assert by_name["bare"].image == by_name["ours"].image
    assert by_name["bare"].command == ("azmlinfsrv", "--entry_script", "/var/azureml-app/score.py", "--port", "5001")
    assert [item.name for item in bench_first_answer.contenders(ours=None, plain="plain:1")] == ["plain"]


def test_every_plain_image_starts_the_bare_server() -> None:
    server = json.dumps(bench_first_answer.contenders(ours="our:1", plain=None)[1].command)
    for dockerfile in (repository().root / "bench" / "plain").glob("*/Dockerfile"):
        assert re.search(r"^CMD (.*)$", dockerfile.read_text(encoding="utf-8"), re.MULTILINE)[1] == server  # type: ignore[index]


class _Answers(BaseHTTPRequestHandler):
    """Not ready twice, then the answer."""

    statuses: list[int]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0])
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class _Client:
    """An engine whose one container has ended."""

    @property
    def containers(self) -> _Client:
        return self

    def get(self, name: str) -> _Client:
        return self

    status = "exited"

    def logs(self, tail: int) -> bytes:
        return b"ImportError: no model"


def place(port: int) -> bench_first_answer.Place:
    return bench_first_answer.Place(client=cast(Any, _Client()), environment={}, address="127.0.0.1", port=port)


def process(code: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", f"import sys; print('no such image', file=sys.stderr); sys.exit({code})"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ask(port: int, code: int = 0) -> tuple[float, bytes]:
    contender = bench_first_answer.contenders(ours="our:1", plain=None)[0]
    with process(code) as docker_run:
        return bench_first_answer._first_answer(place(port), docker_run, contender, "name", time.monotonic() + 30)


def test_the_first_answer_is_the_first_that_is_200_of_a_server_that_comes_later() -> None:
    port = _free_port()

    _Answers.statuses = [503, 502, 200]

    def serve() -> None:
        time.sleep(0.2)
        with HTTPServer(("127.0.0.1", port), _Answers) as server:
            server.timeout = 5
            for _ in range(3):
                server.handle_request()

    server = threading.Thread(target=serve)
    server.start()
    _, body = ask(port)
    server.join()
    assert json.loads(body) == {"data": [[10.0], [20.0]]}
    assert _Answers.statuses == [200]


@pytest.mark.parametrize(
    ("body", "right"),
    [
        (b"[21.000000000000004, 41.0]", True),
        (b"[21.0, 41.1]", False),
        (b"[21.0]", False),
        (b'{"message": "Healthy"}', False),
        (b"Healthy", False),
    ],
)
def test_only_the_models_answer_is_right(body: bytes, right: bool) -> None:
    assert bench_first_answer._right(body) is right


def test_a_container_that_ended_is_a_failure_with_its_log() -> None:
    with pytest.raises(PipelineError) as failure:
        ask(_free_port())
    assert "'ours': its container ended" in failure.value.what
    assert failure.value.details == "ImportError: no model"


def test_a_container_that_could_not_be_started_is_a_failure_with_what_docker_said() -> None:
    with pytest.raises(EngineError) as failure:
        ask(_free_port(), code=125)
    assert failure.value.details == "no such image\n"
