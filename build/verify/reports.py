"""Verification reports: the tests that an image passed, when, and the packages in it.

`verify` writes a report for each image that passed. `publish` attaches it to the image in the registry, so that the
catalogue has it on every machine. It is JSON, and validated when it is read, since it may come from anywhere.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from build.paths import Paths, write_atomically

#: The media type of a report, and the artifact type of the manifest that carries it.
MEDIA_TYPE = "application/vnd.inference-images.verification.v1+json"
#: Its file name when it is pulled (``oras pull``).
FILE_NAME = "verification.json"
_FOUNDATION = "foundation-"


def verified_tag(recipe: str, suite: str) -> str:
    """The tag of the report of an image, next to the images: ``verified-<16 digits of the recipe>-<suite>``.

    Args:
        recipe: The recipe.
        suite: The hash of everything that is asserted of the image, the whole recipe included.
    """
    return f"verified-{recipe[:16]}-{suite}"


def foundation_tag(digest: str, suite: str) -> str:
    """The tag of the result of a foundation's tests, next to its base: ``foundation-<16 digits of it>-<suite>``.

    Args:
        digest: The digest of the foundation.
        suite: The hash of the tests.
    """
    return f"{_FOUNDATION}{digest[:16]}-{suite}"


def is_foundation_tag(tag: str) -> bool:
    """Tell whether a tag is of this form."""
    return tag.startswith(_FOUNDATION)


class _Part(BaseModel):
    # A later version of this program may write more: unknown keys are ignored.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Check(_Part):
    """One test of an image that passed or was skipped."""

    #: The file of the tests without ``test_image_``: ``packages``.
    group: str
    #: ``test_environment (LANG)``.
    test: str
    #: ``passed`` or ``skipped``.
    outcome: str
    #: Why it was skipped.
    reason: str = ""
    #: The test's docstring.
    says: str = ""
    #: Times that were too long at the first try, on a busy machine, and kept at the second.
    measured_again: tuple[str, ...] = ()
    #: The image in which it ran, which has the same base and server layer; empty where it ran in this image.
    ran_in: str = ""


class Package(_Part):
    """A package in an image."""

    name: str
    version: str
    #: None if nothing in the image names it.
    licence: str | None = None
    #: Where the licence was read: ``License-Expression``, ``copyright file (DEP 5)``.
    licence_source: str | None = None
    summary: str | None = None


class PackageLayer(_Part):
    """A layer of packages, as the Dockerfile names it."""

    name: str
    #: ``numpy==2.4.6`` and so on.
    packages: tuple[str, ...]


class Report(_Part):
    """The tests that one image passed, and the packages in it."""

    #: The image name.
    image: str
    recipe: str
    #: The image's digest in the engine in which it was verified.
    image_id: str
    #: The hash of the tests and of what they expect.
    suite: str
    #: When, ISO 8601, UTC.
    time: str
    #: Group → the first line of the docstring of its file.
    groups: Mapping[str, str] = {}
    checks: tuple[Check, ...]
    python_packages: tuple[Package, ...] = ()
    debian_packages: tuple[Package, ...] = ()
    #: Package layers in the order of the Dockerfile.
    layers: tuple[PackageLayer, ...] = ()

    @property
    def passed(self) -> int:
        """How many tests passed in this image."""
        return sum(check.outcome == "passed" for check in self.checks if not check.ran_in)

    @property
    def skipped(self) -> tuple[Check, ...]:
        """The tests that were skipped in this image."""
        return tuple(check for check in self.checks if check.outcome == "skipped" and not check.ran_in)

    @property
    def passed_elsewhere(self) -> Mapping[str, int]:
        """Image with the same base and server layer → how many of the tests passed in it."""
        return Counter(check.ran_in for check in self.checks if check.ran_in and check.outcome == "passed")

    @property
    def content(self) -> bytes:
        """The report as it is stored and attached. The same report gives the same bytes."""
        return (self.model_dump_json(indent=1) + "\n").encode()


def parse(content: bytes) -> Report | None:
    """Read a report; None if the content is not one, or is of a version that this program does not know.

    Args:
        content: JSON.
    """
    try:
        return Report.model_validate_json(content)
    except ValidationError:
        return None


def save(paths: Paths, report: Report) -> None:
    """Write a report to ``.pipeline/reports/images/``, named by the image's ID."""
    write_atomically(_file(paths, report.image_id), report.content.decode())


def load(paths: Paths, image_id: str) -> Report | None:
    """Return the report of an image that was verified in this clone, or None."""
    try:
        return parse(_file(paths, image_id).read_bytes())
    except FileNotFoundError:
        return None


def _file(paths: Paths, image_id: str) -> Path:
    return paths.reports / "images" / f"{image_id.replace(':', '-')}.json"


def describe(tests: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Read the docstrings of test files and tests.

    Args:
        tests: The folder of the image tests.

    Returns:
        Group → the first line of its file's docstring; ``group.test_name`` → the first line of the test's.
    """
    groups: dict[str, str] = {}
    says: dict[str, str] = {}
    for file in sorted(tests.glob("test_*.py")):
        group = group_of(file.stem)
        module = ast.parse(file.read_text(encoding="utf-8"))
        groups[group] = _first_line(ast.get_docstring(module))
        for node in module.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                says[f"{group}.{node.name}"] = _first_line(ast.get_docstring(node))
    return groups, says


def group_of(module: str) -> str:
    """Return the group of a test file: ``tests.images.test_image_packages`` → ``packages``."""
    return re.sub(r"^test_(image_)?", "", module.rpartition(".")[2])


def title(test: str) -> str:
    """Return a test's name for people: ``test_installed_set_is_the_lock`` → ``Installed set is the lock``."""
    name, _, parameters = test.partition(" (")
    words = name.removeprefix("test_").replace("_", " ")
    return f"{words[:1].upper()}{words[1:]}" + (f" ({parameters}" if parameters else "")


def by_group(checks: Sequence[Check]) -> dict[str, list[Check]]:
    """Return checks by group, in the order in which they ran."""
    groups: dict[str, list[Check]] = {}
    for check in checks:
        groups.setdefault(check.group, []).append(check)
    return groups


def _first_line(docstring: str | None) -> str:
    """Return the first paragraph, on one line."""
    return " ".join((docstring or "").partition("\n\n")[0].split())
