"""The two YAML loaders: with libyaml, and in Python where PyYAML was built without it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from build.errors import MatrixError
from build.matrix import yaml_file
from build.matrix.reader import load
from tests.unit.fixture_project import PATHS


def described(node: yaml.Node | None) -> object:
    """A node with everything below it: kinds, tags, values, lines and columns."""
    assert node is not None
    place = (type(node).__name__, node.tag, node.start_mark.line, node.start_mark.column)
    if isinstance(node, yaml.MappingNode):
        return place, [(described(key), described(value)) for key, value in node.value]
    if isinstance(node, yaml.SequenceNode):
        return place, [described(item) for item in node.value]
    return place, node.value


def test_both_loaders_read_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(yaml_file._LOADERS) == 2, "PyYAML on this machine has no libyaml: the fast loader is not tested"
    text = PATHS.matrix.read_text(encoding="utf-8")
    fast, _ = yaml_file.compose("matrix.yaml", text)
    monkeypatch.setattr(yaml_file, "_LOADERS", (yaml.SafeLoader,))
    slow, _ = yaml_file.compose("matrix.yaml", text)
    assert described(fast) == described(slow)


@pytest.mark.parametrize(
    "text",
    [
        "a: [1,\nb: }",
        "a:\n\tb: 1",
        "a: 1\n b: 2",
        "a: \x01",
        "a: *q",
        "a: 'x",
        '- a\nb: "\\q"',
        "a: @b",
        "--- a\n--- b",
    ],
)
def test_errors_are_the_same_with_both_loaders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    file = tmp_path / "matrix.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(MatrixError) as fast:
        load(file)
    monkeypatch.setattr(yaml_file, "_LOADERS", (yaml.SafeLoader,))
    with pytest.raises(MatrixError) as slow:
        load(file)
    for attribute in ("what", "where", "fix", "details"):
        assert getattr(fast.value, attribute) == getattr(slow.value, attribute)


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000 + "a"])
def test_nesting_that_is_too_deep_is_an_error_of_the_matrix(tmp_path: Path, text: str) -> None:
    file = tmp_path / "matrix.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(MatrixError, match="nested too deeply"):
        load(file)
