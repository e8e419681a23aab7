"""Insert entries into the text of ``matrix.yaml``; everything else stays as it is, byte for byte.  Pure."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from build.matrix.positions import find


def lines_of(text: str, root: yaml.Node, keys: Sequence[str | int]) -> list[str]:
    """Return the lines of an entry, from its key to its last value.

    Args:
        text: The file.
        root: Its root node.
        keys: The path of the entry, which the file has.
    """
    mark, node, _ = find(root, keys)
    return text.splitlines()[mark.start_mark.line : _last_line(node) + 1]


def append(text: str, root: yaml.Node, keys: Sequence[str | int], lines: Sequence[str]) -> str:
    """Add lines after the last value of an entry: comments that follow belong to what comes after it.

    Args:
        text: The file.
        root: Its root node.
        keys: The path of the entry, which the file has.
        lines: The lines to add, with their indentation.
    """
    _, node, _ = find(root, keys)
    all_lines = text.splitlines(keepends=True)
    at = _last_line(node) + 1
    if at and not all_lines[at - 1].endswith("\n"):
        all_lines[at - 1] += "\n"
    all_lines[at:at] = [f"{line}\n" for line in lines]
    return "".join(all_lines)


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
