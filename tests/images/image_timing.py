"""Promised times. A busy machine delays everything, so a time that is too long is measured again in a fresh container.

Only times are measured again: what else is wrong fails a test at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Timing:
    """The fixture `timing`: checks the times that a test promises."""

    #: Called with the reason when a time is measured again.
    report: Callable[[str], None]

    def check(self, measure: Callable[[T], str], server: T, fresh: Callable[[], T]) -> None:
        """Assert that a promised time is kept, at the first or the second try.

        Args:
            measure: Says what took too long, compared with the same server idle where that is possible; returns an
                empty text if nothing did. For every other problem it raises.
            server: The server of the first try.
            fresh: Starts another one for the second try.
        """
        problem = measure(server)
        if problem:
            self.report(problem)
            problem = measure(fresh())
        assert not problem, f"twice: {problem}"
