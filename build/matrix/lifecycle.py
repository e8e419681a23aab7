"""The phase of an image's lifecycle on a day.  Pure."""

from __future__ import annotations

import datetime
from typing import Literal

from build.matrix.upkeep import Lifecycle

#: Days before its end from which whoever builds an image is warned.
WARNING_DAYS = 60

Phase = Literal["full support", "LTS", "ended"]


def phase(life: Lifecycle, today: datetime.date) -> Phase | None:
    """Return the phase that a lifecycle is in; None if no dates of support are known.

    Args:
        life: Its dates (UTC).
        today: The day (UTC).
    """
    if life.last is None or life.full_support is None:
        return None
    if life.last.until <= today:
        return "ended"
    return "LTS" if life.full_support.until <= today else "full support"


def has_ended(life: Lifecycle, today: datetime.date) -> bool:
    """Tell whether an image has reached its end: from that day on it is not built by default.

    Args:
        life: Its dates (UTC).
        today: The day (UTC).
    """
    return phase(life, today) == "ended"


def status(life: Lifecycle, today: datetime.date) -> str:
    """Return the phase in words: ``full support until 2028-08-09``, ``deprecated, LTS until 2028-06-30``.

    Other forms are ``ended 2023-05-31`` and ``announced for 2027-01-01``; the text is empty if no date is known.

    Args:
        life: Its dates (UTC).
        today: The day (UTC).
    """
    now = phase(life, today)
    if now == "ended":
        return f"ended {life.end_of_life}"
    words = []
    if life.released and life.released > today:
        words.append(f"announced for {life.released}")
    if life.deprecated and life.deprecated <= today:
        words.append("deprecated")
    current = life.lts if now == "LTS" else life.full_support
    if current:
        words.append(f"{now} until {current.until}")
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


def joint(*parts: Lifecycle) -> Lifecycle | None:
    """Return the lifecycle of an image from those of its parts, or None if it would begin after its end.

    It begins when the last part is released. Its full support, and its support as a whole, end with those of the part
    that is the first to lose them.

    Args:
        parts: The lifecycles of the framework version, the base, its prefix, the CUDA version.
    """
    released = max((part.released for part in parts if part.released), default=None)
    full = min((part.full_support for part in parts if part.full_support), key=lambda each: each.until, default=None)
    last = min((part.last for part in parts if part.last), key=lambda each: each.until, default=None)
    deprecated = min((part.deprecated for part in parts if part.deprecated), default=None)
    if released and last and released > last.until:
        return None
    if released and full and full.until < released:
        full = full.model_copy(update={"until": released})  # in LTS from its first day on
    if deprecated:
        # Not before its release, and not after its end.
        deprecated = min(max(deprecated, released or deprecated), last.until if last else datetime.date.max)
    has_lts = full is not None and last is not None and full.until < last.until
    return Lifecycle.model_construct(
        released=released, deprecated=deprecated, full_support=full if has_lts else last, lts=last if has_lts else None
    )
