"""The state of an image in its lifecycle on a day.  Pure."""

from __future__ import annotations

import datetime

from build.matrix.model import Lifecycle

#: Days before its end from which whoever builds an image is warned.
WARNING_DAYS = 60


def has_ended(life: Lifecycle, today: datetime.date) -> bool:
    """Tell whether an image has reached its end: from that day on it is not built by default.

    Args:
        life: Its dates (UTC).
        today: The day (UTC).
    """
    return life.end_of_life is not None and life.end_of_life <= today


def status(life: Lifecycle, today: datetime.date) -> str:
    """Return the state in words: ``ended 2023-05-31``, ``deprecated, ends 2027-01-01``, ``announced for 2027-01-01``.

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
    """Return a warning for whoever builds the image, or None.

    Args:
        life: Its dates (UTC).
        today: The day (UTC).
    """
    if life.end_of_life is None:
        return None
    days = (life.end_of_life - today).days
    if days <= 0:
        return f"past its end of life ({life.end_of_life}): it gets no security fixes any more"
    if days <= WARNING_DAYS:
        return f"ends in {days} {'day' if days == 1 else 'days'} ({life.end_of_life}), then default groups leave it out"
    return None
