"""Positions: the line of a key or of an item in its YAML file.  Pure."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import yaml

#: Keys of mappings and indexes of lists, from the top.
KeyPath = tuple[str | int, ...]


def key_text(node: yaml.Node) -> str | None:
    """Return a key as it is written (1.10 stays '1.10'), or None if it is a list or a mapping."""
    return str(node.value) if isinstance(node, yaml.ScalarNode) else None


@functools.lru_cache(maxsize=64)
def entries(node: yaml.MappingNode) -> Mapping[str, tuple[yaml.Node, yaml.Node]]:
    """Return the keys of a mapping: text → the nodes of key and value.  A node is looked through once."""
    # The last one counts: keys that '<<' merges in come before the mapping's own.
    return {text: (key, value) for key, value in node.value if (text := key_text(key)) is not None}


def find(root: yaml.Node, keys: Sequence[str | int]) -> tuple[yaml.Node, yaml.Node, int]:
    """Find a path of keys; where the file does not have it, its nearest parent that the file has.

    Returns:
        The node that marks the position (the key, or the item of a list), the node of the value, and how many of the
        keys the file has.
    """
    mark = node = root
    for depth, key in enumerate(keys):
        if isinstance(node, yaml.MappingNode):
            entry = entries(node).get(str(key))
            if entry is None:
                return mark, node, depth
            mark, node = entry
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            mark = node = node.value[key]
        else:
            return mark, node, depth
    return mark, node, len(keys)


def position(file: str, root: yaml.Node, keys: Sequence[str | int]) -> str:
    """Return the position of a path of keys: ``matrix.yaml:41 (frameworks.sklearn)``."""
    mark, _, _ = find(root, keys)
    return f"{file}:{mark.start_mark.line + 1}" + (f" ({dotted(keys)})" if keys else "")


def dotted(keys: Sequence[str | int]) -> str:
    """Return a path of keys as people write it: ``frameworks.sklearn.versions."1.9".contract[0]``."""
    text = ""
    for key in keys:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            plain = key.replace("-", "").replace("_", "").isalnum() or key == "<<"
            text += ("." if text else "") + (key if plain else f'"{key}"')
    return text
