"""Jinja2 templates: one way to read them.  What they do not know is an error, and blocks leave no blank lines."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def load_templates(folder: Path, *, html: bool = False) -> Environment:
    """The templates of a folder.

    Args:
        folder: Where they lie.
        html: Whether what they are given is text in a page, and escaped; Dockerfiles and Markdown take it as it is.
    """
    return Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=html,
    )
