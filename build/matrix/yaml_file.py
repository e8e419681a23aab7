"""Reading a YAML file: into nodes, which know their lines, and from nodes into plain values.

YAML allows things that a matrix does not: keys that occur twice, keys that are numbers, aliases that contain
themselves.  ``Builder`` collects a problem for each.  Effects: reads the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from build.errors import MatrixError
from build.matrix.positions import KeyPath, dotted, key_text
from build.matrix.problems import Problem


def read_text(path: Path) -> str:
    """Return the content of a file.

    Raises:
        MatrixError: The file does not exist, cannot be read, or is not UTF-8.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise MatrixError(
            f"{path.name} not found", where=str(path), fix="run it in a checkout of the repository"
        ) from None
    except OSError as error:
        raise MatrixError(f"{path.name} cannot be read: {error.strerror}", where=str(path)) from None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise MatrixError(
            f"{path.name} is not UTF-8: byte 0x{content[error.start]:02x}",
            where=f"{path.name}:{line}",
            fix="save it as UTF-8",
        ) from None


if hasattr(yaml, "CSafeLoader"):  # PyYAML was built with libyaml
    from yaml.cyaml import CParser  # type: ignore[attr-defined]

    class _FastLoader(Composer, CParser, SafeConstructor, Resolver):
        """libyaml's parser with PyYAML's composer; about eight times as fast as the loader in Python.

        CSafeLoader composes in C, and nesting that is too deep ends the process instead of raising RecursionError.
        """

        def __init__(self, text: str) -> None:
            CParser.__init__(self, text)
            Composer.__init__(self)
            SafeConstructor.__init__(self)
            Resolver.__init__(self)

    _LOADERS: tuple[Any, ...] = (_FastLoader, yaml.SafeLoader)
else:
    _LOADERS = (yaml.SafeLoader,)


def compose(file: str, text: str) -> tuple[yaml.Node | None, SafeConstructor]:
    """Parse a YAML text.

    Args:
        file: The file's name, for messages.
        text: Its content.

    Returns:
        The root node (None for an empty file), and the constructor that makes values of its scalars.

    Raises:
        MatrixError: It is not YAML.
    """
    for make_loader in _LOADERS:
        try:
            loader = make_loader(text)
            return loader.get_single_node(), loader
        except yaml.YAMLError as error:
            if make_loader is yaml.SafeLoader:  # its messages say more than libyaml's
                raise _not_yaml(file, text, error) from None
        except RecursionError:
            raise MatrixError(f"{file} is nested too deeply to be read", where=file) from None
    raise AssertionError("unreachable: the last loader returns or raises")


def _not_yaml(file: str, text: str, error: yaml.YAMLError) -> MatrixError:
    """Return an error with PyYAML's own words, and the line."""
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return MatrixError(
            f"{file} is not YAML: the character U+{int(error.character):04X} is not allowed",
            where=f"{file}:{line}",
            fix="remove the character",
        )
    if not isinstance(error, yaml.MarkedYAMLError) or not (mark := error.problem_mark or error.context_mark):
        return MatrixError(f"{file} is not YAML: {error}", where=file)
    words = ", ".join(part for part in (error.context, error.problem) if part)
    advice = "check the indentation, quotes and brackets there and above"
    if "'\\t'" in words:
        advice = "indent with spaces, not tabs"
    return MatrixError(
        f"{file} is not YAML: {words}",
        where=f"{file}:{mark.line + 1}, column {mark.column + 1}",
        fix=advice,
        details=mark.get_snippet(indent=0),
    )


class Builder:
    """Makes plain values of nodes, and collects the problems that pydantic would not see in the values."""

    def __init__(self, file: str, constructor: SafeConstructor) -> None:
        self.problems: list[Problem] = []
        #: Paths without a usable value; what the models report about them is noise.
        self.unusable: set[KeyPath] = set()
        self._file = file
        self._constructor: Any = constructor
        #: The nodes on the way from the root to the current one, by their ids.
        self._open: set[int] = set()

    def build(self, node: yaml.Node, path: KeyPath = ()) -> Any:
        """Return the value of a node; None, with a problem, if it has no usable value.

        Args:
            node: The node.
            path: Its keys from the root.
        """
        if id(node) in self._open:
            self._note(node, path, "an alias is inside the value that it names")
            self.unusable.add(path)
            return None
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
            return self._constructor.construct_object(node)
        except yaml.constructor.ConstructorError as error:
            self._note(node, path, error.problem or "a YAML tag that is not known here", "remove the tag")
        except (ValueError, OverflowError) as error:
            # '2026-13-01' looks like a date and is none.
            raw = f"'{node.value}'" if isinstance(node, yaml.ScalarNode) else "it"
            self._note(node, path, f"{raw} is not a valid value: {error}")
        finally:
            self._open.discard(id(node))
        self.unusable.add(path)
        return None

    def _note(self, node: yaml.Node, path: KeyPath, what: str, fix: str | None = None) -> None:
        where = f"{self._file}:{node.start_mark.line + 1}" + (f" ({dotted(path)})" if path else "")
        self.problems.append(Problem(what=what, where=where, fix=fix))

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        first: dict[str, yaml.Node] = {}
        for key_node, _ in node.value:
            key = key_text(key_node)
            if key is None:
                self._note(key_node, path, "a key must be text, here is " + node_in_words(key_node))
                continue
            if key in first:
                self._note(
                    key_node,
                    (*path, key),
                    f"the key '{key}' occurs twice; the first is in line {first[key].start_mark.line + 1}",
                    "keep one of the two",
                )
            first.setdefault(key, key_node)
            if key_node.tag not in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"):
                reading = scalar_in_words(key, self._constructor.construct_object(key_node))
                self._note(key_node, (*path, key), f"a key must be text; {reading}", f"quote it: '{key}'")
        self._constructor.flatten_mapping(node)
        return {
            key: self.build(value_node, (*path, key))
            for key_node, value_node in node.value
            if (key := key_text(key_node)) is not None
        }


def node_in_words(node: yaml.Node) -> str:
    """Return the kind of a node for messages: ``a mapping``, ``a list``, ``the single value 'x'``."""
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    return "a list" if isinstance(node, yaml.SequenceNode) else f"the single value '{node.value}'"


def scalar_in_words(raw: str, value: object) -> str:
    """Return how YAML reads an unquoted scalar: ``unquoted, 1.10 is the number 1.1 in YAML``.

    Args:
        raw: As it is written.
        value: What YAML makes of it.
    """
    if isinstance(value, bool):
        return f"unquoted, {raw} is {'true' if value else 'false'} in YAML"
    if isinstance(value, int | float):
        number = "a number" if str(value) == raw else f"the number {value}"
        return f"unquoted, {raw} is {number} in YAML"
    if value is None:
        return f"unquoted, {raw or 'nothing'} is the empty value in YAML"
    return f"unquoted, {raw} is a date in YAML"
