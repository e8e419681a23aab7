"""The results of the image tests as JSON lines, written to a file while the tests run.

``build.verify.results`` reads them and describes each kind of line. The tests run in xdist's worker processes, which
attach to each report what is known of the test; the controlling process writes the lines.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest
from image_plan import Image, image_of

#: The packages that a test found in its image.
INVENTORY = pytest.StashKey[dict[str, Any]]()
#: What the server and the environment consist of, apart from the files that RECORD describes: part → digest.
SERVER_PARTS = pytest.StashKey[dict[str, str]]()
#: The times that were too long and measured again, each in one line.
MEASURED_AGAIN = pytest.StashKey[list[str]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach to a report what is known of its test, in the process that runs it."""
    report = yield
    report.__dict__["image_test"] = {
        **_describe(item),
        "inventory": item.stash.get(INVENTORY, None),
        "server_parts": item.stash.get(SERVER_PARTS, {}),
        "measured_again": item.stash.get(MEASURED_AGAIN, []),
    }
    return report


def _describe(item: pytest.Item) -> dict[str, Any]:
    """Return a test's image, its name without the image (``test_environment (LANG)``), and what it depends on."""
    parameters = getattr(item, "callspec", None)
    image: Image | None = parameters.params.get("image") if parameters else None
    test = item.name.partition("[")[0]
    others = parameters.id.replace(image.name, "").strip("-") if parameters and image else ""
    return {
        "image": image.name if image else None,
        "group": re.sub(r"^test_(image_)?", "", item.path.stem),
        "test": f"{test} ({others})" if others else test,
        "depends": depends(item),
    }


def depends(item: pytest.Item) -> str:
    """Return what a test's result depends on: ``base`` or ``image``."""
    marker = item.get_closest_marker("depends")
    return str(marker.args[0]) if marker else "image"


class ResultsWriter:
    """Writes the lines, in the controlling process.

    Args:
        path: The file; lines are appended.
        images: The names of the images under test.
    """

    def __init__(self, path: Path, images: Sequence[str]) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._images = images
        self._collected = False
        self._started: set[str] = set()
        #: Test id → its reports so far: set-up and call.
        self._reports: dict[str, list[pytest.TestReport]] = {}

    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Write how many tests each image has; every worker collects the same ones."""
        if not self._collected:
            self._collected = True
            counts = Counter(image_of(test, self._images) for test in ids)
            self._write("collected", tests={image: counts[image] for image in self._images})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Write that a file of tests cannot be imported."""
        if report.failed:
            self._write("error", where=report.nodeid, reason=_reason(report))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Write that the tests of an image start."""
        image = image_of(nodeid, self._images)
        if image and image not in self._started:
            self._started.add(image)
            self._write("started", image=image)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write a test's result once it is complete."""
        reports = self._reports.setdefault(report.nodeid, [])
        reports.append(report)
        if not hasattr(report, "image_test"):  # xdist's own report of a worker that died
            self._write("error", where=report.nodeid, reason=_reason(report))
        elif report.when == "teardown":
            del self._reports[report.nodeid]
            self._write_test(reports)

    def _write_test(self, reports: Sequence[pytest.TestReport]) -> None:
        last: dict[str, Any] = reports[-1].__dict__["image_test"]
        failed = [report for report in reports if report.failed]
        skipped = [report for report in reports if report.skipped]
        outcome = "failed" if failed else "skipped" if skipped else "passed"
        reason = _reason((failed or skipped)[0]) if failed or skipped else ""
        if last["image"] is None and failed:
            self._write("error", where=reports[-1].nodeid, reason=reason)
        elif last["image"] is not None:
            seconds = round(sum(report.duration for report in reports), 3)
            self._write("completed", **last, outcome=outcome, reason=reason, seconds=seconds)

    def _write(self, event: str, **content: Any) -> None:
        self._file.write(json.dumps({"event": event, **content}) + "\n")
        self._file.flush()

    def pytest_unconfigure(self) -> None:
        """Close the file."""
        self._file.close()


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return, in one line, why a test failed or was skipped."""
    if isinstance(report.longrepr, tuple):  # skipped: file, line, reason
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    message = str(crash.message if crash else report.longrepr or "")
    if isinstance(report, pytest.CollectReport):  # a traceback as text: its last line names the error
        errors = re.findall(r"^E +(.*)$", message, re.MULTILINE)
        message = errors[-1] if errors else message
    first = message.strip().partition("\n")[0]
    return re.sub(r"^(AssertionError|Failed): ", "", first) or "no reason given"
