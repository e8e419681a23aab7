"""The points of the phase serving, and how they are selected."""

from __future__ import annotations

import pytest

from bench import serving_points
from bench.serving_points import POINTS, Point
from build.errors import UsageError


def test_each_point_has_a_name_of_its_own() -> None:
    assert len({point.name for point in POINTS}) == len(POINTS) == 15


def test_the_points_are_those_of_the_target() -> None:
    names = {point.name for point in POINTS}
    kept = {f"{script}-{workers}w-16" for script in ("trivial", "cpu", "sleep") for workers in (1, 2, 4)}
    clients = {f"trivial-{workers}w-{clients}" for workers in (1, 2) for clients in (1, 64)}
    assert names == kept | clients | {"trivial-1w-16-new", "trivial-2w-16-new"}


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (("cpu-2w-16",), ["cpu-2w-16"]),
        (("*-new",), ["trivial-1w-16-new", "trivial-2w-16-new"]),
        (("sleep-4w-*", "cpu-4w-*", "sleep-4w-16"), ["cpu-4w-16", "sleep-4w-16"]),
    ],
)
def test_points_are_chosen_by_name_and_glob_each_once(patterns: tuple[str, ...], names: list[str]) -> None:
    assert [point.name for point in serving_points.choose(patterns)] == names


def test_without_a_pattern_all_points_are_measured() -> None:
    assert serving_points.choose(()) == POINTS


def test_a_pattern_that_matches_nothing_is_refused_even_next_to_one_that_does() -> None:
    with pytest.raises(UsageError) as failure:
        serving_points.choose(("cpu-*", "cpu-3w"))
    assert "'cpu-3w'" in failure.value.what
    assert "cpu-2w-16" in str(failure.value.fix)


def test_points_with_the_same_script_and_workers_share_their_containers() -> None:
    groups = serving_points.by_server(POINTS)
    assert sum(map(len, groups)) == len(POINTS)
    assert len(groups) == 9
    assert all(len({(point.script, point.workers) for point in group}) == 1 for group in groups)


def test_the_backlog_is_what_the_workers_still_have_to_do() -> None:
    assert Point(script="sleep", workers=2, clients=16).backlog == pytest.approx(0.4)
    assert Point(script="trivial", workers=1).backlog == 0.0
