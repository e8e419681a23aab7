"""Tags of runs: reading them, and the next one."""

from __future__ import annotations

import datetime

import pytest

from build.registry.tags import date_tag, dated

DAY = datetime.date(2026, 1, 5)


@pytest.mark.parametrize(
    ("taken", "tag"),
    [
        ([], "20260105.v1"),
        ([["latest", "20260104.v1"], []], "20260105.v1"),
        ([["20260105.v1"], ["latest"]], "20260105.v2"),
        ([["20260105.v1"], ["20260105.v2", "20260105.v3"]], "20260105.v4"),
        ([["20260105.v2"]], "20260105.v1"),
        ([["20260105.v10", "20260105.v1"]], "20260105.v2"),
        ([["20260105.v1-debian12-py37"]], "20260105.v2"),
    ],
)
def test_the_date_tag_takes_the_smallest_number_that_no_image_has(taken: list[list[str]], tag: str) -> None:
    assert date_tag(DAY, taken) == tag


def test_dated_tags_come_newest_first_and_others_are_left_out() -> None:
    tags = ["latest", "20261125.v9", "20261125.v10", "recipe-00", "20261124.v1-debian12-py37", "20269999.v1", "2026.v1"]
    found = [(each.tag, each.stand_in) for each in dated(tags)]
    assert found == [("20261125.v10", ""), ("20261125.v9", ""), ("20261124.v1-debian12-py37", "debian12-py37")]
