"""The models of the parts of ``matrix.yaml`` about time: lifecycles, and how far pins move."""

from __future__ import annotations

import datetime
from typing import Literal

from pydantic import Field, model_validator

from build.matrix.strict import Strict
from build.matrix.values import Date, Reason

#: How far the pins of a contract may move.
UpdateRule = Literal["minor", "newest", "held"]


class Support(Strict):
    """A phase of a lifecycle: its end, and where that is published."""

    until: Date = Field(description="The day (UTC) from which the phase is over.")
    source: Reason = Field(description="Where upstream publishes the date: an address, or a sentence.")


class Lifecycle(Strict):
    """The phases of upstream's support: full support, then long-term support (LTS), then none.

    All keys are optional; `lts` needs a `full-support`. From the end of the last phase on, its images are built only
    if you select them; the default group leaves them out.
    """

    released: Date | None = Field(default=None, description="The day of the first release.")
    deprecated: Date | None = Field(default=None, description="The day from which it is not recommended any more.")
    full_support: Support | None = Field(default=None, description="Upstream fixes bugs and security holes.")
    lts: Support | None = Field(
        default=None, description="After the full support: upstream, or its LTS team, fixes security holes only."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Lifecycle:
        if self.lts and not self.full_support:
            raise ValueError("'lts' follows 'full-support': give both, or 'full-support' alone")
        for middle in (self.full_support and self.full_support.until, self.deprecated):
            dates = [date for date in (self.released, middle, self.end_of_life) if date]
            if dates != sorted(dates):
                raise ValueError("the dates must be in order: released, full-support or deprecated, the end")
        return self

    @property
    def last(self) -> Support | None:
        """The last phase; None if no end is known."""
        return self.lts or self.full_support

    @property
    def end_of_life(self) -> datetime.date | None:
        """The day (UTC) from which upstream fixes nothing any more."""
        return self.last.until if self.last else None


class Update(Strict):
    """How far `nox -s update` moves the exact pins (`==`) of a contract. Guards and CUDA packages are never moved."""

    rule: UpdateRule = Field(
        description="`minor`: to the newest release of the pinned minor version. `newest`: to the newest release that "
        "the version's key names (any with `n/a`, 2.x with `2`). `held`: the pins stay."
    )
    reason: Reason | None = Field(default=None, description="Why; required unless the rule is `minor`.")

    @model_validator(mode="after")
    def _with_reason(self) -> Update:
        if self.rule != "minor" and self.reason is None:
            raise ValueError(f"the rule '{self.rule}' needs a 'reason'")
        return self


class UpdateDefaults(Update):
    """What `nox -s update` does where no server, framework or version says otherwise."""

    rule: UpdateRule = Field(default="minor", description="The rule for all pins; see [update](#update).")
    cool_down: int = Field(
        default=7,
        ge=0,
        description="Days that a release must have been in the index before it is taken: `exclude-newer` moves to "
        "this many days before today. A release that turns out to be broken is usually yanked sooner.",
    )
    overlap: int = Field(
        default=180,
        ge=0,
        description="Days that a framework version is kept after `nox -s update -- --new-versions` added a newer one: "
        "the end of its `lifecycle`, unless it has one already, or an image without a successor.",
    )
