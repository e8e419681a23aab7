"""The report of a verification: what is in it, and that only a report is read as one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from build.paths import Paths, repository
from build.verify import reports
from build.verify.reports import Check, Package, Report

REPORT = Report(
    image="minimal-debian12-py311-cpu-inference",
    recipe="r" * 64,
    image_id="sha256:" + "1" * 64,
    suite="s" * 64,
    time="2026-11-25T09:41:00+00:00",
    groups={"packages": "Versions."},
    checks=(
        Check(group="packages", test="test_python", outcome="passed"),
        Check(group="cuda", test="test_cudnn", outcome="skipped", reason="a CPU image"),
    ),
    python_packages=(Package(name="flask", version="3.1.3", licence="BSD-3-Clause"),),
)


def test_a_report_survives_writing_and_reading() -> None:
    assert reports.parse(REPORT.content) == REPORT
    assert REPORT.passed == 1
    assert [check.reason for check in REPORT.skipped] == ["a CPU image"]


def test_unknown_keys_of_a_report_are_ignored() -> None:
    later = json.loads(REPORT.content) | {"signed-by": "somebody"}
    assert reports.parse(json.dumps(later).encode()) == REPORT


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"image": 1}', b"\xff"])
def test_content_that_is_not_a_report_is_none(content: bytes) -> None:
    assert reports.parse(content) is None


def test_a_report_is_stored_by_image(tmp_path: Path) -> None:
    paths = Paths(root=tmp_path)
    assert reports.load(paths, REPORT.image_id) is None
    reports.save(paths, REPORT)
    assert reports.load(paths, REPORT.image_id) == REPORT
    assert reports.load(paths, "sha256:" + "2" * 64) is None


def test_docstrings_of_the_image_tests_are_read() -> None:
    groups, says = reports.describe(repository().root / "tests" / "images")
    assert groups["packages"] == "Versions: what the matrix promises, what the lock pins, what is installed."
    assert says["packages.test_promised_versions"].startswith("Each contract pin")
    assert all(groups.values()), "a file of tests has no docstring"


def test_the_name_of_a_test_for_people() -> None:
    assert reports.title("test_installed_set_is_the_lock") == "Installed set is the lock"
    assert reports.title("test_environment (LANG)") == "Environment (LANG)"
