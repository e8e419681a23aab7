"""Where a variant stands in its lifecycle on a day.  Pure."""

from __future__ import annotations

import datetime

from build.matrix.model import Lifecycle

#: From so many days before its end on, a person is warned.
WARNING_DAYS = 60


def has_ended(life: Lifecycle, today: datetime.date) -> bool:
    """Whether its end has come: from that day on it is no longer built by default.

    Args:
        life: Its dates (UTC).
        today: The day (UTC).
    """
    return life.end_of_life is not None and life.end_of_life <= today


def status(life: Lifecycle, today: datetime.date) -> str:
    """For people: ``ended 2023-05-31``, ``deprecated, ends 2027-01-01``, ``announced for 2027-01-01``, or nothing.

    Args:
        life: Its dates (UTC).
        today: The day (UTC).
    """
    if has_ended(life, today):
        return f"ended {life.end_of_life}"
    words = []
    if life.released and life.released > today:
        words.append(f"announced for {life.released}")
    if life.deprecated and life.deprecated <= today:
        words.append("deprecated")
    if life.end_of_life:
        words.append(f"ends {life.end_of_life}")
    return ", ".join(words)


def warning(life: Lifecycle, today: datetime.date) -> str | None:
    """What a person who builds it should know, or None.

    Args:
        life: Its dates (UTC).
        today: The day (UTC).
    """
    if life.end_of_life is None:
        return None
    days = (life.end_of_life - today).days
    if days <= 0:
        return f"past its end of life ({life.end_of_life}): nothing below it is mended any more"
    if days <= WARNING_DAYS:
        return f"ends in {days} {'day' if days == 1 else 'days'} ({life.end_of_life}), then default groups leave it out"
    return None
