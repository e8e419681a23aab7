"""What the shared tests were run on is what this image has.

Most tests of the base and of the server layer run in one image of a family and count for the others. A package layer of
another image could still change what they were about: these tests run in each image, and show that none does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import pytest
from image_container import Container
from image_plan import Image

#: What `python -m venv` and the server's layer put into the environment besides packages.
OF_THE_ENVIRONMENT = re.compile(
    r"\.gitignore|bin/[Aa]ctivate(\.\w+)?|bin/python[\d.]*|lib64|pip\.conf|pyvenv\.cfg|server-constraints\.txt"
)
LIBRARY, PROGRAMS = "/usr/local/lib/inference-server", "/usr/local/bin"


def test_each_file_belongs_to_a_package(container: Container) -> None:
    """No ``.pth``, no ``sitecustomize``, no module that no installed package lists."""
    found = [path for path in container.python("probe.py", "strays") if not OF_THE_ENVIRONMENT.fullmatch(path)]
    assert not found, f"of no package: {', '.join(found[:20])}"


def test_the_server_is_as_its_packages_were_made(image: Image, container: Container) -> None:
    records = container.python("probe.py", "records", *image.server_packages)
    assert records["files"] > 0, "no file was compared"
    assert not records["others"], f"differ from RECORD: {', '.join(records['others'])}"


def test_bytecode_and_settings_of_the_server(
    image: Image, container: Container, record_server_parts: Callable[[dict[str, str]], None]
) -> None:
    """They are those of the image in which the shared tests ran; `build.verify.whole_suite` compares them."""
    found = container.python("probe.py", "parts", LIBRARY, *image.server_packages)
    parts = {
        part: digest
        for part, digest in found.items()
        if part.startswith("bytecode ") or OF_THE_ENVIRONMENT.fullmatch(part)
    }
    record_server_parts(parts)
    assert {"pyvenv.cfg", "server-constraints.txt", f"bytecode in {LIBRARY}"} <= parts.keys()
    assert sum(part.startswith("bytecode of ") for part in parts) > len(image.server_packages) / 2


@pytest.fixture(scope="module")
def start_files(container: Container) -> dict[str, str]:
    places = (LIBRARY, f"{PROGRAMS}/start-server", f"{PROGRAMS}/runsvdir")
    found: dict[str, str] = container.python("probe.py", "digests", *places)
    return found


def test_the_start_files_are_those_of_the_base(image: Image, start_files: dict[str, Any]) -> None:
    always = {path: digest for path, digest in image.start.items() if not path.startswith("standard_library/")}
    expected = {_place(path): digest for path, digest in always.items()}
    differ = sorted(path for path in {*expected, *start_files} if expected.get(path) != start_files.get(path))
    assert not differ, f"not those of the recipe: {', '.join(differ)}"


def _place(path: str) -> str:
    """Return where a file of ``image/start`` is in an image (``image/scripts/setup-base``)."""
    folder = LIBRARY if PurePosixPath(path).suffix == ".py" else PROGRAMS
    return f"{folder}/{path}"
