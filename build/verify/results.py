"""What the tests found of each image, from the events of their run. No effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from build.verify.events import Completed, Error, Event, Inventory
from build.verify.foundation import FoundationResult
from build.verify.reports import Check
from build.verify.target import Target


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A test that did not pass: its name and, in one line, why."""

    test: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class VerifyResult:
    """The result of one image."""

    name: str
    image_id: str
    passed: int
    failures: tuple[Outcome, ...] = ()
    skips: tuple[Outcome, ...] = ()
    #: The time its tests took, the start of its containers included.
    seconds: float = 0.0
    #: True where the tests did not run, since this image had passed them before.
    remembered: bool = False
    #: True where only some of the tests ran (``keywords``): passing them verifies nothing.
    partial: bool = False
    #: Each test that passed or was skipped, for the report.
    checks: tuple[Check, ...] = ()
    #: The digest of the image in which the tests of its foundation ran; empty where they ran in this one.
    foundation_from: str = ""
    #: The packages in it; empty unless a test looked for them.
    inventory: Inventory = field(default_factory=Inventory)
    #: What is the same in all images with its foundation: part → digest; empty unless a test looked for it.
    server_parts: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """True where no test failed and at least one passed."""
        return not self.failures and self.passed > 0

    @property
    def verdict(self) -> str:
        """One or two words for the table."""
        if not self.ok:
            return "FAILED"
        if self.partial:
            return "passed"
        return "already verified" if self.remembered else "verified"


@dataclass(frozen=True, kw_only=True)
class FoundationTests:
    """What the tests found of the base and the server layer of one image."""

    #: Those that passed or were skipped.
    checks: tuple[Check, ...]
    failures: tuple[Outcome, ...]

    @property
    def ran(self) -> bool:
        """False where they ran in another image."""
        return bool(self.checks or self.failures)


def collect(
    events: Sequence[Event], targets: Sequence[Target], descriptions: Mapping[str, str], *, partial: bool
) -> dict[str, VerifyResult]:
    """Put the events of a run together.

    Args:
        events: All of them.
        targets: The images that were tested.
        descriptions: ``group.test_name`` → the first line of the test's docstring.
        partial: Only some of the tests ran.

    Returns:
        Image name → its result; an image without any test too.
    """
    return {
        target.name: _result(
            target,
            [event for event in events if isinstance(event, Completed) and event.image == target.name],
            descriptions,
            partial=partial,
        )
        for target in targets
    }


def errors(events: Sequence[Event]) -> list[str]:
    """Return the failures that belong to no image, one line each."""
    return [f"{event.where}: {event.reason}" for event in events if isinstance(event, Error)]


def of_foundation(events: Sequence[Event], image: str, descriptions: Mapping[str, str]) -> FoundationTests:
    """Return what the tests found of an image's base and server layer.

    Args:
        events: All events of a run.
        image: The image in which they ran.
        descriptions: ``group.test_name`` → the first line of the test's docstring.
    """
    tests = [
        event for event in events if isinstance(event, Completed) and event.image == image and event.depends == "base"
    ]
    return FoundationTests(checks=_checks(tests, descriptions), failures=_failures(tests))


def with_foundation(result: VerifyResult, shared: FoundationResult) -> VerifyResult:
    """Add the tests of an image's foundation that ran before, in this image or in another one, to its result.

    They count only where both images have the same server and settings: what differs is a failure.
    """
    if differ := shared.differing_parts(result.server_parts):
        reason = f"other than in {shared.image}, where the tests of the base and the server ran: {', '.join(differ)}"
        return replace(result, failures=(*result.failures, Outcome(test="same server and settings", reason=reason)))
    if shared.image_id == result.image_id:
        return replace(result, checks=(*result.checks, *shared.checks))
    elsewhere = tuple(check.model_copy(update={"ran_in": shared.image}) for check in shared.checks)
    return replace(result, checks=(*result.checks, *elsewhere), foundation_from=shared.image_id)


def _checks(tests: Sequence[Completed], descriptions: Mapping[str, str]) -> tuple[Check, ...]:
    return tuple(
        Check(
            group=test.group,
            test=test.test,
            outcome=test.outcome,
            reason=test.reason,
            says=descriptions.get(f"{test.group}.{test.test.partition(' ')[0]}", ""),
            measured_again=test.measured_again,
        )
        for test in tests
        if test.outcome != "failed"
    )


def _failures(tests: Sequence[Completed]) -> tuple[Outcome, ...]:
    return tuple(Outcome(test=test.test, reason=test.reason) for test in tests if test.outcome == "failed")


def _result(
    target: Target, tests: Sequence[Completed], descriptions: Mapping[str, str], *, partial: bool
) -> VerifyResult:
    return VerifyResult(
        name=target.name,
        image_id=target.image_id,
        passed=sum(test.outcome == "passed" for test in tests),
        failures=_failures(tests),
        skips=tuple(Outcome(test=test.test, reason=test.reason) for test in tests if test.outcome == "skipped"),
        seconds=sum(test.seconds for test in tests),
        partial=partial,
        checks=_checks(tests, descriptions),
        inventory=next((test.inventory for test in reversed(tests) if test.inventory), Inventory()),
        server_parts=next((test.server_parts for test in reversed(tests) if test.server_parts), {}),
    )
