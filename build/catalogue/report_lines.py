"""The tests of a report as the site lists them.  Pure."""

from __future__ import annotations

from dataclasses import dataclass

from build.verify import reports
from build.verify.reports import Report


@dataclass(frozen=True, kw_only=True)
class _Line:
    """The runs of one test, in one line of the page."""

    title: str
    outcome: str
    reason: str
    says: str
    #: The parameters of its runs.
    of: tuple[str, ...]
    count: int


def report_lines(report: Report) -> list[tuple[str, list[_Line]]]:
    """The tests of a report by group, the runs of one test with different parameters together."""
    found = []
    for group, checks in reports.by_group(report.checks).items():
        runs: dict[tuple[str, str, str], list[reports.Check]] = {}
        for check in checks:
            runs.setdefault((check.test.partition(" (")[0], check.outcome, check.reason), []).append(check)
        lines = [
            _Line(
                title=reports.title(test),
                outcome=outcome,
                reason=reason,
                says=its[0].says,
                of=tuple(check.test.partition(" (")[2].removesuffix(")") for check in its if " (" in check.test),
                count=len(its),
            )
            for (test, outcome, reason), its in runs.items()
        ]
        found.append((group, lines))
    return found
