"""The tests of a report as the site lists them.  Pure."""

from __future__ import annotations

from dataclasses import dataclass

from build.verify import reports
from build.verify.reports import Report


@dataclass(frozen=True, kw_only=True)
class _Line:
    """The runs of one test, on one line of the page."""

    title: str
    outcome: str
    reason: str
    says: str
    #: The parameters of its runs.
    of: tuple[str, ...]
    count: int
    #: The image in which it ran; empty where it ran in this one.
    ran_in: str


def report_lines(report: Report) -> list[tuple[str, list[_Line]]]:
    """Group the tests of a report; runs of one test with different parameters share a line."""
    groups = []
    for group, checks in reports.by_group(report.checks).items():
        runs: dict[tuple[str, str, str, str], list[reports.Check]] = {}
        for check in checks:
            key = (check.test.partition(" (")[0], check.outcome, check.reason, check.ran_in)
            runs.setdefault(key, []).append(check)
        lines = [
            _Line(
                title=reports.title(test),
                outcome=outcome,
                reason=reason,
                says=same[0].says,
                of=tuple(check.test.partition(" (")[2].removesuffix(")") for check in same if " (" in check.test),
                count=len(same),
                ran_in=ran_in,
            )
            for (test, outcome, reason, ran_in), same in runs.items()
        ]
        groups.append((group, lines))
    return groups
