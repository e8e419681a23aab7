"""Editing a matrix: the values change, and every other byte stays."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest
import yaml

from build.matrix import edit
from build.matrix.edit import NotEditableError, edited
from build.matrix.positions import KeyPath
from tests.unit.fixture_project import PATHS

FILE = """\
# A comment.
project: {exclude-newer: 2026-11-19, uv: "0.13.9"}   # another
shared: &shared [one==1]
frameworks:
  a:
    contract:
      - one==1.0   # of the first
      - 'two==2.0'

      - "three[x]==3.0; python_version >= '3.9'"
  b: {contract: [one==1.0, "two==2.0" , three==3.0]}
  c: {contract: *shared}
  d:
    <<: {contract: [one==1]}
"""


def contract(framework: str, index: int) -> KeyPath:
    return ("frameworks", framework, "contract", index)


def changed_lines(before: str, after: str) -> list[str]:
    lines = difflib.ndiff(before.splitlines(keepends=True), after.splitlines(keepends=True))
    return [line for line in lines if line[0] in "+-"]


@pytest.mark.parametrize(
    ("keys", "new", "old_text", "new_text"),
    [
        (("project", "exclude-newer"), ["2026-11-20"], "2026-11-19", "2026-11-20"),
        (contract("a", 0), ["one==1.1"], "- one==1.0 ", "- one==1.1 "),
        (contract("a", 1), ["two==2.1"], "'two==2.0'", "'two==2.1'"),
        (contract("a", 2), ["three[x]==3.1"], "\"three[x]==3.0; python_version >= '3.9'\"", '"three[x]==3.1"'),
        (contract("b", 0), ["one==1.1"], "[one==1.0,", "[one==1.1,"),
        (contract("b", 0), ["one[a,b]==1.1"], "[one==1.0,", '["one[a,b]==1.1",'),
        (contract("b", 1), ["two==2.1", "two==2.0"], '"two==2.0" ,', '"two==2.1", "two==2.0" ,'),
        (
            contract("a", 1),
            ["two==2.1; python_version >= '3.12'", "two==2.0; python_version < '3.12'"],
            "      - 'two==2.0'\n",
            "      - 'two==2.1; python_version >= ''3.12'''\n      - 'two==2.0; python_version < ''3.12'''\n",
        ),
    ],
)
def test_only_the_text_of_the_value_changes(keys: KeyPath, new: list[str], old_text: str, new_text: str) -> None:
    assert FILE.count(old_text) == 1
    after = edited("matrix.yaml", FILE, {keys: new})
    assert after == FILE.replace(old_text, new_text)


def test_several_values_at_once_with_the_line_ends_of_the_file() -> None:
    text = FILE.replace("\n", "\r\n")
    after = edited("m", text, {contract("a", 0): ["one==1.1", "one==1.0"], contract("a", 1): ["two==3"]})
    assert after == text.replace("- one==1.0 ", "- one==1.1\r\n      - one==1.0 ").replace("two==2.0'", "two==3'", 1)


@pytest.mark.parametrize("keys", [contract("c", 0), ("shared", 0), contract("d", 0), contract("a", 7)])
def test_a_value_that_other_places_use_too_is_not_edited(keys: KeyPath) -> None:
    with pytest.raises(NotEditableError, match="has no text of its own in m: "):
        edited("m", FILE, {keys: ["one==2"]})


@pytest.mark.parametrize("text", ["- x", "&x", "'"])
def test_a_result_that_says_something_else_is_refused(text: str) -> None:
    with pytest.raises(NotEditableError, match="cannot be edited automatically"):
        edited("m", FILE, {contract("a", 0): [text]})


def test_the_matrix_of_a_project_keeps_every_other_byte() -> None:
    """Each exact pin and the date, edited one by one: nothing but that text differs."""
    text = Path(PATHS.matrix).read_text(encoding="utf-8")
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert root is not None
    edits = 0
    matrix = yaml.safe_load(text)
    places: list[tuple[KeyPath, str]] = [(("project", "exclude-newer"), "2026-11-19")]
    for name, framework in matrix["frameworks"].items():
        for key, version in framework["versions"].items():
            for part in ((), ("cpu",), ("gpu",)):
                pins = (version.get(part[0], {}) if part else version).get("contract", [])
                path = ("frameworks", name, "versions", key, *part, "contract")
                places += [((*path, index), pin) for index, pin in enumerate(pins)]
    for keys, old in places:
        assert edit.is_editable(root, keys)
        after = edited("matrix.yaml", text, {keys: [f"{old}9"]})
        assert len(after) == len(text) + 1
        removed, added = (line[2:] for line in changed_lines(text, after) if line[0] in "+-")
        assert added == removed.replace(old, f"{old}9", 1)
        edits += 1
    assert edits > 20


def test_an_item_below_its_dash_is_replaced_and_not_split() -> None:
    text = "a:\n  -\n    one==1\n"
    assert edited("m.yaml", text, {("a", 0): ["one==2"]}) == "a:\n  -\n    one==2\n"
    with pytest.raises(NotEditableError, match="not on the line of its dash") as failure:
        edited("m.yaml", text, {("a", 0): ["one==2", "one==3"]})
    assert failure.value.where == "m.yaml:3"
