"""What a person reads of the results of a verification: a table, the tests that were skipped, an error."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Sequence

from build.errors import VerifyError
from build.paths import Paths
from build.system import console
from build.verify.pytest_run import Files
from build.verify.results import Outcome, VerifyResult

#: Different failures in the error; the report has all of them.
_SHOWN_FAILURES = 15


def to_json(results: Sequence[VerifyResult]) -> str:
    """Return the results as a JSON list; durations in seconds, also where another image's tests count for this one."""
    images = [
        {
            "name": result.name,
            "image_id": result.image_id,
            "result": result.verdict,
            "passed": result.passed,
            "failures": [dataclasses.asdict(failure) for failure in result.failures],
            "skips": [dataclasses.asdict(skip) for skip in result.skips],
            "seconds": round(result.seconds, 3),
        }
        for result in results
    ]
    return json.dumps(images, indent=2)


def print_table(results: Sequence[VerifyResult]) -> None:
    """Print a table of the results."""
    # The columns that matter most come first: on a narrow terminal, those at the end are left out.
    console.table(
        ["image", "result", "passed>", "failed>", "skipped>", "time>"],
        [
            (
                result.name,
                result.verdict,
                str(result.passed),
                str(len(result.failures)),
                str(len(result.skips)),
                console.seconds(result.seconds),
            )
            for result in results
        ],
    )


def print_notes(results: Sequence[VerifyResult]) -> None:
    """Print a line for each test that ran elsewhere, was skipped, or was measured again."""
    for tests, image, names in _elsewhere(results):
        where = names[0] if len(names) == 1 else f"{len(names)} images"
        console.info(f"{tests} tests of the base and the server layer ran in {image} and count for {where}")
    skipped: dict[tuple[str, str], list[str]] = {}
    for result in results:
        for skip in result.skips:
            skipped.setdefault((skip.test, skip.reason), []).append(result.name)
    for (test, reason), names in skipped.items():
        where = names[0] if len(names) == 1 else f"{len(names)} images"
        console.info(f"skipped {test}: {reason} ({where})")
    for result in results:
        for check in result.checks:
            for time in check.measured_again if not check.ran_in else ():
                console.warn(f"{check.test} kept its time only at the second try ({result.name}): {time}")


def _elsewhere(results: Sequence[VerifyResult]) -> list[tuple[int, str, list[str]]]:
    """Return the tests that ran in another image: how many, in which, and the images for which they count."""
    images: dict[tuple[int, str], list[str]] = {}
    for result in results:
        for image, tests in Counter(check.ran_in for check in result.checks if check.ran_in).items():
            images.setdefault((tests, image), []).append(result.name)
    return [(tests, image, names) for (tests, image), names in images.items()]


def raise_for(results: Sequence[VerifyResult], paths: Paths) -> None:
    """Raise an error that says which images failed which tests, unless all passed.

    Args:
        results: The results.
        paths: The project, for the names of the files that tell more.

    Raises:
        VerifyError: An image failed.
    """
    failed = [result for result in results if not result.ok]
    if not failed:
        return
    # One cause often fails many tests, and the same test in many images: one entry for each cause.
    tests: dict[str, list[str]] = {}
    images: dict[str, list[str]] = {}
    for result in failed:
        for failure in result.failures or [Outcome(test="nothing was tested", reason="no test passed")]:
            tests.setdefault(failure.reason, []).append(failure.test)
            images.setdefault(failure.reason, []).append(result.name)
    lines = []
    for reason in list(tests)[:_SHOWN_FAILURES]:
        lines.append(f"{_some(tests[reason])}: {reason}")
        if len(results) > 1:
            lines.append(f"    in {', '.join(dict.fromkeys(images[reason]))}")
    if len(tests) > _SHOWN_FAILURES:
        lines.append(f"and {len(tests) - _SHOWN_FAILURES} more")
    files = Files(paths=paths)
    raise VerifyError(
        f"{len(failed)} of {len(results)} images failed their tests",
        where=f"{files.junit}, {files.log}",
        fix="fix the image (its Dockerfile, lock, base) or the test, then: nox -s build verify",
        details="\n".join(lines),
    )


def _some(tests: Sequence[str]) -> str:
    first, *others = dict.fromkeys(tests)
    return f"{first} and {len(others)} more" if others else first
