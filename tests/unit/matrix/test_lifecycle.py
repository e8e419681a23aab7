import datetime

import pytest

from build.errors import UsageError
from build.matrix.lifecycle import has_ended, joint, phase, status, warning
from build.matrix.upkeep import Lifecycle
from build.variants.select import Selection, select
from tests.unit.fixture_project import PROJECT

END = datetime.date(2027, 3, 1)
LIFE = Lifecycle.model_validate(
    {
        "released": datetime.date(2025, 1, 1),
        "deprecated": datetime.date(2026, 9, 1),
        "full-support": {"until": datetime.date(2026, 6, 1), "source": "upstream's page"},
        "lts": {"until": END, "source": "the page of its LTS team"},
    }
)
NONE = Lifecycle()


@pytest.mark.parametrize(
    ("today", "words"),
    [
        ("2024-12-31", "announced for 2025-01-01, full support until 2026-06-01"),
        ("2026-05-31", "full support until 2026-06-01"),
        ("2026-06-01", "LTS until 2027-03-01"),
        ("2026-09-01", "deprecated, LTS until 2027-03-01"),
        ("2027-02-28", "deprecated, LTS until 2027-03-01"),
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
    assert (status(NONE, today), warning(NONE, today), has_ended(NONE, today), phase(NONE, today)) == (
        "",
        None,
        False,
        None,
    )


def a_life(released: str | None = None, full: str | None = None, lts: str | None = None) -> Lifecycle:
    """A lifecycle of days; the sources name the days."""
    phases = {"full-support": full, "lts": lts}
    given = {key: {"until": day, "source": f"page of {day}"} for key, day in phases.items() if day}
    return Lifecycle.model_validate({"released": released, **given})


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([a_life(), a_life()], a_life()),
        ([a_life(full="2026-01-01", lts="2028-01-01"), a_life()], a_life(full="2026-01-01", lts="2028-01-01")),
        # The first part to lose its full support, and the first to end, need not be the same.
        (
            [a_life(full="2026-01-01", lts="2030-01-01"), a_life(full="2029-01-01")],
            a_life(full="2026-01-01", lts="2029-01-01"),
        ),
        # Ended before the other part loses its full support: there is no LTS.
        ([a_life(full="2026-01-01", lts="2030-01-01"), a_life(full="2025-01-01")], a_life(full="2025-01-01")),
    ],
)
def test_an_image_loses_support_with_the_first_of_its_parts(parts: list[Lifecycle], expected: Lifecycle) -> None:
    assert joint(*parts) == joint(*reversed(parts)) == expected


def test_an_image_that_is_released_after_the_full_support_begins_in_lts() -> None:
    life = joint(a_life(released="2027-01-01"), a_life(released="2020-01-01", full="2026-01-01", lts="2028-01-01"))
    assert life is not None
    assert phase(life, datetime.date(2027, 1, 1)) == "LTS"
    assert Lifecycle.model_validate(life.model_dump(by_alias=True)) == life
    assert joint(a_life(released="2028-01-02"), a_life(full="2028-01-01")) is None


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
