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
    #: The base that stands in; empty where none does.
    stand_in: str = ""


def dated(tags: Sequence[str]) -> list[DateTag]:
    """The immutable tags among ``tags``, the newest first; others are left out."""
    found = []
    for tag in tags:
        if match := _DATED.fullmatch(tag):
            year, month, day, number = map(int, match.groups()[:4])
            try:
                date = datetime.date(year, month, day)
            except ValueError:  # eight digits that are no day
                continue
            found.append(DateTag(date=date, number=number, tag=tag, stand_in=match[5] or ""))
    return sorted(found, reverse=True)


def date_tag(today: datetime.date, taken: Sequence[Sequence[str]]) -> str:
    """The immutable tag of a run: ``YYYYMMDD.vN`` with the smallest N that no image of the run has.

    On images of a stand-in base, ``-<its name>`` follows: they are not what the plain tag promises.

    Args:
        today: The day of the run.
        taken: The tags that the images have.
    """
    numbers = {each.number for tags in taken for each in dated(tags) if each.date == today}
    number = 1
    while number in numbers:
        number += 1
    return f"{today:%Y%m%d}.v{number}"
