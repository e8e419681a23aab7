"""The lifecycles of Debian and Ubuntu bases, compared with Debian's package ``distro-info-data``.  Pure.

Those dates are a maintainer's to decide: they end images. So a date that differs is reported, and not moved.
"""

from __future__ import annotations

import csv
import datetime
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from build.matrix.model import Matrix
from build.matrix.sources import Base

#: The systems that the package has, as ``os`` of a base names them: ``debian12``, ``ubuntu18.04``.
_SYSTEM = re.compile(r"(debian|ubuntu)(\d[\d.]*)")
#: Distribution → the phase in the matrix → the column with its end. Debian's team of LTS begins where ``eol`` is.
_COLUMNS = {"debian": {"full support": "eol", "LTS": "eol-lts"}, "ubuntu": {"full support": "eol"}}


@dataclass(frozen=True, kw_only=True)
class OtherDate:
    """An end of a base's support that differs from what ``distro-info-data`` says."""

    base: str
    #: As people read it: ``Debian 12``.
    title: str
    #: ``full support`` or ``LTS``.
    phase: str
    matrix: datetime.date
    distro_info: datetime.date

    def __str__(self) -> str:
        return (
            f"{self.title} ({self.base}), {self.phase} until: matrix {self.matrix}, distro-info-data {self.distro_info}"
        )


def differing(matrix: Matrix, files: Mapping[str, str]) -> tuple[OtherDate, ...]:
    """Return the dates of a matrix that differ; those that either side does not have are passed over.

    Args:
        matrix: The matrix.
        files: ``debian`` and ``ubuntu`` → the content of the file, CSV.
    """
    dates = {name: dict(_rows(text)) for name, text in files.items()}
    return tuple(
        OtherDate(base=name, title=base.title, phase=phase, matrix=until, distro_info=other)
        for name, base in matrix.bases.items()
        if (match := _SYSTEM.fullmatch(base.os))
        for phase, until in _ends(base)
        if (column := _COLUMNS[match[1]].get(phase))
        if (other := _date(dates.get(match[1], {}).get(match[2], {}).get(column))) not in (None, until)
        if other is not None
    )


def suite_of(matrix: Matrix) -> str | None:
    """Return the newest Debian suite that a base is made from: its archive has the newest dates. None without one."""
    suites = [
        ([int(part) for part in match[2].split(".")], base.bootstrap.suite)
        for base in matrix.bases.values()
        if base.bootstrap is not None and (match := _SYSTEM.fullmatch(base.os))
    ]
    return max(suites)[1] if suites else None


def _ends(base: Base) -> Iterator[tuple[str, datetime.date]]:
    life = base.lifecycle
    if life.full_support is not None:
        yield "full support", life.full_support.until
    if life.lts is not None:
        yield "LTS", life.lts.until


def _rows(text: str) -> Iterator[tuple[str, Mapping[str, str | None]]]:
    """Yield each version with its row: ``18.04``, which Ubuntu's file writes ``18.04 LTS``."""
    for row in csv.DictReader(text.strip().splitlines()):
        if row.get("version"):
            yield row["version"].split(" ")[0], row


def _date(text: str | None) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(text or "")
    except ValueError:
        return None
