"""Editing ``matrix.yaml``: values change in place, and every other byte of the file stays.  Pure.

Comments, order, quotes and spaces are a maintainer's, so the file is not written from data: the text of a value is
replaced at its position.  The result is read again and compared with what it should be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from build.errors import MatrixError
from build.matrix.positions import KeyPath, dotted, entries, find

#: Characters and sequences that an unquoted text must not contain: in lists and mappings in brackets, and elsewhere.
_ENDS_IN_BRACKETS = (",", "[", "]", "{", "}")
_ENDS = (": ", " #")


class NotEditableError(MatrixError):
    """A value has no text of its own in the file: it comes from an alias or a merge key."""


def edited(file: str, text: str, values: Mapping[KeyPath, Sequence[str]]) -> str:
    """Return a YAML file with some values replaced.

    Args:
        file: The file's name, for messages.
        text: Its content.
        values: Keys from the top → the new value. An item of a list may get several, which follow each other.

    Raises:
        NotEditableError: A value comes from an alias or a merge key, or has no single line of its own.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode), "the matrix was read before"
    replaced = []
    for keys, new in values.items():
        node, in_brackets, parent = _value(file, root, keys)
        start, end = node.start_mark.index, node.end_mark.index
        texts = [_scalar(value, node.style, in_brackets=in_brackets) for value in new]
        replaced.append((start, end, texts[0] if len(texts) == 1 else _separator(file, text, node, parent).join(texts)))
    result = text
    for start, end, new_text in sorted(replaced, reverse=True):
        result = result[:start] + new_text + result[end:]
    _check(file, text, result, values)
    return result


def is_editable(root: yaml.Node, keys: KeyPath) -> bool:
    """Tell whether a value has a text of its own, which no other place of the file uses.

    Args:
        root: The file's root node.
        keys: The value's keys from the top.
    """
    _, node, depth = find(root, keys)
    return depth == len(keys) and isinstance(node, yaml.ScalarNode) and uses(root, keys) == 1


def uses(root: yaml.Node, keys: KeyPath) -> int:
    """Return how often the file uses the values on the way to one: more than once means an alias or a merge key.

    Args:
        root: The root node of the file, which has the value.
        keys: The keys of the value from the top.
    """
    most, node = 1, root
    counts: dict[int, int] = {}
    waiting = [root]
    while waiting:
        current = waiting.pop()
        counts[id(current)] = counts.get(id(current), 0) + 1
        if counts[id(current)] == 1 and isinstance(current, yaml.MappingNode):
            waiting += [value for _, value in current.value]
        elif counts[id(current)] == 1 and isinstance(current, yaml.SequenceNode):
            waiting += current.value
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            node = entries(node)[str(key)][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int):
            node = node.value[key]
        most = max(most, counts[id(node)])
    return most


def _value(file: str, root: yaml.MappingNode, keys: KeyPath) -> tuple[yaml.ScalarNode, bool, yaml.Node]:
    """Return the node of a value, whether it is in brackets, and the node that contains it."""
    mark, node, depth = find(root, keys)
    if depth < len(keys) or not is_editable(root, keys) or node.start_mark.line != node.end_mark.line:
        raise NotEditableError(
            f"{dotted(keys)} has no text of its own in {file}: it comes from an alias, or has several lines",
            where=f"{file}:{mark.start_mark.line + 1}",
            fix="edit it by hand, or write it out where it is used",
        )
    assert isinstance(node, yaml.ScalarNode)
    parents = [find(root, keys[:length])[1] for length in range(len(keys))]
    in_brackets = any(isinstance(parent, yaml.CollectionNode) and parent.flow_style for parent in parents)
    return node, in_brackets, parents[-1]


def _separator(file: str, text: str, node: yaml.ScalarNode, parent: yaml.Node) -> str:
    """Return what separates the items of a list: a comma, or a new line with the dash at the same column."""
    if not isinstance(parent, yaml.SequenceNode) or parent.flow_style:
        return ", "
    line = text[node.start_mark.index - node.start_mark.column : node.start_mark.index]
    dash = line.rfind("-")
    if dash < 0:
        raise NotEditableError(
            "an item of a list is not on the line of its dash",
            where=f"{file}:{node.start_mark.line + 1}",
            fix="write it next to the dash",
        )
    return ("\r\n" if "\r\n" in text else "\n") + " " * dash + line[dash:]


def _scalar(value: str, style: str | None, *, in_brackets: bool) -> str:
    """Return a text in YAML with the quotes that the old one had; an unquoted one gets some where it needs them."""
    if style == "'":
        return "'" + value.replace("'", "''") + "'"
    ends = (*_ENDS, *(_ENDS_IN_BRACKETS if in_brackets else ()))
    if style == '"' or any(end in value for end in ends):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return value


def _check(file: str, before: str, after: str, values: Mapping[KeyPath, Sequence[str]]) -> None:
    """Compare the edited file with what it should say."""
    expected: Any = yaml.load(before, Loader=yaml.BaseLoader)  # only text, lists, mappings
    # From the end: an item that becomes several moves those after it.
    for keys, new in sorted(values.items(), key=lambda item: [str(key).rjust(9) for key in item[0]], reverse=True):
        parent = expected
        for key in keys[:-1]:
            parent = parent[key]
        last = keys[-1]
        if isinstance(parent, list) and isinstance(last, int):
            parent[last : last + 1] = new
        else:
            (parent[last],) = new
    try:
        is_right = yaml.load(after, Loader=yaml.BaseLoader) == expected
    except yaml.YAMLError:
        is_right = False
    if not is_right:
        raise NotEditableError(
            f"{file} cannot be edited automatically",
            where=file,
            fix="make the change by hand, then: nox -s lock generate",
        )
