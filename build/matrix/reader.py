"""Reading ``matrix.yaml``: from file to models, each error with its line, key and nearest right thing.

PyYAML composes the file into nodes, which know their lines; the values are built from the nodes and validated
by ``build.matrix``.  All errors of a file come in one report.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from build.errors import MatrixError
from build.matrix.model import PATTERNS, Matrix

#: Errors listed in one report; more would not fit on a screen.
_LISTED = 12


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong with the matrix."""

    what: str
    #: ``matrix.yaml:41 (frameworks.sklearn)``.
    where: str
    fix: str | None = None


def report(file: str, problems: Sequence[Problem]) -> MatrixError:
    """All problems of a file as one error: a single one by itself, several as a list by line in the details.

    Args:
        file: The file's name, for the headline.
        problems: At least one.
    """
    problems = sorted(problems, key=lambda problem: _line_of(problem.where))
    if len(problems) == 1:
        return MatrixError(problems[0].what, where=problems[0].where, fix=problems[0].fix)
    lines = [
        f"{problem.where}: {problem.what}" + (f"; {problem.fix}" if problem.fix else "")
        for problem in problems[:_LISTED]
    ]
    if len(problems) > _LISTED:
        lines.append(f"… and {len(problems) - _LISTED} more")
    return MatrixError(f"{file} has {len(problems)} errors", details="\n".join(lines))


def nearest(word: str, known: Iterable[str], *, called: str) -> str:
    """What to say beside a name that is not known: the nearest one, or else all.

    Args:
        word: What was written.
        known: What could have been.
        called: What the known ones are, for the list: ``known keys``.
    """
    names = sorted(set(known))
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    listed = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"{called}: {listed or 'none'}"


@dataclass(frozen=True, kw_only=True)
class LoadedMatrix:
    """A valid matrix, and where in its file each thing stands."""

    matrix: Matrix
    #: The file's name, for messages.
    file: str
    root: yaml.Node = field(repr=False)

    def where(self, *keys: str | int) -> str:
        """The place of a path of keys: ``matrix.yaml:41 (frameworks.sklearn)``.

        Args:
            keys: Keys of mappings and indexes of lists, from the top.  For what is not in the file the line
                is that of the nearest parent that is.
        """
        return _where(self.file, self.root, keys)


def load(path: Path) -> LoadedMatrix:
    """Read and validate a matrix.

    Args:
        path: The YAML file.

    Raises:
        MatrixError: The file is not there, is not YAML, or is not a matrix; with all that is wrong in it.
    """
    text = _read(path)
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
    except yaml.YAMLError as error:
        raise _not_yaml(path.name, text, error) from None
    except RecursionError:
        raise MatrixError(f"{path.name} is nested too deeply to be read", where=path.name) from None
    if root is None:
        raise MatrixError(
            f"{path.name} is empty", where=str(path), fix="restore it from git: git checkout -- " + path.name
        )
    if not isinstance(root, yaml.MappingNode):
        raise MatrixError(
            f"{path.name} must be a mapping (project:, server:, axes:, …), its top level is {_kind(root)}",
            where=f"{path.name}:{root.start_mark.line + 1}",
        )
    builder = _Builder(path.name, root, loader)
    data = builder.build(root, ())
    problems = list(builder.problems)
    matrix: Matrix | None = None
    try:
        matrix = Matrix.model_validate(data)
    except ValidationError as error:
        problems += _explain(path.name, root, error.errors(include_url=False), builder.spoilt)
    if problems or matrix is None:
        raise report(path.name, problems)
    return LoadedMatrix(matrix=matrix, file=path.name, root=root)


