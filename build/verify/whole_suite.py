"""Run the whole suite on images, with the tests of each foundation in one of the images that have it.

If they fail there, they run in a second image. If they pass in the second one, the first one's own packages are at
fault, and only the first image has failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from build.system import console
from build.verify import foundation, results, verified
from build.verify.foundation import FoundationResult
from build.verify.results import FoundationTests, Outcome, VerifyResult
from build.verify.suite import Suite
from build.verify.target import Scope, Target

#: The name of the files of the second run.
_AGAIN = "verify-again"


@dataclass(frozen=True, kw_only=True)
class _Group:
    """Images with one foundation."""

    #: None where the image shares no results.
    digest: str | None
    #: The foundation's tests run in the first one, unless a result of another image counts.
    targets: tuple[Target, ...]
    #: A remembered result, which counts.
    remembered: FoundationResult | None

    @property
    def scopes(self) -> dict[str, Scope]:
        """Image name → which of its tests run."""
        first, *others = self.targets
        scopes: dict[str, Scope] = {target.name: "image" for target in others}
        return {first.name: "image" if self.remembered else "all", **scopes}


def run(suite: Suite, targets: Sequence[Target], *, force: bool) -> dict[str, VerifyResult]:
    """Run all tests of images, and remember what they found of the images' foundations.

    Args:
        suite: The tests.
        targets: The images.
        force: Remembered results do not count.

    Returns:
        Image name → its result.

    Raises:
        VerifyError: The tests could not run.
        EngineError: No engine answers.
    """
    groups = [
        _Group(
            digest=digest,
            targets=tuple(some),
            remembered=_remembered(suite, digest, some) if digest and not force else None,
        )
        for digest, some in foundation.by_foundation(targets)
    ]
    events = suite.run(targets, {name: scope for group in groups for name, scope in group.scopes.items()})
    seconds = [
        group.targets[1]
        for group in groups
        if len(group.targets) > 1
        and not group.remembered
        and results.of_foundation(events, group.targets[0].name, suite.descriptions).failures
    ]
    if seconds:
        names = ", ".join(target.name for target in seconds)
        console.info(f"tests of the base and the server layer failed; they run again in another image: {names}")
        events += suite.run(seconds, {target.name: "base" for target in seconds}, name=_AGAIN)
    own = results.collect(events, targets, suite.descriptions, partial=False)
    found = {
        target.name: results.of_foundation(events, target.name, suite.descriptions)
        for group in groups
        for target in group.targets
    }
    return {name: result for group in groups for name, result in _shared(suite, group, own, found).items()}


def _remembered(suite: Suite, digest: str, targets: Sequence[Target]) -> FoundationResult | None:
    """Return the remembered result of a foundation.

    It does not count for images in which the tests failed: their own packages may be at fault.
    """
    result = foundation.load(suite.paths, digest, suite.hash)
    return None if result is None or {target.image_id for target in targets} & set(result.failed) else result


def _shared(
    suite: Suite, group: _Group, own: Mapping[str, VerifyResult], found: Mapping[str, FoundationTests]
) -> dict[str, VerifyResult]:
    """Return the results of a group's images, each with the tests of the foundation, and remember these."""
    tested = [target for target in group.targets if found[target.name].ran]
    passed = next((target for target in tested if not found[target.name].failures), None)
    shared = group.remembered
    if passed and group.digest:
        known = foundation.load(suite.paths, group.digest, suite.hash)
        now = [target.image_id for target in tested if target is not passed]
        before = [each for each in known.failed if each != passed.image_id] if known else []
        shared = foundation.result_of(
            group.digest,
            passed,
            found[passed.name].checks,
            suite.hash,
            server_parts=own[passed.name].server_parts,
            failed=[*before, *now],
        )
        foundation.save(suite.paths, shared)
    elif tested and group.digest:
        foundation.forget(suite.paths, group.digest)
    for target in tested:
        if target is not passed:
            verified.forget_foundation(suite.paths, target.image_id)
    failures = found[tested[-1].name].failures if tested else ()
    return {
        target.name: own[target.name] if target in tested else _with(own[target.name], shared, failures)
        for target in group.targets
    }


def _with(result: VerifyResult, shared: FoundationResult | None, failures: Sequence[Outcome]) -> VerifyResult:
    """Add to an image's own result that of its foundation: what passed in another image, or else what failed there."""
    if shared:
        return results.with_foundation(result, shared)
    return replace(result, failures=(*result.failures, *failures))
