"""The files that GitHub reads after a step."""

from __future__ import annotations

from pathlib import Path

import pytest

from build.errors import PipelineError, UsageError
from build.github import files
from tests.workflows import read_outputs


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "outputs"))
    return tmp_path / "outputs"


@pytest.fixture
def summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    return tmp_path / "summary"


def test_outputs_of_any_text_are_kept_apart(outputs: Path) -> None:
    files.set_output("one", "1")
    files.set_output("two", "a\nshards=[]\nEOF\n::error::b")
    files.set_output("three", "")
    assert read_outputs(outputs) == {"one": "1", "two": "a\nshards=[]\nEOF\n::error::b", "three": ""}


def test_a_long_output_is_cut_with_a_line_that_says_so(outputs: Path) -> None:
    files.set_output("long", "0123456789\n" * 200_000)
    value = read_outputs(outputs)["long"]
    assert len(value.encode("utf-16-le")) <= 1_000_000
    assert value.splitlines()[-1].startswith("… cut here")
    assert len(value) > 400_000


def test_the_summary_of_a_step_is_one_and_is_cut_with_a_line_that_says_so(summary: Path) -> None:
    files.add_summary("# First\n")
    files.add_summary("é123456789\n" * 200_000)
    text = summary.read_text()
    assert text.startswith("# First\n")
    assert 900_000 < len(text.encode()) <= 1_000_000
    assert text.splitlines()[-1].startswith("… cut here")
    assert set(text.splitlines()[1:-2]) == {"é123456789"}, "a line was cut in two"


def test_a_text_that_fits_is_not_cut() -> None:
    assert files.cut("é" * 50, 100) == "é" * 50
    assert len(files.cut("é" * 500, 200).encode()) <= 200, "one line that is too long"


def test_outside_of_a_job_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_OUTPUT", raising=False)
    with pytest.raises(UsageError, match="not a job of GitHub Actions: GITHUB_OUTPUT is not set"):
        files.set_output("one", "1")


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    with pytest.raises(PipelineError, match="cannot be written") as failure:
        files.add_summary("text")
    assert failure.value.where == str(tmp_path)
