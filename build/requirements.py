"""Requirements (PEP 508), parsed once each: a matrix repeats a few texts in thousands of rows.  Pure."""

from __future__ import annotations

import functools

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from build import platforms


@functools.cache
def parse(text: str) -> Requirement:
    """Return a requirement; all callers share it, so it must not be changed.

    Raises:
        InvalidRequirement: The text is not a requirement.
    """
    return Requirement(text)


@functools.cache
def distribution_name(text: str) -> NormalizedName:
    """Return the normalised name (PEP 503) of the distribution that a requirement names.

    Raises:
        InvalidRequirement: The text is not a requirement.
    """
    return canonicalize_name(parse(text).name)


@functools.cache
def without_marker(text: str, python: str) -> str | None:
    """Return a requirement without its environment marker, or None if the marker does not hold in an image.

    Args:
        text: The requirement.
        python: The minor version of the image's Python: ``3.11``.

    Raises:
        InvalidRequirement: The text is not a requirement.
    """
    marker = parse(text).marker
    if marker is None:
        return text
    if not platforms.holds(marker, python):
        return None
    if parse(text).url:  # it may have a ';' of its own
        requirement = Requirement(text)
        requirement.marker = None
        return str(requirement)
    return text.split(";", 1)[0].strip()  # as the matrix writes it


@functools.cache
def allows(text: str, version: str) -> bool:
    """Tell whether a requirement allows a version of its distribution, pre-releases included.

    Raises:
        InvalidRequirement: The text is not a requirement.
    """
    return parse(text).specifier.contains(version, prereleases=True)
