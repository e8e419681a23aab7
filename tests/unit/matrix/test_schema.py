"""The schema that editors read agrees with what the pipeline accepts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from build.matrix.schema import schema_text
from tests.conftest import ROOT
from tests.unit.fixture_project import PATHS


def check(tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Validate a matrix by check-jsonschema, which reads YAML 1.2 as editors do (dates are text)."""
    pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed (a dev dependency)")
    (tmp_path / "schema.json").write_text(schema_text(), encoding="utf-8")
    (tmp_path / "matrix.yaml").write_text(text, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--schemafile", "schema.json", "matrix.yaml"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )


@pytest.fixture
def matrix() -> str:
    return PATHS.matrix.read_text(encoding="utf-8")


def test_a_good_matrix_validates(tmp_path: Path, matrix: str) -> None:
    done = check(tmp_path, matrix)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    os: debian13\n", "    os: debian13\n    colour: blue\n", "'colour' was unexpected"),
        ("  exclude-newer:", "  exclude_newer:", "'exclude_newer' was unexpected"),
        ("  sklearn:\n", "  SKLearn:\n", "'SKLearn' does not match"),
        ('    python: "3.11"', "    python: 3.11", "3.11 is not of type 'string'"),
        ("  exclude-newer: 2026-11-19", "  exclude-newer: soon", "'soon' is not a 'date'"),
        ("  namespace: azureml\n", "", "'namespace' is a required property"),
        ("  device: [cpu]", "  device:", "None is not of type 'array'"),
    ],
    ids=["unknown key", "underscore", "key with capitals", "number", "date", "missing key", "nothing"],
)
def test_what_is_wrong_is_refused(tmp_path: Path, matrix: str, old: str, new: str, message: str) -> None:
    assert matrix.count(old) == 1
    done = check(tmp_path, matrix.replace(old, new))
    assert done.returncode == 1
    assert message in done.stdout + done.stderr


def test_it_is_a_valid_schema(tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed (comes with check-jsonschema)")
    schema = json.loads(schema_text())
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)


def test_the_text_is_stable_and_says_what_makes_it() -> None:
    program = "from build.matrix.schema import schema_text; import sys; sys.stdout.write(schema_text())"
    again = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert again.stdout == schema_text()
    assert schema_text().endswith("}\n")
    assert "nox -s generate" in json.loads(schema_text())["$comment"]


def test_keys_that_editors_complete_are_described() -> None:
    definitions = json.loads(schema_text())["$defs"]
    assert definitions["Project"]["properties"]["exclude-newer"]["format"] == "date"
    assert "null" not in schema_text(), "an editor would write 'image: null' for whoever completes the key"
    assert "description" in definitions["FrameworkVersion"]["properties"]["contract"]
