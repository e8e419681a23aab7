"""The rules of the phase serving: when a point passes."""

from __future__ import annotations

import json
import sys
from typing import Any

import click
import pytest

from bench import report, serving_report
from bench.serving_points import Point
from bench.serving_report import Result, Round, Run, cpu, cpu_limit, p99, rate
from bench.wrk import Load
from build.errors import UsageError


def run(cpu: float = 1.0, rate: float = 1000.0, *, errors: dict[str, int] | None = None) -> Run:
    return Run(cpu=cpu, load=Load(requests=int(rate), seconds=1.0, p50=0.01, p99=0.02, errors=errors or {}))


def result(ours: Run, *, again: Run | None = None, clients: int = 16, limit: float = 1.05) -> Result:
    one = Round(ours=ours, bare=run(), again=again or run())
    return Result(point=Point(script="trivial", workers=1, clients=clients), rounds=(one, one, one), cpu_limit=limit)


@pytest.mark.parametrize(
    ("ours", "clients", "missed"),
    [
        (run(cpu=1.05), 16, ()),
        (run(cpu=1.06), 16, ("CPU",)),
        (run(rate=1000), 64, ()),
        (run(rate=999), 64, ("answers",)),
        (run(rate=999), 16, ("answers",)),
        (run(rate=950), 1, ()),
        (run(rate=949), 1, ("answers",)),
        (run(cpu=2.0, rate=10), 1, ("CPU", "answers")),
        (run(cpu=0.5, rate=2000, errors={"read": 1}), 16, ("errors",)),
    ],
)
def test_a_point_passes_at_its_limits_and_not_beyond(ours: Run, clients: int, missed: tuple[str, ...]) -> None:
    assert result(ours, clients=clients).missed == missed


def test_a_point_passes_within_the_spread_of_the_bare_server_against_itself() -> None:
    assert result(run(cpu=1.09), again=run(cpu=1.10)).missed == ()
    assert result(run(cpu=1.11), again=run(cpu=1.10)).missed == ("CPU",)
    assert result(run(rate=910), again=run(rate=900)).missed == ()
    assert result(run(rate=890), again=run(rate=900)).missed == ("answers",)


def test_a_better_bare_server_makes_no_limit_stricter() -> None:
    assert result(run(cpu=1.05), again=run(cpu=0.5)).missed == ()
    assert result(run(rate=1000), again=run(rate=2000)).missed == ()


def test_python_37_may_take_more() -> None:
    assert cpu_limit("3.7") > cpu_limit("3.8") == cpu_limit("3.13")
    assert result(run(cpu=1.2), limit=cpu_limit("3.7")).missed == ()


def test_ratios_are_of_pairs_and_their_median_counts() -> None:
    rounds = tuple(
        Round(ours=run(cpu=ours), bare=run(cpu=bare), again=run(cpu=bare))
        for ours, bare in ((2.0, 2.0), (10.0, 1.0), (1.0, 2.0))
    )
    found = Result(point=Point(script="cpu", workers=2), rounds=rounds, cpu_limit=1.05)
    assert found.ratio(cpu).values == (1.0, 10.0, 0.5)
    assert str(found.ratio(cpu)) == "1.00 (0.50–10.00)"
    assert found.spread(cpu).values == (1.0, 1.0, 1.0)
    assert found.missed == ()


def test_a_latency_below_the_clocks_resolution_gives_a_ratio() -> None:
    def at(latency: float) -> Run:
        return Run(cpu=1.0, load=Load(requests=1, seconds=1.0, p50=0.0, p99=latency, errors={}))

    one = Round(ours=at(0.0), bare=at(0.0), again=at(0.1))
    found = Result(point=Point(script="trivial", workers=1), rounds=(one,), cpu_limit=1.05)
    assert found.ratio(p99).median == 1.0
    assert found.spread(p99).median == float("inf")


def test_the_verdict_names_each_missed_point_and_why() -> None:
    good, bad = result(run()), result(run(cpu=2.0), clients=1)
    assert serving_report.verdict([good, good]) == "serving: all 2 points passed"
    assert serving_report.verdict([good, bad]) == "serving: 1 of 2 points passed; not passed: trivial-1w-1 (CPU)"


@pytest.mark.parametrize(("width", "last"), [(80, "limit"), (120, "p99 ms")])
def test_the_table_fits_the_terminal(
    width: int, last: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    long = Result(
        point=Point(script="trivial", workers=2, kept=False), rounds=result(run(cpu=0.0015)).rounds, cpu_limit=1.05
    )
    serving_report.print_table([long])
    lines = click.unstyle(capsys.readouterr().out).splitlines()
    assert lines[0].startswith("point ")
    assert lines[0].rstrip().endswith(last)
    assert all(len(line) <= width for line in lines[:2])
    assert "trivial-2w-16-new  yes" in lines[1]


def test_the_json_file_has_every_run() -> None:
    document: Any = json.loads(
        json.dumps(serving_report.as_json([result(run(cpu=2.0, rate=1003, errors={"status": 3}))]))
    )
    assert document[0]["missed"] == ["errors", "CPU"]
    assert document[0]["ratio"]["cpu"] == {"median": 2.0, "values": [2.0, 2.0, 2.0]}
    assert document[0]["rounds"][2]["ours"]["load"]["errors"] == {"status": 3}


def test_answers_that_are_errors_count_as_no_answers() -> None:
    assert rate(run(rate=1000, errors={"status": 400, "read": 5})) == 600


def test_serving_runs_only_if_it_is_named() -> None:
    assert "serving" not in report.choose(()).phases
    assert "serving" not in report.choose(("ours",)).phases
    assert report.choose(("serving",)).phases == ("serving",)
    with pytest.raises(UsageError):
        report.choose(("server",))
