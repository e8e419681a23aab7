"""Random edits of a matrix: each is read, or reported with its line, within five seconds and 300 MB."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.unit.matrix import mutations

#: Seeds of one process.
BLOCK = 50
#: A message must name the file and a line.
PLACE = re.compile(r"matrix\.yaml:\d+")


@pytest.mark.parametrize("first", range(0, 300, BLOCK))
def test_a_damaged_matrix_is_reported_with_its_line(first: int) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.unit.matrix.mutations"),
            *(str(ROOT / "tests/unit/project/matrix.yaml"), str(first), str(BLOCK)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=BLOCK * mutations.SECONDS,
    )
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == BLOCK
    assert {result["code"] for result in results} == {0, 2}, [each for each in results if each["code"] not in (0, 2)]
    assert not [each for each in results if each["code"] == 2 and not PLACE.search(each["text"])]
    assert not [each for each in results if each["seconds"] > mutations.SECONDS]
