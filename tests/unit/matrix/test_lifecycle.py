import datetime

import pytest

from build.errors import UsageError
from build.matrix.lifecycle import has_ended, status, warning
from build.matrix.model import Lifecycle
from build.variants.select import Selection, select
from tests.unit.fixture_project import PROJECT

END = datetime.date(2027, 3, 1)
LIFE = Lifecycle.model_validate(
    {"released": datetime.date(2025, 1, 1), "deprecated": datetime.date(2026, 9, 1), "end-of-life": END}
)
NONE = Lifecycle()


@pytest.mark.parametrize(
    ("today", "words"),
    [
        ("2024-12-31", "announced for 2025-01-01, ends 2027-03-01"),
        ("2026-08-31", "ends 2027-03-01"),
        ("2026-09-01", "deprecated, ends 2027-03-01"),
        ("2027-03-01", "ended 2027-03-01"),
    ],
)
def test_the_status_follows_the_day(today: str, words: str) -> None:
    assert status(LIFE, datetime.date.fromisoformat(today)) == words


@pytest.mark.parametrize(
    ("days", "words"),
    [(61, None), (60, "ends in 60 days (2027-03-01)"), (1, "ends in 1 day (2027-03-01)"), (0, "past its end of life")],
)
def test_a_person_is_warned_sixty_days_ahead(days: int, words: str | None) -> None:
    said = warning(LIFE, END - datetime.timedelta(days=days))
    assert said is None if words is None else said is not None and said.startswith(words)


def test_without_dates_nothing_is_said() -> None:
    today = datetime.date(2026, 1, 1)
    assert (status(NONE, today), warning(NONE, today), has_ended(NONE, today)) == ("", None, False)


def test_a_default_group_leaves_out_what_has_ended_and_a_name_does_not() -> None:
    groups = {"default": ["*"]}
    ends = sorted({variant.lifecycle.end_of_life for variant in PROJECT.variants if variant.lifecycle.end_of_life})
    first = [variant.name for variant in PROJECT.variants if variant.lifecycle.end_of_life == ends[0]]

    def names(selection: Selection, today: datetime.date) -> set[str]:
        return {variant.name for variant in select(PROJECT.variants, selection, groups, "default", today)}

    before = ends[0] - datetime.timedelta(days=1)
    assert set(first) <= names(Selection(), before)
    assert not set(first) & names(Selection(), ends[0])
    assert names(Selection(patterns=(first[0],)), ends[0]) == {first[0]}
    assert set(first) <= names(Selection(group="default"), ends[0])
    with pytest.raises(UsageError, match="past its end of life"):
        select(PROJECT.variants, Selection(), {"default": first}, "default", ends[0])
    # A matrix without such a group: all images, and those that have ended are not asked for either.
    everything = {variant.name for variant in select(PROJECT.variants, Selection(), {}, "default", ends[0])}
    assert everything == names(Selection(), ends[0])
    assert set(first) <= {variant.name for variant in select(PROJECT.variants, Selection(all_=True), {}, None, ends[0])}
