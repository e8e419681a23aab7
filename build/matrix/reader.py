"""Reading ``matrix.yaml``: from the file to the models.

All errors of a file come in one report, each with its line, its key, and the fix.  Effects: reads the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import yaml
from pydantic import ValidationError

from build.errors import MatrixError
from build.matrix import yaml_file
from build.matrix.explain import explain
from build.matrix.model import Matrix
from build.matrix.positions import position
from build.matrix.problems import report

#: Errors that are looked up in the file; more would take seconds, and are only counted.
_EXPLAINED = 500


@dataclass(frozen=True, kw_only=True)
class LoadedMatrix:
    """A valid matrix, and the lines of its keys."""

    matrix: Matrix
    #: The file's name, for messages.
    file: str
    root: yaml.Node = field(repr=False)

    def where(self, *keys: str | int) -> str:
        """Return the position of a path of keys: ``matrix.yaml:41 (frameworks.sklearn)``.

        Args:
            keys: Keys of mappings and indexes of lists, from the top.  If the file does not have them, the line
                is that of the nearest parent that it has.
        """
        return position(self.file, self.root, keys)


def load(path: Path) -> LoadedMatrix:
    """Read and validate a matrix.

    Args:
        path: The YAML file.

    Raises:
        MatrixError: The file does not exist, is not YAML, or is not a valid matrix; with all errors in it.
    """
    root, constructor = yaml_file.compose(path.name, yaml_file.read_text(path))
    if root is None:
        raise MatrixError(
            f"{path.name} is empty", where=f"{path.name}:1", fix="restore it from git: git checkout -- " + path.name
        )
    if not isinstance(root, yaml.MappingNode):
        raise MatrixError(
            f"{path.name} must be a mapping (project:, server:, axes:, …), "
            f"its top level is {yaml_file.node_in_words(root)}",
            where=f"{path.name}:{root.start_mark.line + 1}",
        )
    yaml_file.check_size(path.name, root)
    builder = yaml_file.Builder(path.name, constructor)
    data = builder.build(root)
    try:
        matrix = Matrix.model_validate(data)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        explained = explain(path.name, root, errors[:_EXPLAINED], builder.unusable)
        more = max(len(errors) - _EXPLAINED, 0)
        raise report(path.name, [*builder.problems, *explained], more=more) from None
    if builder.problems:
        raise report(path.name, builder.problems)
    return LoadedMatrix(matrix=matrix, file=path.name, root=root)
