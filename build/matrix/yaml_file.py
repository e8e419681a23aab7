"""Reading a YAML file: into nodes, which know their lines, and from nodes into plain values.

YAML allows things that a matrix does not: keys that occur twice, keys that are numbers, aliases that contain
themselves.  ``Builder`` collects a problem for each.  Effects: reads the file.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from build.errors import MatrixError
from build.matrix.positions import KeyPath, dotted, key_text
from build.matrix.problems import Problem

#: Characters and values of a file; a matrix of 10,000 images has 1.9 million and 120,000.  A larger file would take
#: minutes to check, or more memory than there is.
_MAX_CHARACTERS = 2_500_000
_MAX_VALUES = 250_000
#: Characters of a file that is read again for a better message; a longer one would take seconds.
_WELL_EXPLAINED = 200_000
#: Characters of a value in a message.
_SHOWN = 80
#: Levels of nesting; Python's recursion limit allows some more.
_DEEP = 100
#: The errors of PyYAML's constructors: an explicit tag (``!!bool maybe``) calls them with any text.
_NOT_A_VALUE = (ValueError, OverflowError, LookupError, AttributeError, TypeError)
#: The beginning of the tags that YAML defines; ``!!`` in a file.
_YAML_TAG = "tag:yaml.org,2002:"
#: The tags of mappings and lists without an explicit one.
_PLAIN_TAGS: dict[type, str] = {yaml.MappingNode: f"{_YAML_TAG}map", yaml.SequenceNode: f"{_YAML_TAG}seq"}


def read_text(path: Path) -> str:
    """Return the content of a file.

    Raises:
        MatrixError: The file does not exist, cannot be read, is not UTF-8, or is too long.
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
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise MatrixError(
            f"{path.name} is not UTF-8: byte 0x{content[error.start]:02x}",
            where=f"{path.name}:{line}",
            fix="save it as UTF-8",
        ) from None
    if len(text) > _MAX_CHARACTERS:
        line = text.count("\n", 0, _MAX_CHARACTERS) + 1
        raise MatrixError(
            f"{path.name} has more than {_MAX_CHARACTERS} characters",
            where=f"{path.name}:{line}",
            fix="remove what was added by mistake",
        )
    return text


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
            with _no_garbage_collection():
                return loader.get_single_node(), loader
        except yaml.YAMLError as error:
            # The messages of the loader in Python say more than libyaml's.
            if make_loader is yaml.SafeLoader or len(text) > _WELL_EXPLAINED:
                raise _not_yaml(file, text, error) from None
        except RecursionError:
            raise MatrixError(
                f"{file} is nested too deeply to be read", where=f"{file}:{_deep_line(text)}", fix="write it flatter"
            ) from None
    raise AssertionError("unreachable: the last loader returns or raises")


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Nodes are made by the hundred thousand and contain no cycles: looking for some takes a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


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
        details=mark.get_snippet(indent=0) if isinstance(mark, yaml.Mark) else None,  # libyaml's marks have no text
    )


def _deep_line(text: str) -> int:
    """Return the first line of a text with a value inside ``_DEEP`` others."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADERS[0]):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEP:
            return event.start_mark.line + 1 if event.start_mark else 1
    return 1


def check_size(file: str, root: yaml.Node) -> None:
    """Check that a file has no more values than a matrix may have, with aliases and merge keys written out.

    A few lines of aliases can stand for billions of values.

    Args:
        file: The file's name, for messages.
        root: The file's root node.

    Raises:
        MatrixError: It has more.
    """
    sizes: dict[int, int] = {}

    def size(node: yaml.Node) -> int:
        if id(node) not in sizes:
            sizes[id(node)] = 0  # of an alias inside the value that it names
            total = 1
            for child in _children(node):
                total += size(child)
            if total > _MAX_VALUES:
                raise MatrixError(
                    f"{file} has more than {_MAX_VALUES} values, counting each alias with all that it stands for",
                    where=f"{file}:{node.start_mark.line + 1}",
                    fix="remove entries, or aliases that contain aliases",
                )
            sizes[id(node)] = total
        return sizes[id(node)]

    size(root)


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


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
            if node.tag != _PLAIN_TAGS.get(type(node), node.tag):
                tag = node.tag.replace(_YAML_TAG, "!!")
                self._note(node, path, f"the YAML tag '{tag}' does not belong here", "remove the tag")
                self.unusable.add(path)
                return None
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
            value, problem = self._scalar(node)
            if problem is None:
                return value
            self._note(node, path, *problem)
        except yaml.constructor.ConstructorError as error:  # of a merge key
            self._note(node, path, error.problem or "this cannot be merged", "merge mappings only")
        finally:
            self._open.discard(id(node))
        self.unusable.add(path)
        return None

    def _scalar(self, node: yaml.Node) -> tuple[object, tuple[str, str | None] | None]:
        """Return the value of a scalar, and what is wrong with it and how to fix it, or None."""
        problem: tuple[str, str | None] | None = None
        value = None
        try:
            value = self._constructor.construct_object(node)
        except yaml.constructor.ConstructorError as error:
            problem = (error.problem or "a YAML tag that is not known here", "remove the tag")
        except _NOT_A_VALUE as error:
            # '2026-13-01' looks like a date and is none.  Only a ValueError has words for people.
            kind = node.tag.replace(_YAML_TAG, "!!")
            why = str(error).partition(";")[0]  # Python's advice for programmers comes after it
            words = f": {why}" if isinstance(error, ValueError) else f" of the YAML type {kind}"
            problem = (f"'{node.value[:_SHOWN]}' is not a valid value{words}", None)
        if isinstance(value, str) and not _is_unicode(value):
            problem = (f"{value!a} has a character that Unicode does not have", "remove the escape sequence")
        return value, problem

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
            if key_node.tag == f"{_YAML_TAG}merge":
                continue
            value, problem = self._scalar(key_node)
            if problem is not None:
                self._note(key_node, path, *problem)
            elif not isinstance(value, str):
                reading = scalar_in_words(key, value)
                self._note(key_node, (*path, key), f"a key must be text; {reading}", f"quote it: '{key}'")
        self._constructor.flatten_mapping(node)
        return {
            key: self.build(value_node, (*path, key))
            for key_node, value_node in node.value
            if (key := key_text(key_node)) is not None and _is_unicode(key)
        }


def _is_unicode(text: str) -> bool:
    """Tell whether a text can be written in UTF-8: YAML's escape sequences allow half a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


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
