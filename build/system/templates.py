"""Jinja2 templates: one way to load them.

An undefined name is an error, and blocks leave no blank lines.  Jinja2 is imported when templates are loaded: `list`
loads none.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


def load_templates(folder: Path, *, html: bool = False) -> Environment:
    """Return the templates of a directory; each is compiled once.

    Args:
        folder: The directory.
        html: The templates are HTML, and text given to them is escaped.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=html,
    )
