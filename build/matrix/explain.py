"""Pydantic's errors as problems of the file: the line, what is wrong, and what to write instead.  Pure."""

from __future__ import annotations

import difflib
import types
from collections.abc import Sequence
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic_core import ErrorDetails

from build.matrix.model import Matrix
from build.matrix.positions import KeyPath, entries, find, position
from build.matrix.problems import Problem, nearest
from build.matrix.values import PATTERNS
from build.matrix.yaml_file import node_in_words, scalar_in_words

#: Keys that a lifecycle had until 2026 → what replaced them.
_REPLACED = {
    "end-of-life": "write 'full-support: {until: DATE, source: WHERE}' and, if security fixes go on after it, "
    "'lts: {until: DATE, source: WHERE}'; the end is that of the last one",
}
#: Pydantic's name of an error → what belongs there.
_EXPECTED = {
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "date_type": "a date",
}


def explain(file: str, root: yaml.Node, errors: Sequence[ErrorDetails], unusable: set[KeyPath]) -> list[Problem]:
    """Return a problem for each of pydantic's errors.

    Args:
        file: The file's name, for messages.
        root: The file's root node.
        errors: The errors.
        unusable: Paths that have a problem already.
    """
    problems = []
    misspelt: set[KeyPath] = set()
    # Unknown keys first: a required key that is only misspelt is not missing as well.
    for error in sorted(errors, key=lambda error: error["type"] != "extra_forbidden"):
        keys: KeyPath = error["loc"]
        what: str
        fix: str | None
        if keys in unusable or keys in misspelt:
            continue
        if error["type"] == "extra_forbidden":
            what, fix, close = _unknown_key(root, keys)
            misspelt |= {(*keys[:-1], key) for key in close}
        elif error["type"] == "missing":
            what, fix = _missing_key(keys)
            keys = keys[:-1]
        else:
            if keys and keys[-1] == "[key]":
                keys = keys[:-1]
            what, fix = _wrong_value(error, find(root, keys)[1])
            if error["type"] != "value_error":  # those are our own sentences, and say what to do
                about = _description(keys)
                fix = fix or (f"what belongs here: {about}" if about else "see docs/matrix.md for what belongs here")
        problems.append(Problem(what=what, where=position(file, root, keys), fix=fix))
    return problems


def _unknown_key(root: yaml.Node, keys: KeyPath) -> tuple[str, str, list[str]]:
    """Return what is wrong, what to do, and the key that was probably meant."""
    word, known = str(keys[-1]), _known_keys(keys[:-1])
    if keys[-2:-1] == ("lifecycle",) and word in _REPLACED:
        return f"'{word}' is not a key of a lifecycle any more", _REPLACED[word], []
    parent = find(root, keys[:-1])[1]
    present = entries(parent).keys() if isinstance(parent, yaml.MappingNode) else ()
    close = difflib.get_close_matches(word, [key for key in known if key not in present], n=1, cutoff=0.6)
    return f"unknown key '{word}'", nearest(word, close or known, called="known here"), close


def _missing_key(keys: KeyPath) -> tuple[str, str]:
    about = _description(keys)
    return f"the key '{keys[-1]}' is missing", f"add '{keys[-1]}:'" + (f" – {about}" if about else "")


def _wrong_value(error: ErrorDetails, node: yaml.Node) -> tuple[str, str | None]:
    """Return what is wrong with a value, and what to do."""
    kind, given, context = error["type"], error["input"], error.get("ctx", {})
    expected = _EXPECTED.get(kind)
    raw = node.value if isinstance(node, yaml.ScalarNode) else ""
    if expected and given is None:
        empty = {"a list": "[]", "a mapping": "{}"}.get(expected)
        return f"must be {expected}, here is nothing", f"write {empty} for an empty one" if empty else None
    if kind == "string_type" and isinstance(node, yaml.ScalarNode):
        return f"must be text; {scalar_in_words(raw, given)}", f"quote it: '{raw}'"
    if kind == "date_type":
        return f"must be a date, here is {node_in_words(node)}", "write it as 2026-11-19"
    if expected:
        fix = f"write it in brackets: [{raw}]" if expected == "a list" and raw else None
        return f"must be {expected}, here is {node_in_words(node)}", fix
    if kind == "string_pattern_mismatch":
        words = PATTERNS.get(context["pattern"])
        return f"'{given}' does not fit", f"write {words}" if words else f"it must match {context['pattern']}"
    if kind == "string_too_short":
        return f"'{given}' is too short", f"write at least {context['min_length']} characters"
    if kind == "too_short":
        return "must not be empty", None
    if kind == "value_error":
        return str(context["error"]), None
    return error["msg"], None


def _type_at(keys: Sequence[str | int]) -> Any:
    """Return the type that the models have at a path, or None if they have no such path."""
    current: Any = Matrix
    for key in keys:
        if isinstance(current, type) and issubclass(current, BaseModel):
            fields = {info.alias or name: info for name, info in current.model_fields.items()}
            if key not in fields:
                return None
            current = fields[str(key)].annotation
        else:
            origin, arguments = get_origin(current), get_args(current)
            if origin not in (dict, list):
                return None
            current = arguments[-1]
        while get_origin(current) in (Annotated, Union, types.UnionType):
            current = get_args(current)[0]
    return current


def _known_keys(keys: Sequence[str | int]) -> list[str]:
    model = _type_at(keys)
    if isinstance(model, type) and issubclass(model, BaseModel):
        return [info.alias or name for name, info in model.model_fields.items()]
    return []


def _description(keys: Sequence[str | int]) -> str | None:
    model = _type_at(keys[:-1])
    if isinstance(model, type) and issubclass(model, BaseModel):
        for name, info in model.model_fields.items():
            if (info.alias or name) == keys[-1]:
                return info.description
    return None
