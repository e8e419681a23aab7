"""Verify images: run the image tests on those that have not passed them yet, and remember those that pass."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from build.errors import UsageError
from build.paths import Paths, ToolPaths
from build.verify import reports, summary, verified, whole_suite
from build.verify.reports import Report
from build.verify.results import VerifyResult, collect
from build.verify.suite import Suite
from build.verify.target import Target, suite_of


def verify(
    targets: Sequence[Target],
    *,
    docker_host: str | None,
    tool: ToolPaths,
    paths: Paths,
    workers: int | None = None,
    keywords: str | None = None,
    force: bool = False,
    show: Callable[[Sequence[VerifyResult]], None] = summary.print_table,
) -> list[VerifyResult]:
    """Verify images, print the results, and remember those that passed (also when others failed).

    Args:
        targets: The images.
        docker_host: The engine (``DOCKER_HOST``), or None for the docker command's own choice.
        tool: Where the tests are.
        paths: The project.
        workers: How many tests run at a time; by default one for each CPU.
        keywords: Run only tests that match (pytest's ``-k``). Nothing is remembered then.
        force: Also test images that passed before.
        show: Prints the results on standard output; notes and failures are for people, on standard error.

    Returns:
        One result for each target, in their order.

    Raises:
        UsageError: No target, or ``keywords`` matches no test.
        VerifyError: An image failed, or the tests could not run.
        EngineError: No engine answers.
    """
    results = run(
        targets, docker_host=docker_host, tool=tool, paths=paths, workers=workers, keywords=keywords, force=force
    )
    show(results)
    summary.print_notes(results)
    summary.raise_for(results, paths)
    return results


def run(
    targets: Sequence[Target],
    *,
    docker_host: str | None,
    tool: ToolPaths,
    paths: Paths,
    workers: int | None = None,
    keywords: str | None = None,
    force: bool = False,
) -> list[VerifyResult]:
    """Verify images as `verify` does, but return failures as results, and print only the progress."""
    if not targets:
        raise UsageError("no image to verify", fix="build some first: nox -s build")
    known = {} if force or keywords else _remembered(targets, tool, paths)
    remaining = [target for target in targets if target.image_id not in known]
    suite = Suite(
        tool=tool,
        paths=paths,
        environment={**os.environ, **({"DOCKER_HOST": docker_host} if docker_host else {})},
        workers=workers or os.cpu_count() or 1,
        keywords=keywords,
    )
    new: dict[str, VerifyResult] = {}
    if remaining and keywords:
        new = collect(suite.run(remaining, {}), remaining, {}, partial=True)
    elif remaining:
        new = whole_suite.run(suite, remaining, force=force)
        for target in remaining:
            _remember(target, new[target.name], suite.groups, tool, paths)
    return [known.get(target.image_id) or new[target.name] for target in targets]


def is_verified(target: Target, tool: ToolPaths, paths: Paths) -> bool:
    """Tell whether exactly this image passed exactly these tests, so that it may be published."""
    return verified.is_verified(paths, target.image_id, suite_of(target, tool.image_tests, paths.scoring))


def _remembered(targets: Sequence[Target], tool: ToolPaths, paths: Paths) -> dict[str, VerifyResult]:
    """Return the results of images that passed before, by image ID."""
    known = {}
    for target in targets:
        record = verified.lookup(paths, target.image_id)
        same_tests = record and record.suite == suite_of(target, tool.image_tests, paths.scoring)
        if record and same_tests and reports.load(paths, target.image_id):
            known[target.image_id] = VerifyResult(
                name=target.name, image_id=target.image_id, passed=record.passed, remembered=True
            )
    return known


def _remember(target: Target, result: VerifyResult, groups: Mapping[str, str], tool: ToolPaths, paths: Paths) -> None:
    if not result.ok:
        verified.forget(paths, target.image_id)
        return
    suite = suite_of(target, tool.image_tests, paths.scoring)
    record = verified.record(paths, result, recipe=target.built.recipe.digest, suite=suite)
    reports.save(paths, _report(target, result, record, groups))


def _report(target: Target, result: VerifyResult, record: verified.Record, groups: Mapping[str, str]) -> Report:
    """Return the report of an image that passed."""
    with_checks = {check.group for check in result.checks}
    return Report(
        image=result.name,
        recipe=target.built.recipe.digest,
        image_id=target.image_id,
        suite=record.suite,
        time=record.time,
        groups={group: about for group, about in groups.items() if group in with_checks},
        checks=result.checks,
        python_packages=result.inventory.python,
        debian_packages=result.inventory.debian,
        layers=target.layers,
    )
