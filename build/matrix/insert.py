"""Insert entries into the text of ``matrix.yaml``; everything else stays as it is, byte for byte.  Pure.

Mappings keep their style: lines are added to a block, and text before the closing brace to ``{a: 1}``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import yaml

from build.matrix.edit import NotEditableError, uses
from build.matrix.positions import KeyPath, dotted, find

#: A comment begins a line, or follows a space.
_COMMENT = re.compile(r"(?:^|(?<=[ \t]))#[^\r\n]*", re.MULTILINE)

#: From the end of a key to the end of an alias, which is its value.
_ALIAS = re.compile(r"\s*:\s*\*[^\s,{}\[\]]+")


class _Entry(NamedTuple):
    """A key of a mapping with its value, and where the value ends (an index of the text)."""

    key: yaml.Node
    value: yaml.Node
    end: int


def append(text: str, root: yaml.Node, keys: Sequence[str | int], lines: Sequence[str]) -> str:
    """Add lines after the last value of an entry: comments that follow belong to what comes after it.

    Args:
        text: The file.
        root: Its root node.
        keys: The path of the entry, which the file has, and which is not in braces.
        lines: The lines to add, with their indentation.
    """
    _, node, _ = find(root, keys)
    return _with_lines(text, _last_line(node) + 1, lines)


def copied(
    file: str, text: str, keys: KeyPath, new_key: str, edit: Callable[[str], str], keep: Callable[[str], bool]
) -> str:
    """Add a copy of an entry behind it, under another key, with its comments.

    Args:
        file: The file's name, for messages.
        text: Its content.
        keys: The path of the entry.
        new_key: The key of the copy.
        edit: Makes the text of the copy from that of the entry; it gets the parts between the comments.
        keep: Tells whether the copy gets a comment; one that takes several lines is given as a whole.

    Raises:
        NotEditableError: The entry comes from an alias or a merge key, or has an anchor, which must not occur twice.
    """
    mapping = _mapping(file, text, keys[:-1])
    entry = _entry(text, mapping, str(keys[-1]))
    if entry is None or _is_alias(entry) or uses(_compose(text), keys) > 1:
        raise _not_editable(file, keys, mapping)
    quote = "'" if isinstance(entry.key, yaml.ScalarNode) and entry.key.style == "'" else '"'
    key_start, key_end = entry.key.start_mark.index, entry.key.end_mark.index
    if mapping.flow_style:
        _check_no_anchor(file, text, keys, key_start, entry.end)
        value = _copy(text, key_end, entry.end, edit, keep)
        return f"{text[: entry.end]}, {quote}{new_key}{quote}{value}{text[entry.end :]}"
    all_lines = text.splitlines(keepends=True)
    first, last = entry.key.start_mark.line, _last_line_of(text, entry)
    start = key_start - entry.key.start_mark.column
    end = start + sum(map(len, all_lines[first : last + 1]))
    _check_no_anchor(file, text, keys, start, end)
    copy = f"{text[start:key_start]}{quote}{new_key}{quote}{_copy(text, key_end, end, edit, keep)}"
    return _with_lines(text, last + 1, copy.splitlines())


def put(file: str, text: str, keys: KeyPath, value: str, *, first: bool = False) -> str:
    """Give a key of a mapping a value, which replaces the one that it has.

    Args:
        file: The file's name, for messages.
        text: Its content.
        keys: The path of the mapping, which the file has, and the key.
        value: The value as YAML, in one line.
        first: A new key goes before the mapping's others, else behind them.

    Raises:
        NotEditableError: The mapping comes from an alias or a merge key.
    """
    mapping = _mapping(file, text, keys[:-1])
    key = str(keys[-1])
    entry = _entry(text, mapping, key)
    item = f"{key}: {value}"
    if mapping.flow_style:
        if entry is not None:
            return text[: entry.key.start_mark.index] + item + text[entry.end :]
        if not mapping.value:
            at = mapping.end_mark.index - 1
            return text[:at] + item + text[at:]
        at = mapping.value[0][0].start_mark.index if first else _entry_of(text, mapping.value[-1]).end
        return f"{text[:at]}{item}, {text[at:]}" if first else f"{text[:at]}, {item}{text[at:]}"
    indented = " " * int(mapping.value[0][0].start_mark.column) + item
    if entry is None:
        mark, _, _ = find(_compose(text), keys[:-1])
        return _with_lines(text, mark.start_mark.line + 1 if first else _last_line(mapping) + 1, [indented])
    return _with_lines(_without_lines(text, entry), entry.key.start_mark.line, [indented])


def removed(file: str, text: str, keys: KeyPath) -> str:
    """Remove a key of a mapping with its value; nothing changes if the mapping does not have it.

    Args:
        file: The file's name, for messages.
        text: Its content.
        keys: The path of the mapping, which the file has, and the key.

    Raises:
        NotEditableError: The mapping comes from an alias or a merge key.
    """
    mapping = _mapping(file, text, keys[:-1])
    entry = _entry(text, mapping, str(keys[-1]))
    if entry is None:
        return text
    if not mapping.flow_style:
        return _without_lines(text, entry)
    names = [key.value for key, _ in mapping.value]
    index = names.index(entry.key.value)
    if index > 0:
        return text[: _entry_of(text, mapping.value[index - 1]).end] + text[entry.end :]
    end = mapping.value[1][0].start_mark.index if len(names) > 1 else entry.end
    return text[: entry.key.start_mark.index] + text[end:]


def has(text: str, keys: KeyPath) -> bool:
    """Tell whether the text of a mapping itself, not what it merges in, has a key."""
    return find(_compose(text), keys)[2] == len(keys)


def _compose(text: str) -> yaml.Node:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert root is not None, "the matrix was read before"
    return root


def _mapping(file: str, text: str, keys: KeyPath) -> yaml.MappingNode:
    """Return the node of a mapping whose text nothing else uses."""
    root = _compose(text)
    _, node, depth = find(root, keys)
    if depth < len(keys) or not isinstance(node, yaml.MappingNode) or uses(root, keys) > 1:
        raise _not_editable(file, keys, node)
    if not node.flow_style and not node.value:
        raise _not_editable(file, keys, node)
    return node


def _entry(text: str, mapping: yaml.MappingNode, key: str) -> _Entry | None:
    for pair in mapping.value:
        if isinstance(pair[0], yaml.ScalarNode) and pair[0].value == key:
            return _entry_of(text, pair)
    return None


def _entry_of(text: str, pair: tuple[yaml.Node, yaml.Node]) -> _Entry:
    key, value = pair
    entry = _Entry(key=key, value=value, end=int(value.end_mark.index))
    alias = _ALIAS.match(text, key.end_mark.index)
    return entry._replace(end=alias.end()) if alias is not None and _is_alias(entry) else entry


def _is_alias(entry: _Entry) -> bool:
    """Tell whether a value is an alias: its node is that of its anchor, which is further up."""
    return int(entry.value.start_mark.index) < int(entry.key.end_mark.index)


def _check_no_anchor(file: str, text: str, keys: KeyPath, start: int, end: int) -> None:
    """Check that a part of a text defines no anchor: two anchors with one name are a trap for later aliases."""
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        mark = event.start_mark
        if mark is None or not start <= mark.index < end:
            continue
        if isinstance(event, yaml.NodeEvent) and event.anchor and not isinstance(event, yaml.AliasEvent):
            raise NotEditableError(
                f"{dotted(keys)} has the anchor '&{event.anchor}', which a copy must not have",
                where=f"{file}:{mark.line + 1}",
                fix="make the copy by hand",
            )


def _copy(text: str, start: int, end: int, edit: Callable[[str], str], keep: Callable[[str], bool]) -> str:
    """Return a copy of a part of a text: what is no comment is edited, and some comments are left out."""
    parts, at = [], start
    for first, last in _comments(text):
        if first < start or last > end:
            continue
        parts.append(edit(text[at:first]))
        if keep(text[first:last]):
            parts.append(text[first:last])
            at = last
            continue
        # The spaces before it go, too; and the whole line, if it has nothing else.
        parts[-1] = parts[-1].rstrip(" ")
        at = last
        if parts[-1].endswith("\n"):
            at = text.find("\n", last, end) + 1 or end
    return "".join((*parts, edit(text[at:end])))


def _comments(text: str) -> list[tuple[int, int]]:
    """Return where the comments of a text begin and end, without the last line end.

    Comments on lines of their own, one below the other in the same column, are one.
    """
    values = [
        (token.start_mark.index, token.end_mark.index)
        for token in yaml.scan(text, Loader=yaml.SafeLoader)
        if isinstance(token, yaml.ScalarToken)
    ]
    found: list[tuple[int, int]] = []
    at = 0
    while (match := _COMMENT.search(text, at)) is not None:
        first, last = match.span()
        value_end = next((end for start, end in values if start <= first < end), None)
        at = last if value_end is None else value_end
        if value_end is not None:
            continue
        if found and _continues(text, found[-1], first):
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found


def _continues(text: str, comment: tuple[int, int], at: int) -> bool:
    """Tell whether a comment is on the line after another one, in the same column, with nothing before either."""
    between = text[comment[1] : at]
    column = comment[0] - (text.rfind("\n", 0, comment[0]) + 1)
    before = text[comment[0] - column : comment[0]]
    return between.lstrip("\r") == f"\n{before}" and not before.strip()


def _not_editable(file: str, keys: KeyPath, node: yaml.Node) -> NotEditableError:
    return NotEditableError(
        f"{dotted(keys)} has no text of its own in {file}: it comes from an alias or a merge key",
        where=f"{file}:{node.start_mark.line + 1}",
        fix="edit it by hand, or write it out where it is used",
    )


def _with_lines(text: str, at: int, lines: Sequence[str]) -> str:
    """Return a text with further lines before the line of a number, with the line ends that it has."""
    newline = "\r\n" if "\r\n" in text else "\n"
    all_lines = text.splitlines(keepends=True)
    if at and not all_lines[at - 1].endswith("\n"):
        all_lines[at - 1] += newline
    all_lines[at:at] = [f"{line}{newline}" for line in lines]
    return "".join(all_lines)


def _without_lines(text: str, entry: _Entry) -> str:
    all_lines = text.splitlines(keepends=True)
    del all_lines[entry.key.start_mark.line : _last_line_of(text, entry) + 1]
    return "".join(all_lines)


def _last_line_of(text: str, entry: _Entry) -> int:
    """Return the number of the last line of an entry in a block, with the comments that follow and are further in."""
    last = max(int(entry.key.end_mark.line), _last_line(entry.value))
    for number, line in enumerate(text.splitlines()[last + 1 :], start=last + 1):
        content = line.lstrip(" ")
        if content.startswith("#") and len(line) - len(content) > entry.key.start_mark.column:
            last = number
        elif content:
            break
    return last


def _last_line(node: yaml.Node) -> int:
    """Return the number of the last line of a node: a block ends, for YAML, only where the next key begins."""
    if isinstance(node, yaml.ScalarNode):
        # A block scalar ends at the beginning of the line after it.
        return node.end_mark.line - (1 if node.end_mark.column == 0 and node.style in ("|", ">") else 0)
    assert isinstance(node, yaml.CollectionNode), "YAML has no other nodes"
    if node.flow_style or not node.value:
        return int(node.end_mark.line)
    # An alias has the node of its anchor, which is further up.
    if isinstance(node, yaml.MappingNode):
        return max(max(int(key.end_mark.line), _last_line(value)) for key, value in node.value)
    return max(int(node.start_mark.line), *map(_last_line, node.value))
