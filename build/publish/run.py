"""One publish: the registry, and what decides about the release.  Reads the registry."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from build.publish import records, targets
from build.publish.origin import Origin
from build.publish.plan import Plan
from build.publish.records import Family
from build.publish.targets import Rules, Target
from build.registry.client import Client


@dataclass(frozen=True, kw_only=True)
class PublishRun:
    """One publish."""

    remote: Client
    origin: Origin
    today: datetime.date | None
    rules: Rules

    def family(self, repository: str) -> Family:
        """Read the last release of the images whose records a repository has."""
        return records.read(self.remote, repository, without=self.rules.without_records)

    def check_age(self, family: Family, plans: Sequence[Plan]) -> None:
        """Raise where the images are older than the published ones, unless a person allows it."""
        if not self.rules.allow_older:
            targets.check_age(family, plans, self.origin, str(self.remote.registry))

    def target(self, family: Family, plans: Sequence[Plan]) -> Target:
        """Return the release that comes next, with its tags."""
        return targets.target(family, plans, self.origin, self.today or self.remote.now().date(), self.rules)
