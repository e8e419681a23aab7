"""Tags of published images: ``latest``, and the immutable ``YYYYMMDD.vN`` of a run.  Pure."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass

LATEST = "latest"

_DATED = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})\.v([0-9]+)(?:-(.+))?")


@dataclass(frozen=True, kw_only=True, order=True)
class DateTag:
    """An immutable tag: ``20261125.v1``, or ``20261125.v1-debian12-py37`` of an image on a stand-in base."""

    date: datetime.date
    number: int
    #: The whole tag.
    tag: str
    #: The stand-in base; empty for an image on its own base.
    stand_in: str = ""


def dated(tags: Sequence[str]) -> list[DateTag]:
    """Return the immutable tags, the newest first; other tags are left out."""
    tags_found = []
    for tag in tags:
        if match := _DATED.fullmatch(tag):
            year, month, day, number = map(int, match.groups()[:4])
            try:
                date = datetime.date(year, month, day)
            except ValueError:  # eight digits that are not a date
                continue
            tags_found.append(DateTag(date=date, number=number, tag=tag, stand_in=match[5] or ""))
    return sorted(tags_found, reverse=True)


def date_tag(today: datetime.date, taken: Sequence[Sequence[str]]) -> str:
    """Return the immutable tag of a run: ``YYYYMMDD.vN`` with the smallest N that no image of the run has.

    On images of a stand-in base, ``-<name of that base>`` follows.

    Args:
        today: The day of the run (UTC).
        taken: The tags of each image.
    """
    numbers = {each.number for tags in taken for each in dated(tags) if each.date == today}
    number = 1
    while number in numbers:
        number += 1
    return f"{today:%Y%m%d}.v{number}"