def _read(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise MatrixError(
            f"there is no {path.name}", where=str(path), fix="run it in a checkout of the repository"
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


def _not_yaml(file: str, text: str, error: yaml.YAMLError) -> MatrixError:
    """PyYAML's own words and line."""
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
    advice = "look at indentation, quotes and brackets there and above"
    if "'\\t'" in words:
        advice = "indent with spaces, not tabs"
    return MatrixError(
        f"{file} is not YAML: {words}",
        where=f"{file}:{mark.line + 1}, column {mark.column + 1}",
        fix=advice,
        details=mark.get_snippet(indent=0),
    )


_Path = tuple[str | int, ...]


class _Builder:
    """Builds values from nodes, and notes what pydantic could not see: keys twice, keys that are no text."""

    def __init__(self, file: str, root: yaml.Node, loader: yaml.SafeLoader) -> None:
        self.problems: list[Problem] = []
        #: Paths whose value could not be built; what the models say about them is of no interest.
        self.spoilt: set[_Path] = set()
        self._file = file
        self._root = root
        self._loader = loader
        self._open: set[int] = set()

    def _note(self, node: yaml.Node, path: _Path, what: str, fix: str | None = None) -> None:
        place = f"{self._file}:{node.start_mark.line + 1}" + (f" ({dotted(path)})" if path else "")
        self.problems.append(Problem(what=what, where=place, fix=fix))

    def build(self, node: yaml.Node, path: _Path) -> Any:
        if id(node) in self._open:
            self._note(node, path, "an alias stands inside of what it names")
            self.spoilt.add(path)
            return None
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
            return self._loader.construct_object(node)
        except yaml.constructor.ConstructorError as error:
            self._note(node, path, error.problem or "a YAML tag that is not known here", "remove the tag")
        except (ValueError, OverflowError) as error:
            # '2026-13-01' looks like a date and is none.
            self._note(node, path, f"{_raw(node)} is not a valid value: {error}")
        finally:
            self._open.discard(id(node))
        self.spoilt.add(path)
        return None

    def _mapping(self, node: yaml.MappingNode, path: _Path) -> dict[str, Any]:
        first: dict[str, yaml.Node] = {}
        for key_node, _ in node.value:
            key = _key(key_node)
            if key is None:
                self._note(key_node, path, "a key must be text, here is " + _kind(key_node))
                continue
            if key in first:
                self._note(
                    key_node,
                    (*path, key),
                    f"the key '{key}' stands here a second time; the first is in line {first[key].start_mark.line + 1}",
                    "keep one of the two",
                )
            first.setdefault(key, key_node)
            if key_node.tag not in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"):
                reading = _reads(key, self._loader.construct_object(key_node))
                self._note(key_node, (*path, key), f"a key must be text; {reading}", f"quote it: '{key}'")
        self._loader.flatten_mapping(node)
        return {
            key: self.build(value_node, (*path, key))
            for key_node, value_node in node.value
            if (key := _key(key_node)) is not None
        }


def _key(node: yaml.Node) -> str | None:
    """A key as it is written: 1.10 stays '1.10'."""
    return str(node.value) if isinstance(node, yaml.ScalarNode) else None


def _raw(node: yaml.Node | None) -> str:
    return f"'{node.value}'" if isinstance(node, yaml.ScalarNode) else "it"


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    return "a list" if isinstance(node, yaml.SequenceNode) else f"the single value '{node.value}'"


def _reads(raw: str, value: object) -> str:
    """How YAML understands an unquoted scalar: ``unquoted, 1.10 is the number 1.1``."""
    if isinstance(value, bool):
        return f"unquoted, {raw} is {'true' if value else 'false'} in YAML"
    if isinstance(value, int | float):
        number = "a number" if str(value) == raw else f"the number {value}"
        return f"unquoted, {raw} is {number} in YAML"
    if value is None:
        return f"unquoted, {raw or 'nothing'} is the empty value in YAML"
    return f"unquoted, {raw} is a date in YAML"


def _find(root: yaml.Node, keys: Sequence[str | int]) -> tuple[yaml.Node, yaml.Node, int]:
    """The node that marks a path (a key or an item), the value's node, and how many keys of it were found."""
    mark = node = root
    for depth, key in enumerate(keys):
        if isinstance(node, yaml.MappingNode):
            # The last one counts: what '<<' merges in stands before the mapping's own keys.
            pairs = [(k, v) for k, v in node.value if _key(k) == key]
            if not pairs:
                return mark, node, depth
            mark, node = pairs[-1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            mark = node = node.value[key]
        else:
            return mark, node, depth
    return mark, node, len(keys)


def _where(file: str, root: yaml.Node, keys: Sequence[str | int]) -> str:
    mark, _, _ = _find(root, keys)
    return f"{file}:{mark.start_mark.line + 1} ({dotted(keys)})" if keys else file


def _line_of(where: str) -> int:
    number = where.partition(":")[2].split(" ")[0].rstrip(",")
    return int(number) if number.isdigit() else 0


def dotted(keys: Sequence[str | int]) -> str:
    """A path of keys as people write it: ``frameworks.sklearn.versions."1.9".contract[0]``."""
    text = ""
    for key in keys:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            plain = key.replace("-", "").replace("_", "").isalnum() or key == "<<"
            text += ("." if text else "") + (key if plain else f'"{key}"')
    return text


def _explain(file: str, root: yaml.Node, errors: list[ErrorDetails], spoilt: set[_Path]) -> list[Problem]:
    """Pydantic's findings in the words of the file."""
    problems = []
    meant: set[_Path] = set()
    # Unknown keys first: a required key that is only misspelt is not missing as well.
    what: str
    fix: str | None
    for error in sorted(errors, key=lambda error: error["type"] != "extra_forbidden"):
        keys: _Path = error["loc"]
        if keys in spoilt or keys in meant:
            continue
        if error["type"] == "extra_forbidden":
            word, known = str(keys[-1]), _known_keys(keys[:-1])
            present = {_key(key) for key, _ in getattr(_find(root, keys[:-1])[1], "value", [])}
            free = [key for key in known if key not in present]
            close = difflib.get_close_matches(word, free, n=1, cutoff=0.6)
            meant |= {(*keys[:-1], key) for key in close}
            what = f"unknown key '{word}'"
            fix = nearest(word, close or known, called="known here")
        elif error["type"] == "missing":
            what = f"the key '{keys[-1]}' is missing"
            about = _description(keys)
            fix = f"add '{keys[-1]}:'" + (f" – {about}" if about else "")
            keys = keys[:-1]
        else:
            if keys and keys[-1] == "[key]":
                keys = keys[:-1]
            what, fix = _wrong_value(error, _find(root, keys)[1])
            if error["type"] != "value_error":  # those are our own sentences, and say what to do
                about = _description(keys)
                fix = fix or (f"what belongs here: {about}" if about else "matrix.schema.json says what may stand here")
        problems.append(Problem(what=what, where=_where(file, root, keys), fix=fix))
    return problems


def _wrong_value(error: ErrorDetails, node: yaml.Node) -> tuple[str, str | None]:
    """What is wrong with a value, and what to do."""
    kind, given, context = error["type"], error["input"], error.get("ctx", {})
    expected = {
        "string_type": "text",
        "list_type": "a list",
        "dict_type": "a mapping",
        "model_type": "a mapping",
        "date_type": "a date",
    }.get(kind)
    raw = node.value if isinstance(node, yaml.ScalarNode) else ""
    if expected and given is None:
        empty = {"a list": "[]", "a mapping": "{}"}.get(expected)
        return f"must be {expected}, here is nothing", f"write {empty} for an empty one" if empty else None
    if kind == "string_type" and isinstance(node, yaml.ScalarNode):
        return f"must be text; {_reads(raw, given)}", f"quote it: '{raw}'"
    if kind == "date_type":
        return f"must be a date, here is {_kind(node)}", "write it as 2026-11-19"
    if expected:
        fix = f"write it in brackets: [{raw}]" if expected == "a list" and raw else None
        return f"must be {expected}, here is {_kind(node)}", fix
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


def _at(keys: Sequence[str | int]) -> Any:
    """The type that the models have at a path, or None."""
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
    model = _at(keys)
    if isinstance(model, type) and issubclass(model, BaseModel):
        return [info.alias or name for name, info in model.model_fields.items()]
    return []


def _description(keys: Sequence[str | int]) -> str | None:
    model = _at(keys[:-1])
    if isinstance(model, type) and issubclass(model, BaseModel):
        for name, info in model.model_fields.items():
            if (info.alias or name) == keys[-1]:
                return info.description
    return None
