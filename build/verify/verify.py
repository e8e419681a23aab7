"""Verify: run the image tests (``tests/images``) on running containers of built images.

pytest runs in a process of its own, one container an image, images side by side (pytest-xdist).  Its JUnit
XML is both the report for others and what this module reads.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from build.errors import EngineError, UsageError, VerifyError
from build.packages import wheel_sources
from build.paths import Paths
from build.system import console, state
from build.variants.variant import Variant
from build.verify import reports, verified
from build.verify.reports import Check, Package, PackageLayer, Report

#: Labels of every container that is started here: this run's, and this clone's (for what a killed run left).
RUN_LABEL = "inference-images.verify"
CLONE_LABEL = "inference-images.clone"

#: pytest's exit codes: https://docs.pytest.org/en/stable/reference/exit-codes.html
_PASSED, _FAILED, _NOTHING_SELECTED = 0, 1, 5
#: Different failures shown; the report has all.
_SHOWN_FAILURES = 15
#: Seconds for pytest to end after it was told to.
_GRACE = 10


@dataclass(frozen=True, kw_only=True)
class Target:
    """A built image and what is expected of it."""

    variant: Variant
    #: The local reference: ``azureml/sklearn-1.9-…:latest``.
    reference: str
    #: The digest by which the engine knows it.
    image_id: str
    #: Distribution (normalised name) → version, from the image's lock.
    lock: Mapping[str, str]
    recipe: str
    #: Labels and their values that the image must have.
    labels: Mapping[str, str] = field(default_factory=dict)
    #: Distributions of the lock that are built from source.
    from_source: tuple[str, ...] = ()
    #: Its package layers as the Dockerfile names them, for the report; nothing is asked of them.
    layers: tuple[PackageLayer, ...] = ()

    @property
    def expectations(self) -> dict[str, Any]:
        """What the tests are told: the image's entry of the plan."""
        variant = self.variant
        return {
            "name": variant.name,
            "reference": self.reference,
            "image_id": self.image_id,
            "recipe": self.recipe,
            "framework": variant.framework,
            "version": variant.version,
            "device": variant.device,
            "cuda": variant.cuda.version if variant.cuda else None,
            "cudnn": variant.cuda.cudnn if variant.cuda else None,
            "os": variant.built_on.os,
            "cuda_absent": variant.cuda_absent,
            "python": variant.base.python,
            "contract": list(variant.contract),
            "lock": dict(self.lock),
            "from_default_index": list(wheel_sources.replaced(variant, self.lock)),
            "from_source": list(self.from_source),
            "labels": dict(self.labels),
        }


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A test that did not pass: its name and, in one line, why."""

    test: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class VerifyResult:
    """What the tests said of one image."""

    name: str
    image_id: str
    passed: int
    failures: tuple[Outcome, ...] = ()
    skips: tuple[Outcome, ...] = ()
    #: The time its tests took, starting the container included.
    seconds: float = 0.0
    #: True where it was not asked again: this image had passed these tests before.
    remembered: bool = False
    #: True where only some of the tests ran (``keywords``): passing them verifies nothing.
    partial: bool = False
    #: Each test that passed or was skipped, for the report.
    checks: tuple[Check, ...] = ()
    #: What a test found in it: packages by kind; empty where none looked.
    inventory: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """It passed: nothing failed, and there was something to pass."""
        return not self.failures and self.passed > 0

    @property
    def verdict(self) -> str:
        """One or two words for the table."""
        if not self.ok:
            return "FAILED"
        if self.partial:
            return "passed"
        return "already verified" if self.remembered else "verified"


def verify(
    targets: Sequence[Target],
    *,
    docker_host: str | None,
    paths: Paths,
    workers: int | None = None,
    keywords: str | None = None,
    force: bool = False,
) -> list[VerifyResult]:
    """Verify images, print the table, remember those that passed (also when others failed).

    Args:
        targets: The images.
        docker_host: The engine (``DOCKER_HOST``), or None for the docker command's own choice.
        paths: The checkout.
        workers: How many images side by side; by default one for each CPU.
        keywords: Only tests that match (pytest's ``-k``). Nothing is remembered then.
        force: Ask again, also of images that passed before.

    Returns:
        One result for each target, in their order.

    Raises:
        UsageError: No target, or ``keywords`` matches no test.
        VerifyError: An image failed, or the tests could not run.
        EngineError: No engine answers.
    """
    results = run(targets, docker_host=docker_host, paths=paths, workers=workers, keywords=keywords, force=force)
    report(results)
    raise_for(results, paths)
    return results


def run(
    targets: Sequence[Target],
    *,
    docker_host: str | None,
    paths: Paths,
    workers: int | None = None,
    keywords: str | None = None,
    force: bool = False,
) -> list[VerifyResult]:
    """As `verify`, but failed images are results too, and nothing is printed but the tests' own output."""
    if not targets:
        raise UsageError("no image to verify", fix="build some first: nox -s build")
    known = {} if force or keywords else _remembered(targets, paths)
    asked = [target for target in targets if target.image_id not in known]
    found: dict[str, VerifyResult] = {}
    if asked:
        count = min(len(asked), workers or os.cpu_count() or 1)
        environment = {**os.environ, **({"DOCKER_HOST": docker_host} if docker_host else {})}
        found = _run_tests(asked, paths, environment, count, keywords)
        if keywords:
            found = {name: replace(result, partial=True) for name, result in found.items()}
        else:
            _remember(asked, found, paths)
    return [known.get(target.image_id) or found[target.variant.name] for target in targets]


def report(results: Sequence[VerifyResult]) -> None:
    """Print the table of results, then why tests were skipped."""
    console.table(
        ["image", "passed>", "failed>", "skipped>", "time>", "result"],
        [
            (
                result.name,
                str(result.passed),
                str(len(result.failures)),
                str(len(result.skips)),
                console.seconds(result.seconds),
                result.verdict,
            )
            for result in results
        ],
    )
    skipped: dict[tuple[str, str], list[str]] = {}
    for result in results:
        for skip in result.skips:
            skipped.setdefault((skip.test, skip.reason), []).append(result.name)
    for (test, reason), names in skipped.items():
        console.info(f"skipped {test}: {reason} ({', '.join(names)})")


def raise_for(results: Sequence[VerifyResult], paths: Paths) -> None:
    """Raise where an image failed.

    Raises:
        VerifyError: It says which images failed which tests, shortly.
    """
    failed = [result for result in results if not result.ok]
    if not failed:
        return
    # One cause often fails many tests, and the same test in many images: one entry a cause.
    tests: dict[str, list[str]] = {}
    images: dict[str, list[str]] = {}
    for result in failed:
        for failure in result.failures or [Outcome(test="nothing asked", reason="no test passed")]:
            tests.setdefault(failure.reason, []).append(failure.test)
            images.setdefault(failure.reason, []).append(result.name)
    lines = []
    for reason in list(tests)[:_SHOWN_FAILURES]:
        lines.append(f"{_some(tests[reason])}: {reason}")
        if len(results) > 1:
            lines.append(f"    in {', '.join(dict.fromkeys(images[reason]))}")
    if len(tests) > _SHOWN_FAILURES:
        lines.append(f"and {len(tests) - _SHOWN_FAILURES} more")
    raise VerifyError(
        f"not every image keeps the contract: {len(failed)} of {len(results)} failed",
        where=f"{_junit(paths)}, {_log(paths)}",
        fix="mend the image (its Dockerfile, lock, base) or the test, then: nox -s build verify",
        details="\n".join(lines),
    )


def _some(tests: Sequence[str]) -> str:
    first, *others = dict.fromkeys(tests)
    return f"{first} and {len(others)} more" if others else first


def suite_of(target: Target, paths: Paths) -> str:
    """The hash of all that is asked of an image: the tests, and what they are told to expect."""
    expectations = {key: value for key, value in target.expectations.items() if key != "reference"}
    told = json.dumps(expectations, sort_keys=True)
    return hashlib.sha256(f"{verified.suite_hash(paths)}\n{told}".encode()).hexdigest()


def is_verified(target: Target, paths: Paths) -> bool:
    """Whether this very image passed these very tests: what may be published."""
    return verified.is_verified(paths, target.image_id, suite_of(target, paths))


def _remembered(targets: Sequence[Target], paths: Paths) -> dict[str, VerifyResult]:
    known = {}
    for target in targets:
        record = verified.lookup(paths, target.image_id)
        if record and record.suite == suite_of(target, paths) and reports.load(paths, target.image_id):
            known[target.image_id] = VerifyResult(
                name=target.variant.name, image_id=target.image_id, passed=record.passed, remembered=True
            )
    return known


def _remember(targets: Sequence[Target], found: Mapping[str, VerifyResult], paths: Paths) -> None:
    groups, _ = reports.describe(paths.root / "tests" / "images")
    for target in targets:
        result = found[target.variant.name]
        if not result.ok:
            verified.forget(paths, target.image_id)
            continue
        record = verified.record(
            paths,
            target.image_id,
            name=result.name,
            recipe=target.recipe,
            suite=suite_of(target, paths),
            passed=result.passed,
            skipped=len(result.skips),
        )
        reports.save(paths, _report(target, result, record, groups))


def _report(target: Target, result: VerifyResult, record: verified.Record, groups: Mapping[str, str]) -> Report:
    """All that is known of an image that passed."""
    asked = {check.group for check in result.checks}
    return Report(
        image=result.name,
        recipe=target.recipe,
        image_id=target.image_id,
        suite=record.suite,
        time=record.time,
        groups={group: says for group, says in groups.items() if group in asked},
        checks=result.checks,
        python_packages=tuple(Package(**entry) for entry in result.inventory.get("python", ())),
        debian_packages=tuple(Package(**entry) for entry in result.inventory.get("debian", ())),
        layers=target.layers,
    )


def _run_tests(
    targets: Sequence[Target],
    paths: Paths,
    environment: Mapping[str, str],
    workers: int,
    keywords: str | None,
) -> dict[str, VerifyResult]:
    """Run pytest on the targets; whatever happens, no container of it stays."""
    labels = {RUN_LABEL: uuid.uuid4().hex[:12], CLONE_LABEL: str(paths.root)}
    _remove_containers(CLONE_LABEL, labels[CLONE_LABEL], environment)  # of a run that was killed
    plan = paths.state / "verify" / "plan.json"
    state.write_json(plan, {"container_labels": labels, "images": [target.expectations for target in targets]})
    junit = _junit(paths)
    junit.parent.mkdir(parents=True, exist_ok=True)
    junit.unlink(missing_ok=True)
    command = [
        *(sys.executable, "-m", "pytest", "tests/images", "--plan", str(plan)),
        *("--numprocesses", str(workers), "--dist", "loadscope", f"--junitxml={junit}"),
        *("-q", "-rN", "--no-header", "--tb=short", "--color=no", "-p", "no:cacheprovider"),
        *(("-k", keywords) if keywords else ()),
    ]
    console.info(f"{workers} of {len(targets)} at a time")
    interrupted = True
    try:
        code = _stream(command, paths, environment)
        interrupted = False
    finally:
        _remove_containers(RUN_LABEL, labels[RUN_LABEL], environment, settle=interrupted)
    if code == _NOTHING_SELECTED and keywords:
        raise UsageError(f"no test matches '{keywords}'", fix="see `pytest --help`, -k: words of the tests' names")
    try:
        results, stray = _read_junit(junit, targets, reports.describe(paths.root / "tests" / "images")[1])
    except (FileNotFoundError, ElementTree.ParseError):
        results, stray = {}, []
    failed = any(result.failures for result in results.values())
    if code not in (_PASSED, _FAILED) or stray or not results or (code == _FAILED) != failed:
        raise VerifyError(
            "the image tests could not run",
            where=str(_log(paths)),
            fix="the log's end says why",
            details="\n".join([*stray, *_tail(_log(paths), 20)]),
        )
    return results


def _stream(command: Sequence[str], paths: Paths, environment: Mapping[str, str]) -> int:
    """Run pytest: all it says goes to the log, its progress to the terminal too, as it comes.

    It has a session of its own, so that Ctrl-C reaches this process alone, which then ends all of it.
    """
    log = _log(paths)
    log.parent.mkdir(parents=True, exist_ok=True)
    progress = _Progress()
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    with (
        log.open("wb") as file,
        subprocess.Popen(
            command,
            cwd=paths.root,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            while chunk := os.read(process.stdout.fileno(), 65536):
                file.write(chunk)
                progress.write(decoder.decode(chunk))
            return process.wait()
        except BaseException:
            _end(process)
            raise


class _Progress:
    """Shows pytest's progress, and not the sections after it (they begin with a line of ``=``)."""

    def __init__(self) -> None:
        self._shown = True
        self._at_line_start = True

    def write(self, text: str) -> None:
        for line in text.splitlines(keepends=True):
            self._shown = self._shown and not (self._at_line_start and line.startswith("="))
            self._at_line_start = line.endswith("\n")
            if self._shown:
                console.err.file.write(line)
        console.err.file.flush()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End pytest and its workers."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            pass
        return


def _remove_containers(label: str, value: str, environment: Mapping[str, str], *, settle: bool = False) -> None:
    """Remove the containers that have a label.

    Args:
        label: The label's key.
        value: Its value.
        environment: With the engine.
        settle: Look once more a second after the last: the engine may still be making one for a killed command.

    Raises:
        EngineError: There is no docker command, or no engine answers it.
    """
    for attempt in range(12):
        found = _docker(["ps", "--all", "--quiet", "--filter", f"label={label}={value}"], environment).split()
        if not found:
            if not settle:
                return
            settle = False
            time.sleep(1)
            continue
        try:
            _docker(["rm", "--force", "--volumes", *found], environment)
        except EngineError as failure:
            # A test that was ending removes its own: then wait until it is gone.
            going = any(words in (failure.details or "") for words in ("already in progress", "No such container"))
            if not going or attempt == 11:
                raise
            time.sleep(0.3)


def _docker(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    fix = "start an engine: nox -s engine"
    try:
        done = subprocess.run(
            ["docker", *arguments], env=dict(environment), capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise EngineError("there is no docker command on PATH", fix=fix) from None
    if done.returncode:
        where = environment.get("DOCKER_HOST", "the docker command's own engine")
        raise EngineError(f"docker {arguments[0]} failed", where=where, fix=fix, details=done.stderr)
    return done.stdout


def _read_junit(
    junit: Path, targets: Sequence[Target], says: Mapping[str, str]
) -> tuple[dict[str, VerifyResult], list[str]]:
    """Read a JUnit report.

    Args:
        junit: The file.
        targets: What was asked.
        says: ``group.test_name`` → what the test says of itself.

    Returns:
        Results by image name, and failures that belong to no image (a test file that cannot be imported).
    """
    ids = {target.variant.name: target.image_id for target in targets}
    passed = dict.fromkeys(ids, 0)
    seconds = dict.fromkeys(ids, 0.0)
    failures: dict[str, list[Outcome]] = {name: [] for name in ids}
    skips: dict[str, list[Outcome]] = {name: [] for name in ids}
    checks: dict[str, list[Check]] = {name: [] for name in ids}
    inventories: dict[str, Any] = {name: {} for name in ids}
    stray = []
    for case in ElementTree.parse(junit).iter("testcase"):
        title = case.get("name", "")
        image = _image_of(title, ids)
        bad = [child for child in case if child.tag in ("failure", "error")]
        skip = case.find("skipped")
        if image is None:
            stray += [f"{title}: {_first_line(child.get('message', ''))}" for child in bad]
            continue
        test = _test_of(title, image)
        seconds[image] += float(case.get("time", "0"))
        failures[image] += [Outcome(test=test, reason=_first_line(child.get("message", ""))) for child in bad]
        if skip is not None:
            skips[image].append(Outcome(test=test, reason=skip.get("message", "")))
        elif not bad:
            passed[image] += 1
        if not bad:
            group = reports.group_of(case.get("classname", ""))
            checks[image].append(
                Check(
                    group=group,
                    test=test,
                    outcome="passed" if skip is None else "skipped",
                    reason="" if skip is None else skip.get("message", ""),
                    says=says.get(f"{group}.{title.partition('[')[0]}", ""),
                )
            )
        for found in case.iterfind("properties/property[@name='inventory']"):
            inventories[image] = json.loads(found.get("value", "{}"))
    return {
        name: VerifyResult(
            name=name,
            image_id=image_id,
            passed=passed[name],
            failures=tuple(failures[name]),
            skips=tuple(skips[name]),
            seconds=seconds[name],
            checks=tuple(checks[name]),
            inventory=inventories[name],
        )
        for name, image_id in ids.items()
    }, stray


def _image_of(title: str, names: Mapping[str, str]) -> str | None:
    """The image of a test case: ``test_environment[LANG-sklearn-1.9-…]@sklearn-1.9-…``."""
    _, _, parameters = title.partition("[")
    inside = [name for name in names if name in parameters]
    return max(inside, key=len, default=None)


def _test_of(title: str, image: str) -> str:
    """A test's name without its image: ``test_environment (LANG)``."""
    test, _, parameters = title.partition("[")
    rest = parameters.rpartition("]")[0].replace(image, "").strip("-")
    return f"{test} ({rest})" if rest else test


def _first_line(message: str) -> str:
    """The sentence of an assertion or of a failed fixture, without pytest's wrapping."""
    line = re.sub(r'^failed on (setup|teardown) with "', "", message).partition("\n")[0]
    return re.sub(r"^(AssertionError|Failed): ", "", line).rstrip('"') or "no reason given"


def _tail(path: Path, count: int) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()[-count:]


def _junit(paths: Paths) -> Path:
    return paths.reports / "verify.xml"


def _log(paths: Paths) -> Path:
    return paths.logs / "verify.log"
